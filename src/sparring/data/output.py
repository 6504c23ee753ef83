"""What the `output` parts of all kinds share: items to show, sheets of them, files they go to.

Not inside: what one kind draws, or which suffixes it writes (`kinds/*/output.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.data.pack import Progress
from sparring.data.stream import positions
from sparring.errors import SparringError
from sparring.runs.folder import write_bytes
from sparring.sampling import SampleRequest, class_labels, sample
from sparring.spec import Spec
from sparring.training.state import State

S = TypeVar("S", bound=Spec)

SHEET_ROWS = 8
MAX_COLUMNS = 10  # of a sheet with a column for each class
MAX_ON_SHEET = 100  # samples of the sheet beside saved ones

# Pictures of an evaluation that most kinds share, and their captions.
FEATURE = {"evaluation-feature.png": "The feature in which samples and real data differ most."}
SHEETS = {
    "evaluation-typical.png": (
        "The most typical samples: nearest to held-out data, as these lie to each other."
    ),
    "evaluation-untypical.png": "The least typical samples: farthest from all held-out data.",
    "evaluation-nearest.png": (
        "Above, the samples nearest to any training item; below, those items. Twins mean copying."
    ),
    "evaluation-missed.png": (
        "Real data that no sample comes near: what the generator makes too seldom."
    ),
}


@dataclass(frozen=True)
class Media:
    """What of a run's folder of samples a report shows beside previews, in its order."""

    figures: Mapping[str, str]  # names of PNG files of an evaluation: captions
    texts: Mapping[str, str] = field(default_factory=dict)  # of files of a text a line: captions
    players: Mapping[str, str] = field(default_factory=dict)  # patterns of WAV files: captions


def draw_items(
    generator: nn.Module,
    spec: S,
    request: SampleRequest,
    decode: Callable[[Tensor, S], Tensor],
    progress: Progress,
) -> Tensor:
    """Return n items as a request asks of any kind."""
    items: list[Tensor] = []
    for fakes in sample(
        generator,
        request.n,
        seed=request.seed,
        labels=class_labels(spec, request.n, request.label, between=request.between),
        truncation=request.truncation,
        between=request.between,
    ):
        items.append(decode(fakes, spec))
        progress("samples", sum(map(len, items)), request.n)
    return torch.cat(items)


def refuse_walk(request: SampleRequest, asked: str) -> None:
    """Raise if steps between two samples are asked for, of which none can be chosen by a wish."""
    if request.between:
        raise SparringError(
            f"'between' takes every step from one sample to another; it does not go with '{asked}'"
        )


def preview_samples(state: State, spec: Spec, n: int) -> Tensor:
    """Return encoded samples of the latents that all previews of a run show."""
    return torch.cat(list(sample(state.ema, n, labels=sheet_labels(spec, n))))


def training_items(data: Dataset, seed: int, n: int) -> NDArray[Any]:
    """Return n training items, the same ones each time."""
    return data.items[data.train[positions(len(data.train), seed, 0, n)]]


def sheet_columns(spec: Spec) -> int:
    """Return the columns of a sheet: one for each class, where there are any."""
    return min(len(spec.classes), MAX_COLUMNS) or SHEET_ROWS


def sheet_labels(spec: Spec, n: int) -> Tensor | None:
    """Return labels that repeat across each row of a sheet, None when unconditional."""
    return torch.arange(n) % sheet_columns(spec) if spec.classes else None


def write_file(path: Path, content: bytes) -> None:
    """Write a file, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)


def npz_bytes(labels: Tensor | None, **arrays: NDArray[Any]) -> bytes:
    """Return arrays, and labels where there are any, as the content of an `.npz` file."""
    buffer = BytesIO()
    if labels is not None:
        arrays["labels"] = labels.numpy()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def unsupported(suffix: str, expected: str) -> SparringError:
    """Return the refusal of a file whose suffix names no format of this kind."""
    return SparringError(f"cannot write '{suffix}' files; use {expected}")
