"""What a card says of its tests together: each corrected for their number, and one verdict.

A perfect generator is accused by any line of a card with a probability of at most 5 %, however
the tests hang together (Holm 1979).
"""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from statistics import NormalDist

from sparring.metrics.families import holm
from sparring.metrics.line import CardLine, Verdict

FAMILY_LEVEL, POWER = 0.05, 0.8


def judged(lines: Sequence[CardLine]) -> tuple[CardLine, ...]:
    """Return the lines with their verdicts, and with the least value that would have shown."""
    tested = [line for line in lines if line.estimate.p_value is not None]
    corrected = iter(holm([line.estimate.p_value or 0.0 for line in tested]))
    return tuple(
        line
        if line.estimate.p_value is None
        else replace(
            line,
            verdict=line.accuses if next(corrected) <= FAMILY_LEVEL else "no difference seen",
            could_see=could_see(line, FAMILY_LEVEL / len(tested)),
        )
        for line in lines
    )


def verdict(lines: Sequence[CardLine]) -> Verdict:
    """Return what judged lines say together, the gravest first."""
    said = {line.verdict for line in lines}
    order: tuple[Verdict, ...] = ("copies", "differs", "no difference seen")
    return next((one for one in order if one in said), "not tested")


def verdict_words(lines: Sequence[CardLine]) -> str:
    """Say the verdict in a sentence, and which lines it rests on."""
    tested = [line for line in lines if line.verdict != "not tested"]
    accusing = [line for line in tested if line.verdict == line.accuses]
    if not tested:
        return "not tested: these samples and data allow no test"
    if accusing:
        accusing.sort(key=lambda line: line.accuses == "differs")
        said = dict.fromkeys(line.found for line in accusing)
        parts = (
            f"{found} ({', '.join(line.name for line in accusing if line.found == found)})"
            for found in said
        )
        return "; ".join(parts)
    count = f"{len(tested)} tests" if len(tested) > 1 else "one test"
    return f"no difference seen by {count}, which does not prove that there is none"


def could_see(line: CardLine, level: float) -> float | None:
    """Return the value nearest to real data that a test at this level shows in 80 % of cases.

    By the normal approximation, as if the deviation were that under the null. Infinite where the
    metric cannot go so far; None where it is not known what a perfect generator gets.
    """
    null, normal = line.estimate.under_null, NormalDist()
    if null is None:
        return None
    worse = -1 if line.direction == "higher" else 1
    reach = (normal.inv_cdf(1 - level) + normal.inv_cdf(POWER)) * null.deviation
    beyond = null.limit is not None and reach > abs(null.limit - null.mean)
    return inf if beyond else null.mean + worse * reach
