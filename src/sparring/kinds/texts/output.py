"""Texts as people get them: such as they ask for, a text a line, or with labels as JSON lines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.data.dataset import Dataset
from sparring.data.output import (
    FEATURE,
    Media,
    draw_items,
    preview_samples,
    refuse_walk,
    training_items,
    unsupported,
    write_file,
)
from sparring.data.pack import Progress
from sparring.errors import SparringError
from sparring.kinds.texts.codec import decode, normalise, texts_of
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.options import TextRequests
from sparring.kinds.texts.spec import TextSpec
from sparring.runs.folder import write_bytes
from sparring.sampling import SampleRequest, class_labels
from sparring.sampling import sample as draw_samples
from sparring.training.state import State

CURVE = "Quality against diversity at several temperatures, with 95 % intervals."
TYPICAL = "The most typical samples: nearest to held-out texts, as these lie to each other."
UNTYPICAL = "The least typical samples: farthest from all held-out texts."
NEAREST = "First the samples nearest to any training text, then those training texts."
MISSED = "Real texts that no sample comes near: what the generator makes too seldom."
MEDIA = Media(
    figures={"evaluation-curve.png": CURVE, **FEATURE},
    texts={
        "evaluation-typical.txt": TYPICAL,
        "evaluation-untypical.txt": UNTYPICAL,
        "evaluation-nearest.txt": NEAREST,
        "evaluation-missed.txt": MISSED,
    },
)
PREVIEW_ROWS = 1
PREVIEWED = 60  # texts
PROPOSED = 1024  # texts at once
MAX_FRUITLESS = 20  # proposals in a row without a single text


def sample(
    generator: nn.Module,
    spec: TextSpec,
    request: SampleRequest,
    *,
    data: Callable[[], Dataset] | None,
    progress: Progress,
) -> Tensor:
    """Return n texts as numbers of symbols, int16 (n, length), that are as asked for."""
    own: TextRequests = request.own
    _set_temperature(generator, own.temperature)
    chosen_by = _filters(own)
    if not chosen_by:
        return draw_items(generator, spec, request, decode, progress)
    refuse_walk(request, chosen_by[0])
    return _sample_filtered(generator, spec, request, _training_texts(data, spec, own), progress)


def _filters(own: TextRequests) -> list[str]:
    """Return the names of what leaves out texts."""
    return [name for name in ("like", "novel", "unique") if getattr(own, name)]


def _training_texts(
    data: Callable[[], Dataset] | None, spec: TextSpec, own: TextRequests
) -> set[str]:
    """Return the texts that are not novel, if novel ones are asked for."""
    if not own.novel:
        return set()
    if data is None:
        raise SparringError("novel texts need the training data beside; draw them from a run")
    source = data()
    return set(texts_of(source.items[source.train], spec))


def _sample_filtered(
    generator: nn.Module,
    spec: TextSpec,
    request: SampleRequest,
    excluded: set[str],
    progress: Progress,
) -> Tensor:
    """Return those of the texts that plain sampling gives, in their order, that are as asked for.

    Raises:
        SparringError: hardly any is.
    """
    own, n = request.own, request.n
    beginning = normalise(own.like, spec.form)
    chosen: list[Tensor] = []
    proposals = fruitless = 0
    while len(chosen) < n:
        before = len(chosen)
        items = _proposed(generator, spec, request, PROPOSED * proposals)
        for item, text in zip(items, texts_of(items, spec), strict=True):
            if text.startswith(beginning) and text not in excluded:
                chosen.append(item)
                if own.unique:
                    excluded.add(text)
        proposals += 1
        fruitless = 0 if len(chosen) > before else fruitless + 1
        progress("texts", min(len(chosen), n), n)
        if fruitless == MAX_FRUITLESS:
            raise SparringError(
                f"only {len(chosen):,} of {PROPOSED * proposals:,} texts match; "
                f"relax {' or '.join(f'--{name}' for name in _filters(own))}, or lower -n"
            )
    return torch.stack(chosen[:n])


def _proposed(generator: nn.Module, spec: TextSpec, request: SampleRequest, start: int) -> Tensor:
    parts = draw_samples(
        generator,
        PROPOSED,
        seed=request.seed,
        labels=class_labels(spec, PROPOSED, request.label),
        truncation=request.truncation,
        start=start,
    )
    return torch.cat([decode(part, spec) for part in parts])


def _set_temperature(generator: nn.Module, temperature: float) -> None:
    if temperature == 1:
        return
    if not isinstance(generator, RecurrentGenerator):
        raise SparringError("only recurrent generators have a temperature; use --truncation")
    if not 0.01 <= temperature <= 10:
        raise SparringError(f"temperature {temperature}; expected 0.01 to 10")
    generator.temperature = temperature


def write_real(folder: Path, data: Dataset, spec: TextSpec, seed: int) -> None:
    """Write training texts as `real.txt`."""
    items = training_items(data, seed, min(PREVIEWED, len(data.train)))
    write_bytes(folder / "real.txt", _lines(texts_of(items, spec)))


def write_fake(path: Path, state: State, data: Dataset, spec: TextSpec, seed: int) -> Path:
    """Write samples as `.txt`; return its path."""
    items = decode(preview_samples(state, spec, PREVIEWED), spec)
    file = path.with_suffix(".txt")
    write_bytes(file, _lines(texts_of(items, spec)))
    return file


def write_picture(
    items: NDArray[Any], spec: TextSpec, path: Path, columns: int | None = None
) -> None:
    """Write a list of texts in place of a picture, into a `.txt` file."""
    write_file(path.with_suffix(".txt"), _lines(texts_of(items, spec)))


def save(samples: Any, spec: TextSpec, path: Path, labels: Tensor | None, own: Any) -> None:
    """Write texts, strings or numbers of symbols, as `.txt` or `.jsonl`, or into a folder.

    Raises:
        SparringError: the suffix is none of these.
    """
    texts = samples if isinstance(samples, list) else texts_of(np.asarray(samples), spec)
    match path.suffix.lower():
        case ".jsonl":
            rows: list[dict[str, str]] = [{"text": text} for text in texts]
            if labels is not None:
                for row, label in zip(rows, labels.tolist(), strict=True):
                    row["label"] = spec.classes[label]
            write_file(path, _lines([json.dumps(row, ensure_ascii=False) for row in rows]))
        case ".txt" | "":
            write_file(path if path.suffix else path / "samples.txt", _lines(texts))
        case other:
            raise unsupported(other, ".txt, .jsonl or a folder")


def _lines(texts: list[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()
