"""The statements: all hold, and their table tells when one does not."""

import json
import math
import re
from pathlib import Path

import pytest

from sparring.cli.theory import _numbers
from sparring.theory.statements import ALL
from sparring.theory.statements.statement import Check, Statement


def test_the_statements_are_numbered_one_to_forty_three() -> None:
    assert [statement.number for statement in ALL] == list(range(1, 44))


@pytest.mark.parametrize("statement", ALL, ids=lambda statement: str(statement.number))
def test_a_statement_holds(statement: Statement) -> None:
    checks = statement.check()
    assert checks
    assert statement.source
    failed = [check for check in checks if not check.passed]
    assert failed == []
    # As `sparring theory --json` prints them: plain numbers and truth values, not NumPy's.
    assert json.dumps([_numbers(check) for check in checks], allow_nan=False)


def test_both_pages_count_the_statements_and_check_the_same_ones() -> None:
    docs = next(p for p in Path(__file__).parents if (p / "docs").is_dir()) / "docs"
    english, chinese = ((docs / f"theory{end}.md").read_text("utf-8") for end in ("", ".zh"))
    assert english.count(f" {len(ALL)} ") == chinese.count(f" {len(ALL)} 条") == 2
    asked = [re.findall("sparring theory --only ([0-9,]+)", page) for page in (english, chinese)]
    assert asked[0] == asked[1]
    assert {int(n) for numbers in asked[0] for n in numbers.split(",")} == {s.number for s in ALL}


def test_a_check_fails_beyond_its_tolerance_and_for_nan() -> None:
    assert Check("", 1.0, 1.0 + 1e-10).passed
    assert not Check("", 1.0, 1.0 + 1e-8).passed
    assert Check("", 1.0, 1.01, 0.02).passed
    assert not Check("", 1.0, math.nan, math.inf).passed
