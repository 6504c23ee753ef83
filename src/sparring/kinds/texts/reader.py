"""Texts as data: lines to symbols in places, described by a spec.

Inside: `open_data`, and which lines and symbols are used. Not inside: reading files (`lines`).

Items are numbers of symbols, int16 (n, length); 0 is the end, and fills what comes after it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data import labels as label_names
from sparring.data import sources, split
from sparring.data.dataset import Dataset, no_progress, to_dataset
from sparring.data.pack import LoadedItems, Progress, Skipped
from sparring.errors import SparringError
from sparring.kinds.texts.codec import normalise, tokenizer
from sparring.kinds.texts.lines import TextRecords, parse_source, read_texts
from sparring.kinds.texts.named import read_named
from sparring.kinds.texts.options import NAMED_SETS, TextOptions
from sparring.kinds.texts.spec import TextSpec, Units
from sparring.runs.folder import write_text

MIN_TEXTS = 20  # texts
MIN_TEXTS_PER_SYMBOL = 5  # texts that a character must be in
MAX_SYMBOLS = {"characters": 8_000, "words": 5_000, "pieces": 512}
MAX_LENGTH = {"characters": 64, "words": 32, "pieces": 48}  # unless another length is asked for
MAX_NAMED_SKIPPED = 1_000  # texts of each sort that are named as left out
COVERED_SHARE = 0.95  # share of texts that fit
MIN_SPELLED_SHARE = 0.8  # share of texts that a vocabulary of words must spell
MAX_CHARACTER_LINE = 64  # characters: of longer median lines, words may be the better unit
ACCEPTED_SOURCES = (
    "FILE.txt with a text a line, FILE.csv:column, FILE.jsonl:key, or a folder of .txt files"
)
Texts = Sequence[str]


@dataclass(frozen=True, eq=False)
class _CodedTexts:
    """The texts that can be used, as numbers of symbols."""

    items: NDArray[np.int16]  # (n, length), the end included
    used: list[int]  # which of all texts these are
    notes: list[str]
    skipped: list[Skipped]


def recognises(source: Any, others: frozenset[str] = frozenset()) -> bool:
    """Tell whether a source is a list, a named set, or part of a text file or folder."""
    if isinstance(source, list):
        return True
    return isinstance(source, str | Path) and (
        source in NAMED_SETS or parse_source(source) is not None
    )


def keep(source: Any, folder: Path) -> str:
    """Return where a resume finds the source again; a list is written down."""
    if isinstance(source, list):
        copy = folder / "data.txt"
        write_text(copy, "".join(f"{text}\n" for text in source))
        return str(copy.resolve())
    part = None if source in NAMED_SETS else parse_source(source)
    if part is None:
        return sources.keep(source, folder, NAMED_SETS)
    return ":".join([str(part.path.resolve()), *filter(None, (part.column, part.label))])


def open_data(
    source: Any,
    options: TextOptions,
    *,
    cache: Path | None = None,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
) -> Dataset:
    """Read a named set, a file, a folder of files or a list of texts.

    Lines that cannot be used are named in `skipped`; repeated ones are used once.

    Raises:
        SparringError: the source cannot be read, or too few texts are left.
    """
    name, records = _read(source, options)
    records, notes = _distinct(records, options)
    units = _units(records.texts, options)
    symbols, symbol_notes = _symbols(records.texts, units, options)
    coded = _encode(records.texts, TextSpec(symbols, 0, units, options.normalise), options)
    if len(coded.items) < MIN_TEXTS:
        raise SparringError(
            f"'{name}' holds {len(coded.items)} usable texts of {len(records.texts)}; expected "
            f"{MIN_TEXTS} or more: {ACCEPTED_SOURCES}"
        )
    labels, classes, label_notes = _labels(records, coded.used, source, options)
    loaded = LoadedItems(coded.items, labels, classes, (*records.skipped, *coded.skipped))
    hashes = split.digests(loaded.items, progress)
    divided = split.divide(hashes, options.held_out, None)
    spec = TextSpec(symbols, coded.items.shape[1], units, options.normalise, classes)
    notes = [*notes, *symbol_notes, *coded.notes, *label_notes, *divided.notes]
    return to_dataset(name, spec, loaded, divided, hashes, notes)


def _read(source: Any, options: TextOptions) -> tuple[str, TextRecords]:
    if isinstance(source, str) and source in NAMED_SETS:
        return source, read_named(source)
    if isinstance(source, list | tuple):
        if not all(isinstance(text, str) for text in source):
            raise SparringError("a list holds other things than texts; expected only texts")
        return "list", TextRecords(tuple(source), None, ())
    part = parse_source(source) if isinstance(source, str | Path) else None
    if part is None:
        raise SparringError(f"'{source}' is not text that can be read; expected {ACCEPTED_SOURCES}")
    return sources.short_name(part.path, "texts"), read_texts(part)


def _distinct(records: TextRecords, options: TextOptions) -> tuple[TextRecords, list[str]]:
    """Return each different text once, normalised, with its first label."""
    texts = [normalise(text, options.normalise) for text in records.texts]
    firsts = {text: i for i, text in reversed(list(enumerate(texts))) if text}
    distinct = sorted(firsts.values())
    notes = []
    if empty := sum(not text for text in texts):
        notes.append(f"{empty:,} of {len(texts):,} lines are empty")
    if repeated := len(texts) - empty - len(distinct):
        notes.append(f"{repeated:,} of {len(texts):,} texts repeat an earlier one and are left out")
    if changed := sum(a.strip() != b for a, b in zip(records.texts, texts, strict=True)):
        form = "" if options.normalise == "as it is" else f" or brought to {options.normalise}"
        notes.append(f"{changed:,} texts have blanks collapsed{form}")
    labels = None if records.labels is None else tuple(records.labels[i] for i in distinct)
    return TextRecords(tuple(texts[i] for i in distinct), labels, records.skipped), notes


def _units(texts: Texts, options: TextOptions) -> Units:
    if options.units != "auto":
        return options.units
    median = float(np.median([len(text) for text in texts])) if texts else 0
    if median <= MAX_CHARACTER_LINE:
        return "characters"
    vocabulary = set(_symbols(texts, "words", options)[0])
    spelled = sum(vocabulary.issuperset(text.split()) for text in texts)
    return "words" if spelled >= MIN_SPELLED_SHARE * len(texts) else "characters"


def _symbols(texts: Texts, units: Units, options: TextOptions) -> tuple[tuple[str, ...], list[str]]:
    """Return the end and the symbols in use, the most frequent first of equals by spelling."""
    if units == "pieces":
        return ("", *_pieces(texts, options.vocabulary or MAX_SYMBOLS[units])), []
    distinct: Callable[[str], Iterable[str]] = set if units == "characters" else _distinct_words
    counts = Counter(symbol for text in texts for symbol in distinct(text))
    min_texts = MIN_TEXTS_PER_SYMBOL if len(texts) >= 100 * MIN_TEXTS_PER_SYMBOL else 1
    max_symbols = options.vocabulary or MAX_SYMBOLS[units]
    order = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
    used = [symbol for symbol in order if counts[symbol] >= min_texts][:max_symbols]
    unused = len(counts) - len(used)
    note = f"{unused:,} {units} are rare (in fewer than {min_texts} texts) or too many"
    return ("", *sorted(used)), [note] if unused else []


def _distinct_words(text: str) -> set[str]:
    return set(text.split())


def _pieces(texts: Texts, max_symbols: int) -> list[str]:
    """Learn a byte-pair vocabulary of characters and their frequent sequences (Sennrich 2016)."""
    try:
        from tokenizers import Tokenizer, models, trainers
    except ImportError:
        raise SparringError(
            "pieces need the package tokenizers; install: pip install 'sparring[pieces]'"
        ) from None
    learner = Tokenizer(models.BPE())
    learner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=max_symbols, min_frequency=MIN_TEXTS_PER_SYMBOL, show_progress=False
        ),
    )
    return sorted(learner.get_vocab())


def _encode(texts: Texts, spec: TextSpec, options: TextOptions) -> _CodedTexts:
    """Turn texts that have no rare symbols and are not too long into numbers of symbols."""
    tokenize = tokenizer(spec)
    all_codes = [tokenize(text) for text in texts]
    spelled = [(i, codes) for i, codes in enumerate(all_codes) if codes]
    if not spelled:
        return _CodedTexts(np.zeros((0, 1), np.int16), [], [], [])
    sizes = np.array([len(codes) for _, codes in spelled])
    usual = int(np.quantile(sizes, COVERED_SHARE, method="higher"))
    max_length = options.length or min(usual, MAX_LENGTH[spec.units])
    fitting = [(i, codes) for i, codes in spelled if len(codes) <= max_length]
    middle, largest = int(np.median(sizes)), int(sizes.max())
    notes = [f"texts have {sizes.min()} to {largest} {spec.units} (median {middle})"]
    if longer := len(spelled) - len(fitting):
        notes.append(
            f"{longer:,} texts of more than {max_length} are left out; --length changes it"
        )
    if unknown := len(texts) - len(spelled):
        notes.append(f"{unknown:,} texts with rare {spec.units} are left out")
    rare = [Skipped(texts[i], "rare symbols") for i, codes in enumerate(all_codes) if not codes]
    long = [Skipped(texts[i], f"{len(c)} {spec.units}") for i, c in spelled if len(c) > max_length]
    skipped = rare[:MAX_NAMED_SKIPPED] + long[:MAX_NAMED_SKIPPED]
    return _CodedTexts(_to_rows([c for _, c in fitting]), [i for i, _ in fitting], notes, skipped)


def _to_rows(texts: Sequence[Sequence[int]]) -> NDArray[np.int16]:
    """Return numbers of symbols (n, length), each row with its end."""
    length = max(map(len, texts), default=0) + 1
    items = np.zeros((len(texts), length), np.int16)
    for row, codes in zip(items, texts, strict=True):
        row[: len(codes)] = codes
    return items


def _labels(
    records: TextRecords, used: Sequence[int], source: Any, options: TextOptions
) -> tuple[NDArray[np.int64] | None, tuple[str, ...], list[str]]:
    named = isinstance(source, str) and source in NAMED_SETS
    if options.labels not in ("auto", "yes", "none"):
        raise SparringError(
            f"labels '{options.labels}' is not a choice for texts; expected auto, yes or none: "
            "name the column, FILE.csv:text:label, or give a folder of .txt files"
        )
    if records.labels is None or options.labels == "none" or (named and options.labels == "auto"):
        if options.labels == "yes":
            raise SparringError(
                "labels 'yes', but these texts have none; write FILE.csv:text:label"
            )
        return None, (), [label_names.UNUSED] * (records.labels is not None)
    labels, classes = label_names.indices([records.labels[i] for i in used])
    if len(classes) < 2:
        raise SparringError(f"all texts have the label '{classes[0]}'; expected two or more")
    return labels, classes, []
