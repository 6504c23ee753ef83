"""Which label each item gets: from folders, a CSV file or an array; or none, and why.

A label is an index into the names of the classes, which are sorted.
"""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.dataset import Dataset
from sparring.data.options import LABELS_FILE
from sparring.data.pack import LoadedItems
from sparring.draws import permutation
from sparring.errors import SparringError, listed, nearest

CHOICES = ("auto", "yes", "none")
LABEL_SEED = 1  # of the order in which samples get the labels of the data
UNUSED = "labels found, not used; --data.labels yes trains on them"


def check_choice(labels: str) -> None:
    """Raise unless `labels` is auto, yes, none or names a CSV file."""
    if labels in CHOICES or is_csv(labels):
        return
    hint = nearest(labels, CHOICES)
    raise SparringError(
        f"labels '{labels}' is not a choice{hint}; expected auto, yes, none or a .csv file "
        "with the header file,label"
    )


def is_csv(labels: str) -> bool:
    """Tell whether the choice names a CSV file."""
    return LABELS_FILE.named_by(labels)


def suit(choice: str, loaded: LoadedItems) -> bool:
    """Tell whether items have labels or none as a decided choice says; others leave it open."""
    decided = {"yes": True, "none": False}
    return decided.get(choice, loaded.labels is not None) == (loaded.labels is not None)


def read_csv(path: Path, what: str = "label") -> dict[str, str]:
    """Return the label of each file that a CSV with the header `file,label` lists, or the group."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if not {"file", what} <= set(rows.fieldnames or ()):
                header = ",".join(rows.fieldnames or ()) or "nothing"
                raise SparringError(
                    f"'{path}' starts with {header[:80]!r}; expected the header file,{what}"
                )
            return {
                PurePath(row["file"] or "").as_posix(): (row[what] or "").strip() for row in rows
            }
    except (OSError, ValueError, csv.Error) as error:
        raise SparringError(
            f"'{path}' cannot be read as {what}s: {error}; expected a CSV with the header "
            f"file,{what}"
        ) from error


def from_folders(names: Sequence[str], *, required: bool) -> tuple[list[str] | None, list[str]]:
    """Return the first folder of each relative file name as its label, and notes.

    There are none when fewer than two such folders exist or a file lies outside of them; that
    is an error when labels are `required`.
    """
    folders = {name.split("/")[0] for name in names if "/" in name}
    outside = sum("/" not in name for name in names)
    if len(folders) >= 2 and not outside:
        return [name.split("/")[0] for name in names], []
    if required:
        raise SparringError(
            f"labels 'yes', but there are {len(folders)} label folders, and {outside} files lie "
            "outside of them; expected two or more that hold all files, or --data.labels FILE.csv"
        )
    notes = [f"{outside} files lie outside of the label folders: labels are not used"]
    return None, notes if len(folders) >= 2 else []


def indices(labels: Sequence[str] | NDArray[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return each label's index (n,) and the sorted names of the classes."""
    names, inverse = np.unique(np.asarray(labels), return_inverse=True)
    return inverse.astype(np.int64), tuple(str(name) for name in names)


def matched(name: str, loaded: LoadedItems, classes: tuple[str, ...]) -> LoadedItems:
    """Return items whose labels are matched by name with the classes of a run; `name` is theirs.

    Without labels, or classes to match them with, they have none.

    Raises:
        SparringError: some have a label that is none of these classes.
    """
    if loaded.labels is None or not classes:
        return replace(loaded, labels=None, classes=classes)
    present = [loaded.classes[label] for label in np.unique(loaded.labels)]
    if unknown := [label for label in present if label not in classes]:
        raise SparringError(
            f"'{name}' has labels that the run does not know: {listed(unknown)}; its classes are "
            f"{listed(classes)}"
        )
    place = [classes.index(label) if label in classes else -1 for label in loaded.classes]
    return replace(loaded, labels=np.array(place)[loaded.labels], classes=classes)


def labels_in_proportion(data: Dataset, n: int) -> Tensor | None:
    """Return labels in the proportions of the training data, None when unconditional.

    In random order: data often come sorted by class, and the first labels must stand for all.
    """
    if data.labels is None:
        return None
    order = data.train[permutation(LABEL_SEED, "labels", len(data.train))]
    return torch.from_numpy(data.labels[order[np.arange(n) % len(order)]])
