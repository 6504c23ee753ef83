"""A file that says what columns are: written with what was decided, edited, and read by commands.

TOML: `rules = [...]`, and for each column a table `[columns.age]` of the keys of `ColumnTyping`, or
the type alone, `columns.age = "category"`.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import tomli_w

from sparring.errors import SparringError, nearest
from sparring.kinds.tables.options import TableOptions
from sparring.kinds.tables.spec import COLUMN_KINDS, Column
from sparring.runs.folder import write_text

SUFFIX = ".toml"
HEAD = """\
# What the columns of a table are. Edit this file, and give it to every command: --types {name}
# type: one of {kinds}
# date_format = "%d.%m.%Y" of dates; missing = ["-999", "?"] of cells that are missing;
# range = [0, 120] that all rows keep; private = true of numbers and dates of which no value comes
# back as it is; identifiers are made up anew, and text is left out.

"""


@dataclass(frozen=True)
class ColumnTyping:
    """What a person says of a column; what is left out is decided from its cells."""

    type: str = ""
    date_format: str = ""
    missing: tuple[str, ...] = ()  # cells that are missing, beside empty ones
    range: tuple[Any, ...] = ()  # the least and the largest value, both allowed
    private: bool = False  # whether no value of it comes back as it is


@dataclass(frozen=True)
class Typing:
    """What a person says of a table: columns by name, and rules that all rows keep."""

    columns: Mapping[str, ColumnTyping] = field(default_factory=dict)
    rules: tuple[str, ...] = ()

    def of(self, key: str) -> dict[str, Any]:
        """Return what is said under a key, by the names of columns."""
        said = {name: getattr(column, key) for name, column in self.columns.items()}
        return {name: value for name, value in said.items() if value}


def typing_of(options: TableOptions) -> Typing:
    """Return what options say of columns: their own words go before those of the file.

    Raises:
        SparringError: the file cannot be read, or says what it cannot.
    """
    typing = parse(_text(options.types), options.types) if is_there(options) else Typing()
    typing = Typing({n: c for n, c in typing.columns.items() if n != options.groups}, typing.rules)
    told = dict(typing.columns)
    for key, chosen in (
        ("type", chosen_types(options.column)),
        ("date_format", date_forms(options.date_format)),
    ):
        for name, value in chosen.items():
            told[name] = ColumnTyping(**{**vars(told.get(name, ColumnTyping())), key: value})
    ranges = (f"{low}<={_name(name)}<={high}" for name, (low, high) in typing.of("range").items())
    return Typing(told, tuple(dict.fromkeys((*options.rule, *typing.rules, *ranges))))


def is_there(options: TableOptions) -> bool:
    """Tell whether something is said, and in a file that exists."""
    return bool(options.types) and (not _is_path(options.types) or Path(options.types).exists())


def inline(types: str) -> str:
    """Return what is said as text, whatever becomes of the file."""
    return tomli_w.dumps(tomllib.loads(_text(types))) if types else ""


def parse(text: str, origin: str) -> Typing:
    """Read what is said of a table.

    Raises:
        SparringError: it is not TOML, or says what it cannot.
    """
    origin = f"'{origin}'" if _is_path(origin) else "types"
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SparringError(f"{origin} is not TOML: {error}") from error
    _check_keys(tables, [one.name for one in fields(Typing)], origin)
    columns = tables.get("columns", {})
    rules = tables.get("rules", [])
    if not isinstance(columns, dict) or not _are_texts(rules):
        raise SparringError(
            f"{origin}: columns are tables, [columns.age], and rules a list of texts"
        )
    return Typing(
        {name: _column(name, said, origin) for name, said in columns.items()}, tuple(rules)
    )


def write(
    path: Path,
    columns: Sequence[Column],
    rules: Sequence[str],
    offers: Sequence[str],
    missing: Sequence[str] = (),
) -> None:
    """Write what was decided of columns, and beside it what else might be said.

    Columns that have cells which are missing as a person says get all such codes, `missing`.
    """
    text = HEAD.format(name=path.name, kinds=", ".join(COLUMN_KINDS))
    text += "".join(f"# {offer}\n" for offer in offers)
    text += tomli_w.dumps({"rules": list(rules)}) + "\n"
    for column in columns:
        said: dict[str, Any] = {"type": column.kind}
        if column.missing_word:
            said["missing"] = list(dict.fromkeys([column.missing_word, *missing]))
        if "%" in column.date_format:
            said["date_format"] = column.date_format
        text += f"# {' '.join(column.note.split())}\n"
        text += tomli_w.dumps({"columns": {column.name: said}}) + "\n"
    write_text(path, text)


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


def _is_path(types: str) -> bool:
    return "\n" not in types and types.lower().endswith(SUFFIX)


def _text(types: str) -> str:
    if not _is_path(types):
        if "=" not in types:
            raise SparringError(f"types are in a file that ends in {SUFFIX}; got '{types}'")
        return types
    try:
        return Path(types).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SparringError(f"'{types}' cannot be read: {error}") from error


def _column(name: str, said: Any, origin: str) -> ColumnTyping:
    if isinstance(said, str):
        said = {"type": said}
    if not isinstance(said, dict):
        raise SparringError(f"{origin}: column '{name}' is a table, as {{type = \"category\"}}")
    place = f"{origin}, column '{name}'"
    _check_keys(said, [one.name for one in fields(ColumnTyping)], place)
    codes = said.get("missing", [])
    codes = [str(code) for code in (codes if isinstance(codes, list) else [codes])]
    ends = said.get("range", [])
    if not isinstance(ends, list) or len(ends) not in (0, 2):
        raise SparringError(f"{place}: a range has two ends, as [0, 120]")
    if not isinstance(said.get("private", False), bool):
        raise SparringError(f"{place}: private is true or false")
    for key in ("type", "date_format"):
        if not isinstance(said.get(key, ""), str):
            raise SparringError(f"{place}: {key} is a text")
    return ColumnTyping(**{**said, "missing": tuple(codes), "range": tuple(ends)})


def _check_keys(table: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    if strange := [key for key in table if key not in known]:
        raise SparringError(
            f"{place}: '{strange[0]}' is not a key{nearest(strange[0], known)}; "
            f"keys are {', '.join(known)}"
        )


def _are_texts(rules: Any) -> bool:
    return isinstance(rules, list) and all(isinstance(rule, str) for rule in rules)


def _name(name: str) -> str:
    """Return a column's name as rules have it."""
    return name if name.isidentifier() else f"'{name}'"
