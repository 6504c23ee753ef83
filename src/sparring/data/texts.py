"""Text data: lines to symbols in places and back, described by a spec.

Inside: `open_texts`, which lines and symbols are used, and the codec. Not inside: reading files
(`text_files`).

Items are numbers of symbols, int16 (n, length); 0 is the end, and fills what comes after it.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from sparring.data import labels as label_names
from sparring.data import split
from sparring.data.dataset import Dataset, silent
from sparring.data.named import TEXTS, named_lines
from sparring.data.options import DataOptions
from sparring.data.pack import Progress, Skipped
from sparring.data.text_files import Lines, part_of, read_lines
from sparring.errors import SparringError
from sparring.spec import TextSpec, UnicodeForm, Units

FEWEST = 20  # texts
RARE = 5  # texts that a character must be in
MOST_SYMBOLS = {"characters": 8_000, "words": 5_000, "pieces": 512}
LONGEST = {"characters": 64, "words": 32, "pieces": 48}  # unless another length is asked for
MOST_NAMED = 1_000  # texts of each sort that are named as left out
COVERED = 0.95  # share of texts that fit
WHOLE = 0.8  # share of texts that a vocabulary of words must spell
LONG_LINE = 64  # characters: of longer median lines, words may be the better unit
KINDS = "FILE.txt with a text a line, FILE.csv:column, FILE.jsonl:key, or a folder of .txt files"
Texts = Sequence[str]


def open_texts(source: Any, options: DataOptions, *, progress: Progress = silent) -> Dataset:
    """Read a named set, a file, a folder of files or a list of texts.

    Lines that cannot be used are named in `skipped`; repeated ones are used once.

    Raises:
        SparringError: the source cannot be read, or too few texts are left.
    """
    name, lines = _read(source, options)
    lines, notes = _plain(lines, options)
    units = _units(lines.texts, options)
    symbols, symbol_notes = _symbols(lines.texts, units, options)
    spec = TextSpec(symbols, 0, units, options.normalise)
    codes, kept, length, code_notes, skipped = _coded(lines.texts, spec, options)
    if len(kept) < FEWEST:
        raise SparringError(
            f"'{name}' holds {len(kept)} usable texts of {len(lines.texts)}; expected {FEWEST} or "
            f"more: {KINDS}"
        )
    labels, classes, label_notes = _labels(lines, kept, source, options)
    hashes = split.digests(codes, progress)
    divided = split.divide(hashes, options.held_out, None)
    return Dataset(
        name=name,
        spec=TextSpec(symbols, length, units, options.normalise, classes),
        items=codes,
        labels=labels,
        train=divided.train,
        held_out=divided.held_out,
        skipped=(*lines.skipped, *skipped),
        notes=(*notes, *symbol_notes, *code_notes, *label_notes, *divided.notes),
        fingerprint=split.fingerprint(hashes, codes.shape, labels, divided),
    )


def encode(items: Tensor, spec: TextSpec) -> Tensor:
    """Turn numbers of symbols (n, length) into one-hot columns (n, symbols, length)."""
    return one_hot(items.long(), len(spec.symbols)).transpose(1, 2).float()


def decode(samples: Tensor, spec: TextSpec) -> Tensor:
    """Turn columns (n, symbols, length) into the numbers of their largest entries, int16."""
    return samples.argmax(1).to(torch.int16)


def texts_of(items: NDArray[Any] | Tensor, spec: TextSpec) -> list[str]:
    """Return the texts that numbers of symbols (n, length) spell, up to the first end."""
    between = " " if spec.units == "words" else ""
    found = []
    for row in np.asarray(items).tolist():
        stop = row.index(0) if 0 in row else len(row)
        found.append(between.join(spec.symbols[i] for i in row[:stop]).strip())
    return found


def describe(spec: TextSpec) -> str:
    """Say in a few words what one text is."""
    classes = f", {len(spec.classes)} classes" if spec.classes else ""
    symbols = f"{len(spec.symbols) - 1:,} {'different ' * (spec.units != 'pieces')}{spec.units}"
    return f"up to {spec.length - 1} {spec.units}, {symbols}{classes}"


def normalised(text: str, form: UnicodeForm) -> str:
    """Return a text in a form of Unicode, blanks collapsed, nothing at its ends."""
    plain = text if form == "as it is" else unicodedata.normalize(form, text)
    return " ".join(plain.split())


def cutter(spec: TextSpec) -> Callable[[str], list[int] | None]:
    """Return what cuts a text into numbers of symbols; None where it has an unknown one."""
    number = {symbol: i for i, symbol in enumerate(spec.symbols) if i}

    def characters(text: str) -> list[int] | None:
        found = [number.get(c) for c in text]
        return None if None in found else [i for i in found if i is not None]

    def words(text: str) -> list[int] | None:
        found = [number.get(word) for word in text.split()]
        return None if None in found else [i for i in found if i is not None]

    longest_first = sorted(number, key=lambda piece: (-len(piece), piece))
    pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def pieces(text: str) -> list[int] | None:
        found = pattern.findall(text)
        return [number[piece] for piece in found] if sum(map(len, found)) == len(text) else None

    return {"characters": characters, "words": words, "pieces": pieces}[spec.units]


def _read(source: Any, options: DataOptions) -> tuple[str, Lines]:
    if isinstance(source, str) and source in TEXTS:
        return source, named_lines(source)
    if isinstance(source, list | tuple):
        if not all(isinstance(text, str) for text in source):
            raise SparringError("a list holds other things than texts; expected only texts")
        return "list", Lines(tuple(source), None, ())
    part = part_of(source) if isinstance(source, str | Path) else None
    if part is None:
        raise SparringError(f"'{source}' is not text that can be read; expected {KINDS}")
    return part.path.resolve().name.split(".")[0] or "texts", read_lines(part)


def _plain(lines: Lines, options: DataOptions) -> tuple[Lines, list[str]]:
    """Return each different text once, normalised, with its first label."""
    made = [normalised(text, options.normalise) for text in lines.texts]
    firsts = {text: i for i, text in reversed(list(enumerate(made))) if text}
    kept = sorted(firsts.values())
    notes = []
    if empty := sum(not text for text in made):
        notes.append(f"{empty:,} of {len(made):,} lines are empty")
    if repeated := len(made) - empty - len(kept):
        notes.append(f"{repeated:,} of {len(made):,} texts repeat an earlier one and are left out")
    if changed := sum(a.strip() != b for a, b in zip(lines.texts, made, strict=True)):
        form = "" if options.normalise == "as it is" else f" or brought to {options.normalise}"
        notes.append(f"{changed:,} texts have blanks collapsed{form}")
    labels = None if lines.labels is None else tuple(lines.labels[i] for i in kept)
    return Lines(tuple(made[i] for i in kept), labels, lines.skipped), notes


def _units(texts: Texts, options: DataOptions) -> Units:
    if options.units != "auto":
        return options.units
    median = float(np.median([len(text) for text in texts])) if texts else 0
    if median <= LONG_LINE:
        return "characters"
    kept = set(_symbols(texts, "words", options)[0])
    whole = sum(kept.issuperset(text.split()) for text in texts)
    return "words" if whole >= WHOLE * len(texts) else "characters"


def _symbols(texts: Texts, units: Units, options: DataOptions) -> tuple[tuple[str, ...], list[str]]:
    """Return the end and the symbols in use, the most frequent first of equals by spelling."""
    if units == "pieces":
        return ("", *_pieces(texts, options.vocabulary or MOST_SYMBOLS[units])), []
    cut: Callable[[str], Iterable[str]] = set if units == "characters" else _different_words
    counts = Counter(symbol for text in texts for symbol in cut(text))
    rare = RARE if len(texts) >= 100 * RARE else 1
    most = options.vocabulary or MOST_SYMBOLS[units]
    order = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    kept = [symbol for symbol in order if counts[symbol] >= rare][:most]
    left = len(counts) - len(kept)
    notes = [f"{left:,} {units} are rare (in fewer than {rare} texts) or too many"] if left else []
    return ("", *sorted(kept)), notes


def _different_words(text: str) -> set[str]:
    return set(text.split())


def _pieces(texts: Texts, most: int) -> list[str]:
    """Learn a byte-pair vocabulary of characters and their frequent sequences (Sennrich 2016)."""
    try:
        from tokenizers import Tokenizer, models, trainers
    except ImportError:
        raise SparringError(
            "pieces need the package tokenizers; install: pip install 'sparring[pieces]'"
        ) from None
    learner = Tokenizer(models.BPE())
    learner.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=most, min_frequency=RARE, show_progress=False)
    )
    return sorted(learner.get_vocab())


def _coded(
    texts: Texts, spec: TextSpec, options: DataOptions
) -> tuple[NDArray[np.int16], list[int], int, list[str], list[Skipped]]:
    """Return numbers of symbols, which texts these are, the places, notes and what is left out."""
    cut = cutter(spec)
    found = [cut(text) for text in texts]
    known = [(i, codes) for i, codes in enumerate(found) if codes]
    if not known:
        return np.zeros((0, 1), np.int16), [], 1, [], []
    sizes = np.array([len(codes) for _, codes in known])
    usual = int(np.quantile(sizes, COVERED, method="higher"))
    longest = options.length or min(usual, LONGEST[spec.units])
    kept = [(i, codes) for i, codes in known if len(codes) <= longest]
    length = max((len(codes) for _, codes in kept), default=0) + 1
    items = np.zeros((len(kept), length), np.int16)
    for row, (_, codes) in zip(items, kept, strict=True):
        row[: len(codes)] = codes
    middle, most = int(np.median(sizes)), int(sizes.max())
    notes = [f"texts have {sizes.min()} to {most} {spec.units} (median {middle})"]
    if longer := len(known) - len(kept):
        notes.append(f"{longer:,} texts of more than {longest} are left out; --length changes it")
    if unknown := len(texts) - len(known):
        notes.append(f"{unknown:,} texts with rare {spec.units} are left out")
    left = [Skipped(texts[i], "rare symbols") for i, codes in enumerate(found) if not codes][:1000]
    left += [Skipped(texts[i], f"{len(c)} {spec.units}") for i, c in known if len(c) > longest][
        :1000
    ]
    return items, [i for i, _ in kept], length, notes, left


def _labels(
    lines: Lines, kept: Sequence[int], source: Any, options: DataOptions
) -> tuple[NDArray[np.int64] | None, tuple[str, ...], list[str]]:
    named = isinstance(source, str) and source in TEXTS
    if options.labels not in ("auto", "yes", "none"):
        raise SparringError(
            f"labels '{options.labels}' is not a choice for texts; expected auto, yes or none: "
            "name the column, FILE.csv:text:label, or give a folder of .txt files"
        )
    if lines.labels is None or options.labels == "none" or (named and options.labels == "auto"):
        if options.labels == "yes":
            raise SparringError(
                "labels 'yes', but these texts have none; write FILE.csv:text:label"
            )
        return None, (), [label_names.UNUSED] * (lines.labels is not None)
    labels, classes = label_names.indices([lines.labels[i] for i in kept])
    if len(classes) < 2:
        raise SparringError(f"all texts have the label '{classes[0]}'; expected two or more")
    return labels, classes, []
