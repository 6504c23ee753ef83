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
from sparring.errors import SparringError, nearest
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
from sparring.kinds.tables.spec import COLUMN_KINDS, Column, TableSpec
from sparring.kinds.tables.types import fit, told_types
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
    frame, _ = frames.plain(source, chosen_types(options.column))
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
    chosen = chosen_types(options.column)
    name, table = load(source, options, spec, rules)
    origin = f"'{source}'" if isinstance(source, str | Path) else "the data frame"
    frame, owners, group_notes = apart(table.frame, options.groups, origin, given=spec is not None)
    progress("columns", 0, 1)
    if spec:
        rows = _keeping(match_rows(frame, spec, origin), spec, options)
        hashes = digests(rows.frame, spec.columns)
        divided = _divided(hashes, owners and [owners[i] for i in rows.frame.index], options, rules)
    else:
        forms = date_forms(options.date_format)
        ruled = rule_rows(frame, told_types(frame, chosen, forms=forms), options, chosen)
        frame, columns = ruled.frame, _as_written(ruled.columns, table)
        hashes = digests(frame, columns)
        divided = _divided(hashes, owners and [owners[i] for i in frame.index], options, rules)
        train = frame.iloc[divided.train]
        fitted = fit(frame, train, columns)
        state = kept(fitted, read_cells(train, fitted), ruled.rules)
        related = with_relations(state.columns, state.cells, state.relations, state.bounds)
        spec = TableSpec(related, rules=options.rule, delimiter=table.delimiter)
        notes_of_columns = (
            *(_describe(column) for column in spec.columns if not column.hidden),
            *unknown_categories(frame, spec),
            *ruled.notes,
            *state.notes(),
            *related_notes(spec.columns, state.cells),
            *offers(state.cells, spec.learned),
        )
        rows = GivenRows(frame, frame, ruled.skipped, notes_of_columns)
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
    """Return the options: columns of which no type is chosen are what their cells say."""
    return options


def chosen_types(texts: tuple[str, ...]) -> dict[str, str]:
    """Read `name=type`, one for each column whose type is chosen.

    Raises:
        SparringError: a text has no `=`.
    """
    chosen = {}
    for text in texts:
        name, equals, column_kind = text.rpartition("=")
        if not equals:
            raise SparringError(
                f"'{text}' chooses no type for a column; write --column name=type, where the type "
                f"is one of {', '.join(COLUMN_KINDS)}"
            )
        chosen[name] = column_kind
    return chosen


def date_forms(texts: tuple[str, ...]) -> dict[str, str]:
    """Read `name=form`, one for each column of dates whose form is chosen.

    Raises:
        SparringError: a text is not of this form.
    """
    forms = {}
    for text in texts:
        name, equals, form = text.partition("=%")
        if not equals:
            raise SparringError(
                f"'{text}' gives no form of dates; write --date-format name=%d/%m/%Y"
            )
        forms[name] = f"%{form}"
    return forms


def load(
    source: str | Path | Frame,
    options: TableOptions,
    spec: TableSpec | None = None,
    rules: int = RULES,
) -> tuple[str, CellsRead]:
    """Return a short name for the source, and its table; with a spec, read as that of a run."""
    named = isinstance(source, str) and source in NAMED_SETS
    told = tuple(filter(None, (code.strip() for code in options.missing.split(","))))
    reading = CellOptions(
        missing=MISSING_IN_0_1 if rules == 1 else told or NAMED_MISSING * named,
        decimal=options.decimal,
        thousands=options.thousands,
        chosen=chosen_types(options.column),
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
