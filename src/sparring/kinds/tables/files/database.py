"""Tables of SQLite databases, `people.db:table`."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sparring.errors import SparringError, listed, nearest
from sparring.kinds.tables.columns import Frame, pandas

TABLES = (
    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
)


def read(path: Path, table: str, origin: str) -> Frame:
    """Return the rows of a table or view, as they are stored; "": of the only one.

    Raises:
        SparringError: it is not a database, has no such table, or several of which none is named.
    """
    if not path.is_file():
        raise SparringError(f"'{path}' cannot be read: No such file")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            names = [name for (name,) in database.execute(TABLES)]
            chosen = _chosen(names, table, origin, path)
            quoted = chosen.replace('"', '""')
            rows = database.execute(f'SELECT * FROM "{quoted}"')
            columns = [column[0] for column in rows.description]
            cells = pandas().DataFrame(rows.fetchall(), columns=range(len(columns)), dtype=object)
    except sqlite3.Error as error:
        raise SparringError(f"{origin} cannot be read as SQLite: {error}") from error
    return cells.set_axis(columns, axis=1)


def _chosen(names: list[str], table: str, origin: str, path: Path) -> str:
    if table in names or (not table and len(names) == 1):
        return table or names[0]
    if not names:
        raise SparringError(f"{origin} holds no table")
    if not table:
        raise SparringError(
            f"{origin} holds {len(names)} tables, {listed(names)}; name one: {path.name}:{names[0]}"
        )
    raise SparringError(f"{origin} has no table '{table}'{nearest(table, names)}")
