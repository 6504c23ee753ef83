"""The page that says what holds of every kind names the clauses that there are."""

import runpy
from pathlib import Path

from sparring.kinds import BUILT_IN

ROOT = Path(__file__).parents[2]


def test_the_page_has_a_row_for_each_clause_and_a_column_for_each_kind() -> None:
    script = runpy.run_path(str(ROOT / "docs" / "make_contract.py"))
    lines = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    assert {kind.name for kind in BUILT_IN} | {"series"} == {*rows[0][1:]}
    assert [row[0] for row in rows[2:]] == [*script["clauses"]().values()]
