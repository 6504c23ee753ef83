"""Which label each item gets: from folders, a CSV file or an array; or none, and why.

A label is an index into the names of the classes, which are sorted.
"""

import csv
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.data.dataset import Dataset
from sparring.draws import permutation
from sparring.errors import SparringError, nearest

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
    return labels.lower().endswith(".csv")


def read_csv(path: Path) -> dict[str, str]:
    """Return the label of each file that a CSV with the header `file,label` lists."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if not {"file", "label"} <= set(rows.fieldnames or ()):
                header = ",".join(rows.fieldnames or ()) or "nothing"
                raise SparringError(
                    f"'{path}' starts with {header[:80]!r}; expected the header file,label"
                )
            return {
                PurePath(row["file"] or "").as_posix(): (row["label"] or "").strip() for row in rows
            }
    except (OSError, ValueError, csv.Error) as error:
        raise SparringError(
            f"'{path}' cannot be read as labels: {error}; expected a CSV with the header file,label"
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


def labels_in_proportion(data: Dataset, n: int) -> Tensor | None:
    """Return labels in the proportions of the training data, None when unconditional.

    In random order: data often come sorted by class, and the first labels must stand for all.
    """
    if data.labels is None:
        return None
    order = data.train[permutation(LABEL_SEED, "labels", len(data.train))]
    return torch.from_numpy(data.labels[order[np.arange(n) % len(order)]])
