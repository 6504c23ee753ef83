"""Tables as data: rows to items with a split.

Items of a table are arrays of its cells, see `codec`. Values and categories are those of training
rows; held-out cells that have no code of their own are kept as they are beside it, for judging.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.data import sources, split
from sparring.data.dataset import Dataset, no_progress, to_dataset
from sparring.data.pack import LoadedItems, Progress, Skipped
from sparring.data.split import fingerprint
from sparring.errors import nearest
from sparring.kinds.tables import frames
from sparring.kinds.tables.codec import encode, spread
from sparring.kinds.tables.columns import Frame, exact, read_cells
from sparring.kinds.tables.files import read_delimited, read_table, suffix_of
from sparring.kinds.tables.files.cells import CellOptions, CellsRead
from sparring.kinds.tables.given import GivenRows, match_rows, unknown_categories
from sparring.kinds.tables.keeping import joint_cells, kept
from sparring.kinds.tables.named import named_table
from sparring.kinds.tables.offers import offers
from sparring.kinds.tables.options import NAMED_SETS, SUFFIXES, TableOptions
from sparring.kinds.tables.related import notes as related_notes
from sparring.kinds.tables.related import with_relations
from sparring.kinds.tables.rules import Rule, check, obeyed, on_sources, parse_rules, with_numbers
from sparring.kinds.tables.spec import Column, TableSpec
from sparring.kinds.tables.types import as_private, fit, told_types
from sparring.kinds.tables.typing_file import Typing, inline, is_there, typing_of, write
from sparring.runs.folder import RULES

NAMED_MISSING = ("NA",)  # in R's tables
MISSING_IN_0_1 = (  # pandas' own
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)


def recognises(source: Any, others: frozenset[str] = frozenset()) -> bool:
    """Tell whether a source is a data frame, a named table or a file of one."""
    if not isinstance(source, str | Path):
        return frames.is_frame(source)
    return source in NAMED_SETS or "".join(suffix_of(source)) in SUFFIXES


def keep(source: Any, options: TableOptions, folder: Path) -> str:
    """Return where a resume finds the source again; a data frame is written down."""
    if not frames.is_frame(source):
        return sources.keep(source, folder, NAMED_SETS)
    copy = folder / "data.feather"
    frame, _ = frames.plain(source, typing_of(options).of("type"))
    frames.keep(frame, copy)
    return str(copy.resolve())


def open_data(
    source: str | Path | Frame,
    options: TableOptions,
    *,
    spec: TableSpec | None = None,
    cache: Path | None = None,
    progress: Progress = no_progress,
    sets: Sequence[str] = NAMED_SETS,
    rules: int = RULES,
) -> Dataset:
    """Read rows from a CSV, TSV or parquet file, a named set or a data frame.

    With a spec, columns are found by their names, in any order, and encoded by its quantiles and
    categories; see `given`.

    Raises:
        SparringError: the source is not a table, or a column is not what it was said to be, or what
            a given spec says.
    """
    typing = typing_of(options)
    options = replace(options, rule=typing.rules)
    name, table = load(source, options, spec, rules)
    origin = f"'{source}'" if isinstance(source, str | Path) else "the data frame"
    frame, owners, group_notes = apart(table.frame, options.groups, origin, given=spec is not None)
    progress("columns", 0, 1)
    if spec:
        rows = _keeping(match_rows(frame, spec, origin), spec, options)
        hashes = digests(rows.frame, spec.columns)
        divided = _divided(hashes, owners and [owners[i] for i in rows.frame.index], options, rules)
    else:
        ruled, columns = _typed(frame, typing, options, table)
        hashes = digests(ruled.frame, columns)
        divided = _divided(
            hashes, owners and [owners[i] for i in ruled.frame.index], options, rules
        )
        spec, rows = _fitted(ruled, columns, divided.train, options, table.delimiter)
    progress("columns", 1, 1)
    notes = table.notes
    if repeated := split.duplicates(hashes):
        notes = (*notes, f"{repeated:,} of {len(hashes):,} rows repeat an earlier one exactly")
    notes = (*notes, *divided.notes, *group_notes, *rows.notes)
    cells = joint_cells(read_cells(rows.coded, spec.columns, unknown=True), spec.learned)
    loaded = LoadedItems(np.hstack([cells, spread(len(cells), spec)]), skipped=rows.skipped)
    data = to_dataset(name, spec, loaded, divided, hashes, notes)
    told = fingerprint(hashes, (len(hashes), spec.size), None, divided)
    return replace(data, fingerprint=told, originals=exact(rows.coded, spec.columns))


def _typed(
    frame: Frame, typing: Typing, options: TableOptions, table: CellsRead
) -> tuple["_Ruled", tuple[Column, ...]]:
    """Return the rows of a table that keep rules, and what its columns are, not fitted yet."""
    chosen = typing.of("type")
    columns = told_types(frame, chosen, forms=typing.of("date_format"))
    ruled = rule_rows(frame, as_private(columns, [*typing.of("private")]), options, chosen)
    return ruled, _as_written(ruled.columns, table)


def _fitted(
    ruled: "_Ruled",
    columns: Sequence[Column],
    train: NDArray[np.int64],
    options: TableOptions,
    delimiter: str,
) -> tuple[TableSpec, GivenRows]:
    """Return the spec of a table, fitted to its training rows, and its rows with notes."""
    seen = ruled.frame.iloc[train]
    fitted = fit(ruled.frame, seen, columns)
    state = kept(fitted, read_cells(seen, fitted), ruled.rules)
    related = with_relations(state.columns, state.cells, state.relations, state.bounds)
    spec = TableSpec(related, rules=options.rule, delimiter=delimiter)
    offered = offers(state.cells, spec.learned)
    notes = (
        *(_describe(column) for column in spec.columns if not column.hidden),
        *unknown_categories(ruled.frame, spec),
        *ruled.notes,
        *state.notes(),
        *related_notes(spec.columns, state.cells),
        *offered,
        *written_types(options, spec, offered),
    )
    return spec, GivenRows(ruled.frame, ruled.frame, ruled.skipped, notes)


@dataclass(frozen=True, eq=False)
class _Ruled:
    """The rows of a table that keep rules, and what its columns then are."""

    frame: Frame
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


def rule_rows(
    frame: Frame, columns: tuple[Column, ...], options: TableOptions, chosen: Mapping[str, str]
) -> _Ruled:
    """Return the rows that keep the rules asked for, all unless breaking ones are dropped.

    Raises:
        SparringError: a rule cannot be read, or rows break it.
    """
    rules = parse_rules(options.rule, [column.name for column in columns])
    columns = with_numbers(columns, frame, rules, chosen)
    rules = on_sources(rules, columns)
    named = {name for rule in rules for name in rule.names}
    used = [column for column in columns if column.name in named and column.is_learned]
    if not used:
        return _Ruled(frame, columns, rules)
    fitted = fit(frame, frame, used)
    left_out, notes = check(
        rules, read_cells(frame, fitted), fitted, drop=options.breaking == "drop"
    )
    skipped = tuple(Skipped(f"row {row}", "breaks a rule") for row in np.flatnonzero(left_out))
    return _Ruled(frame[~left_out], columns, rules, skipped, tuple(notes))


def _keeping(rows: GivenRows, spec: TableSpec, options: TableOptions) -> GivenRows:
    """Return the rows that keep the rules of a run, or all, with a note on those that do not."""
    keep = obeyed(
        joint_cells(read_cells(rows.coded, spec.columns, unknown=True), spec.learned), spec
    )
    if not spec.rules or keep.all():
        return rows
    words = f"{(~keep).sum():,} of {len(keep):,} rows break a rule of the run"
    if options.breaking == "refuse":
        return replace(rows, notes=(*rows.notes, words))
    skipped = tuple(Skipped(f"row {row}", "breaks a rule") for row in rows.frame.index[~keep])
    notes = (*rows.notes, f"left out {words}")
    return GivenRows(rows.frame[keep], rows.coded[keep], (*rows.skipped, *skipped), notes)


def as_in_0_1(data: Dataset) -> Dataset:
    """Return data with items encoded, for programs of version 0.1 that put a game together."""
    assert isinstance(data.spec, TableSpec)
    return replace(data, items=encode(torch.from_numpy(data.items), data.spec).numpy())


def decided(options: TableOptions, spec: TableSpec) -> TableOptions:
    """Return the options with what a file says of columns; the others are what their cells say."""
    return replace(options, types=inline(options.types))


def written_types(options: TableOptions, spec: TableSpec, offered: Sequence[str]) -> list[str]:
    """Write what was decided of columns to the file that is asked for, if there is none; say so."""
    if not options.types or is_there(options):
        return []
    shown = [column for column in spec.columns if not column.hidden]
    write(Path(options.types), shown, options.rule, offered, missing_codes(options))
    return [f"what columns are is written to '{options.types}': edit it, and give it again"]


def load(
    source: str | Path | Frame,
    options: TableOptions,
    spec: TableSpec | None = None,
    rules: int = RULES,
) -> tuple[str, CellsRead]:
    """Return a short name for the source, and its table; with a spec, read as that of a run."""
    named = isinstance(source, str) and source in NAMED_SETS
    told = missing_codes(options)
    typing = typing_of(options)
    reading = CellOptions(
        missing=MISSING_IN_0_1 if rules == 1 else told or NAMED_MISSING * named,
        decimal=options.decimal,
        thousands=options.thousands,
        chosen=typing.of("type"),
        missing_of=typing.of("missing"),
        known=spec.by_name if spec else {},
    )
    if named:
        table = read_delimited(named_table(str(source)), str(source), reading)
        frame = table.frame.drop(columns="", errors="ignore")  # "": R's names of rows
        return str(source), replace(table, frame=frame)
    table = read_table(source, reading, options.encoding)
    if frames.is_frame(source):
        return "frame", table
    return sources.short_name(Path(source), "table"), table


def missing_codes(options: TableOptions) -> tuple[str, ...]:
    """Return the cells that are missing beside empty ones, as they are told for all columns."""
    return tuple(filter(None, (code.strip() for code in options.missing.split(","))))


def _as_written(columns: Sequence[Column], table: CellsRead) -> tuple[Column, ...]:
    """Return columns that write their cells as the table does."""
    return tuple(
        replace(c, form=table.forms.get(c.name), missing_word=table.words.get(c.name, ""))
        for c in columns
    )


def _divided(
    hashes: NDArray[np.uint8], owners: list[Any] | None, options: TableOptions, rules: int
) -> split.Split:
    """Return the split of rows: by content and occurrence, or by stated groups."""
    if rules == 1:
        return split.divide(hashes, options.held_out, None)
    groups = None if owners is None else split.stated(owners)
    divided = split.hold_out(hashes, options.held_out, groups=groups)
    notes = split.note_groups(divided, "rows", options.groups * (groups is not None))
    return replace(divided, notes=(*divided.notes, *notes))


def apart(
    frame: Frame, groups: str, origin: str, *, given: bool
) -> tuple[Frame, list[Any] | None, list[str]]:
    """Return rows numbered from 0 without the column that groups them, its cells, and notes.

    That column is not learned: no held-out row has a value of it that training has seen.
    """
    frame = frame.reset_index(drop=True)
    if not groups:
        return frame, None, []
    if groups not in frame.columns:
        hint = nearest(groups, [str(name) for name in frame.columns])
        have = f"it has no such column{hint}"
        return frame, None, sources.without_groups(groups, origin, have, given=given)
    cells, missing = frame[groups].tolist(), frame[groups].isna().tolist()
    owners = [None if gone else cell for cell, gone in zip(cells, missing, strict=True)]
    note = f"column '{groups}': says which rows belong together, and is not learned"
    return frame.drop(columns=groups), owners, [note]


def _describe(column: Column) -> str:
    return f"column '{column.name}': {column.note or column.kind}"


def digests(frame: Frame, columns: Sequence[Column]) -> NDArray[np.uint8]:
    """Return one hash (n, 16) of each row's learned cells, as a CSV file would have them."""
    names = [column.name for column in columns if column.is_learned and not column.hidden]
    file = BytesIO()
    frame.to_csv(file, columns=names, index=False, header=False, lineterminator="\x1e")
    lines = file.getvalue().split(b"\x1e")[: len(frame)]
    return split.digests_of(lines)
