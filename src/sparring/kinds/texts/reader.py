"""Texts as data: lines to symbols in places, described by a spec.

Inside: `open_data`, and which lines and symbols are used. Not inside: reading files (`lines`).

Items are numbers of symbols, int16 (n, length); 0 is the end, and fills what comes after it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.data import labels as label_names
from sparring.data import sources, split
from sparring.data.dataset import Dataset, no_progress, to_dataset
from sparring.data.pack import LoadedItems, Progress, Skipped
from sparring.errors import SparringError, listed
from sparring.kinds.texts.codec import normalise, tokenizer
from sparring.kinds.texts.lines import (
    LISTED_KEY,
    TextRecords,
    listed_texts,
    parse_source,
    read_texts,
    write_listed,
)
from sparring.kinds.texts.named import read_named
from sparring.kinds.texts.options import NAMED_SETS, TextOptions
from sparring.kinds.texts.spec import TextSpec, Units
from sparring.runs.folder import RULES

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
    """Tell whether a source is a list of texts, a named set, or part of a text file or folder."""
    if isinstance(source, list):
        return any(isinstance(text, str) for text in source)
    return isinstance(source, str | Path) and (
        source in NAMED_SETS or parse_source(source) is not None
    )


def keep(source: Any, options: TextOptions, folder: Path) -> str:
    """Return where a resume finds the source again; a list is written down."""
    if isinstance(source, list):
        with sources.kept_file(folder / "data.jsonl") as beside:
            write_listed(source, beside)
        return f"{(folder / 'data.jsonl').resolve()}:{LISTED_KEY}"
    part = None if source in NAMED_SETS else parse_source(source)
    if part is None:
        return sources.keep(source, folder, NAMED_SETS)
    return ":".join([str(part.path.resolve()), *filter(None, (part.column, part.label))])


def open_data(
    source: Any,
    options: TextOptions,
    *,
    spec: TextSpec | None = None,
    cache: Path | None = None,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
    rules: int = RULES,
) -> Dataset:
    """Read a named set, a file, a folder of files or a list of texts.

    Lines that cannot be used are named in `skipped`; repeated ones are used once. With a spec, that
    leaves out texts of symbols that it has not, and longer ones; a note says how many.

    Raises:
        SparringError: the source cannot be read, or too few texts are left.
    """
    name, records = read(source, options)
    group_notes = [] if records.groups else _ungrouped(name, options, given=spec is not None)
    if spec:
        options = decided(options, spec)
    records, notes = _distinct(records, options)
    texts = records.texts
    divided = _divided(records, options)
    seen = [texts[i] for i in divided.train]
    alphabet, symbol_notes = (spec, []) if spec else _alphabet(seen, options)
    coded = _encode(texts, divided, alphabet, options)
    if len(coded.items) < MIN_TEXTS:
        why = "; ".join(coded.notes) if spec else ""
        raise SparringError(
            f"'{name}' holds {len(coded.items)} usable texts of {len(texts)}; expected "
            f"{MIN_TEXTS} or more: {why or ACCEPTED_SOURCES}"
        )
    labels, classes, label_notes = _labels(records, coded.used, source, options)
    loaded = LoadedItems(coded.items, labels, classes, (*records.skipped, *coded.skipped))
    if spec:
        loaded = label_names.matched(name, loaded, spec.classes)
    elif len(classes) == 1:
        raise SparringError(f"all texts have the label '{classes[0]}'; expected two or more")
    hashes = split.digests(loaded.items, progress)
    divided = (
        split.divide(hashes, options.held_out, None)
        if rules == 1
        else split.among(divided, coded.used)
    )
    spec = replace(alphabet, length=loaded.items.shape[1], classes=loaded.classes)
    told = split.note_groups(divided, "texts", options.groups)
    notes = [*notes, *symbol_notes, *coded.notes, *label_notes, *group_notes, *divided.notes, *told]
    return to_dataset(name, spec, loaded, divided, hashes, notes)


def decided(options: TextOptions, spec: TextSpec) -> TextOptions:
    """Return options with the units, the length and the largest vocabulary that were decided."""
    return replace(
        options,
        units=spec.units,
        length=spec.length - 1,
        vocabulary=options.vocabulary or MAX_SYMBOLS[spec.units],
        normalise=spec.form,
    )


def read(source: Any, options: TextOptions) -> tuple[str, TextRecords]:
    """Return a short name for a source, and its texts as they are."""
    if isinstance(source, str) and source in NAMED_SETS:
        return source, read_named(source)
    if isinstance(source, list):
        return "list", listed_texts(source)
    if not isinstance(source, str | Path):
        raise sources.unusable("texts are", source, f"{ACCEPTED_SOURCES}, or a list")
    part = parse_source(source)
    if part is None:
        raise SparringError(f"'{source}' is not text that can be read; expected {ACCEPTED_SOURCES}")
    return sources.short_name(part.path, "texts"), read_texts(replace(part, group=options.groups))


def _ungrouped(name: str, options: TextOptions, *, given: bool) -> list[str]:
    have = "expected a column of FILE.csv:column, or a key of FILE.jsonl:key"
    return sources.without_groups(options.groups, f"'{name}'", have, given=given)


def _divided(records: TextRecords, options: TextOptions) -> split.Split:
    """Return the split of texts that are all different: by themselves, or by stated groups.

    It comes before symbols and length, which are those of training texts.
    """
    hashes = split.digests_of(text.encode() for text in records.texts)
    groups = None if records.groups is None else split.stated(records.groups)
    return split.hold_out(hashes, options.held_out, groups=groups)


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
    labels, groups = (
        of and tuple(of[i] for i in distinct) for of in (records.labels, records.groups)
    )
    chosen = tuple(texts[i] for i in distinct)
    return TextRecords(chosen, labels, records.skipped, groups), notes


def _alphabet(texts: Texts, options: TextOptions) -> tuple[TextSpec, list[str]]:
    """Return the symbols in use, as a spec without a length, and notes."""
    units = units_of(texts, options)
    symbols, notes = _symbols(texts, units, options)
    return TextSpec(symbols, 0, units, options.normalise), notes


def units_of(texts: Texts, options: TextOptions) -> Units:
    """Return the units that are asked for, or that suit texts of this length."""
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


def _encode(
    texts: Texts, divided: split.Split, alphabet: TextSpec, options: TextOptions
) -> _CodedTexts:
    """Turn texts of known symbols that are not too long into numbers of symbols.

    Without a length, which a spec of no run has not yet, they get as many places as training texts
    take.
    """
    tokenize = tokenizer(alphabet)
    all_codes = [tokenize(text) for text in texts]
    max_length = alphabet.length - 1
    if not alphabet.length:
        max_length = _usual_length([all_codes[i] for i in divided.train], alphabet.units, options)
    used = [i for i, codes in enumerate(all_codes) if codes and len(codes) <= max_length]
    rows = _to_rows([codes for i in used if (codes := all_codes[i])], max_length + 1)
    unknown = [i for i, codes in enumerate(all_codes) if not codes]
    long = [
        Skipped(text, f"{len(codes)} {alphabet.units}")
        for text, codes in zip(texts, all_codes, strict=True)
        if codes and len(codes) > max_length
    ]
    reason = f"unknown {alphabet.units}" if alphabet.length else "rare symbols"
    skipped = [Skipped(texts[i], reason) for i in unknown[:MAX_NAMED_SKIPPED]]
    if alphabet.length:
        notes = _notes_of_a_run(texts, [texts[i] for i in unknown], len(long), alphabet)
    else:
        sizes = np.array([len(codes) for codes in all_codes if codes])
        held_out = len({*unknown} & {*divided.held_out.tolist()})
        notes = _notes(sizes, (len(unknown), held_out), len(long), max_length, alphabet.units)
    return _CodedTexts(rows, used, notes, skipped + long[:MAX_NAMED_SKIPPED])


def _usual_length(codes: Sequence[Sequence[int] | None], units: Units, options: TextOptions) -> int:
    """Return how many symbols texts have at most that are not too long; 0 of none.

    Too long is what is longer than asked for, or than nearly all are.
    """
    sizes = np.array([len(of_one) for of_one in codes if of_one])
    if not len(sizes):
        return 0
    usual = min(int(np.quantile(sizes, COVERED_SHARE, method="higher")), MAX_LENGTH[units])
    return int(sizes[sizes <= (options.length or usual)].max(initial=0))


def _notes(
    sizes: NDArray[np.int64], unknown: tuple[int, int], longer: int, max_length: int, units: Units
) -> list[str]:
    """Say how long texts are, and how many are left out; `unknown` counts all and held-out ones."""
    if not len(sizes):
        return []
    middle = int(np.median(sizes))
    notes = [f"texts have {sizes.min()} to {sizes.max()} {units} (median {middle})"]
    if longer:
        notes.append(
            f"{longer:,} texts of more than {max_length} are left out; --length changes it"
        )
    if unknown[0]:
        notes.append(
            f"{unknown[0]:,} texts with {units} that few or no training texts have are left out, "
            f"{unknown[1]:,} of them held out"
        )
    return notes


def _notes_of_a_run(texts: Texts, unknown: Texts, longer: int, spec: TextSpec) -> list[str]:
    """Say how many texts a run with this spec can neither read nor make."""
    notes = []
    if unknown:
        notes.append(
            f"left out {len(unknown):,} of {len(texts):,} texts: the run does not know the "
            f"{spec.units} {listed(_unknown_symbols(unknown, spec))}"
        )
    if longer:
        notes.append(
            f"left out {longer:,} of {len(texts):,} texts: they are longer than the "
            f"{spec.length - 1} {spec.units} that the run makes"
        )
    return notes


def _unknown_symbols(texts: Texts, spec: TextSpec) -> list[str]:
    """Return what of texts is in no symbol, the most frequent first."""
    known = set(spec.symbols if spec.units == "words" else "".join(spec.symbols))
    parts = (text.split() if spec.units == "words" else text for text in texts)
    counts = Counter(part for text in parts for part in text if part not in known)
    return [part for part, _ in counts.most_common()]


def _to_rows(texts: Sequence[Sequence[int]], length: int) -> NDArray[np.int16]:
    """Return numbers of symbols (n, length), each row with its end."""
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
    return labels, classes, []
