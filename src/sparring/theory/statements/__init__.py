"""The statements of the theory, each checked on the functions that training and metrics use."""

from sparring.theory.statements import (
    augmentations,
    convergence,
    distances,
    estimators,
    evaluation,
    families,
    games,
    steps,
)
from sparring.theory.statements.statement import Check, Statement

__all__ = ["ALL", "Check", "Statement"]

ALL: tuple[Statement, ...] = tuple(
    sorted(
        (
            *games.STATEMENTS,
            *families.STATEMENTS,
            *distances.STATEMENTS,
            *augmentations.STATEMENTS,
            *convergence.STATEMENTS,
            *evaluation.STATEMENTS,
            *steps.STATEMENTS,
            *estimators.STATEMENTS,
        ),
        key=lambda statement: statement.number,
    )
)
