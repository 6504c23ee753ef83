"""The statements: all hold, and their table tells when one does not."""

import json
import math

import pytest

from sparring.cli.theory import _numbers
from sparring.theory.statements import ALL
from sparring.theory.statements.statement import Check, Statement


def test_the_statements_are_numbered_one_to_thirty_five() -> None:
    assert [statement.number for statement in ALL] == list(range(1, 36))


@pytest.mark.parametrize("statement", ALL, ids=lambda statement: str(statement.number))
def test_a_statement_holds(statement: Statement) -> None:
    checks = statement.check()
    assert checks
    assert statement.source
    failed = [check for check in checks if not check.passed]
    assert failed == []
    # As `sparring theory --json` prints them: plain numbers and truth values, not NumPy's.
    assert json.dumps([_numbers(check) for check in checks], allow_nan=False)


def test_a_check_fails_beyond_its_tolerance_and_for_nan() -> None:
    assert Check("", 1.0, 1.0 + 1e-10).passed
    assert not Check("", 1.0, 1.0 + 1e-8).passed
    assert Check("", 1.0, 1.01, 0.02).passed
    assert not Check("", 1.0, math.nan, math.inf).passed
