"""Which metrics pass the sanity checks of Räisä 2025 for scores of fidelity and of diversity.

python -m benchmarks.sanity_checks [--points 9] [--repeats 3] [--checks torus,…] [--samples 1000]

Fifteen experiments on known laws, standardised by the real samples; each asks of a curve that it is
1 where both laws are one, 0 where they do not overlap, and falls in between where it should (their
tables 3 and 4; thinner grids here). T: passed, F: not, L and H: diversity that is 0 or 1 for fakes
that are spread too wide, both of which are allowed if kept to. Scores of both, which they did not
judge, must fall wherever fidelity or diversity does. A distance has no upper bound: D4 is F, and
its curve is 1 − distance/(its largest).
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparring.metrics import c2st, clipped_density_coverage, kid, prdc, vendi

Samples = NDArray[np.float64]
Curve = NDArray[np.float64]  # mean values at rising places
Verdict = bool | str  # L or H: passed, in one of two ways
Criterion = Callable[[Curve, Curve], Verdict]  # of places and values
Random = np.random.Generator
Draw = Callable[[Random, float], tuple[Samples, Samples]]  # real and fake at a place
Case = tuple[Curve, Draw]

FIDELITY = ("precision", "density", "clipped_density")
DIVERSITY = ("recall", "coverage", "clipped_coverage", "vendi")
BOTH = ("c2st", "kid")
KINDS = dict.fromkeys(FIDELITY, "fidelity") | dict.fromkeys(DIVERSITY, "diversity")
DISTANCES = ("kid",)
CLOSE, FLAT, FALL, EDGE = 0.05, 0.05, 0.2, 0.1  # as in their criteria
DIMENSIONS = (1, 8, 64)


def scores(real: Samples, fake: Samples) -> dict[str, float]:
    """Return every metric's value, of samples standardised by the real ones."""
    middle, scale = real.mean(0), real.std(0)
    x, y = (real - middle) / scale, (fake - middle) / scale
    found = {**prdc(x, y), **clipped_density_coverage(x, y)}
    values = {name: one.value for name, one in found.items()}
    values["vendi"] = vendi(y).value / vendi(x).value
    values["c2st"] = 2 * (1 - c2st(x, y)["accuracy"].value)
    return values | {"kid": kid(x, y).value}


# ---- criteria


def near(target: float, where: float) -> Criterion:
    """Ask that the value at a place (−∞, ∞: the ends) is a number."""

    def ask(places: Curve, values: Curve) -> Verdict:
        at = int(np.abs(places - np.clip(where, places[0], places[-1])).argmin())
        return bool(abs(values[at] - target) <= CLOSE)

    return ask


def wide(where: float) -> Criterion:
    """Ask that diversity is 1 or 0 there."""
    one, zero = near(1, where), near(0, where)
    return lambda places, values: (one(places, values) and "H") or (zero(places, values) and "L")


def falls(places: Curve, values: Curve) -> Verdict:
    """Ask that the ends are about the highest and the lowest, and apart."""
    first, last = values[0], values[-1]
    edges = values.max() - first <= EDGE and last - values.min() <= EDGE
    return bool(first - last >= FALL and edges)


def rises(places: Curve, values: Curve) -> Verdict:
    """Ask the same the other way round."""
    return falls(places, values[::-1])


def bell(middle: float) -> Criterion:
    """Ask that the middle is about the highest, and an end about the lowest."""

    def ask(places: Curve, values: Curve) -> Verdict:
        top = values[np.abs(places - middle).argmin()]
        ends = values[[0, -1]]
        high = (top - ends >= FALL).all() and values.max() - top <= EDGE
        return bool(high and ends.min() - values.min() <= EDGE)

    return ask


def drops(share: float) -> Criterion:
    """Ask that it falls, and has begun to after a share of the way."""

    def ask(places: Curve, values: Curve) -> Verdict:
        at = round(share * (len(values) - 1))
        return bool(falls(places, values) and values[0] - values[at] >= EDGE)

    return ask


def flat(places: Curve, values: Curve) -> Verdict:
    """Ask that nothing changes."""
    return bool(np.ptp(values) <= FLAT)


def settles(places: Curve, values: Curve) -> Verdict:
    """Ask that nothing changes in the second half."""
    return flat(places, values[len(values) // 2 :])


def either(low: Criterion, high: Criterion) -> Criterion:
    """Ask for the one shape or the other of diversity."""
    return lambda places, values: (low(places, values) and "L") or (high(places, values) and "H")


# ---- laws


def gaussian(rng: Random, n: int, d: int, mean: float = 0.0, scale: float = 1.0) -> Samples:
    """Draw from N(mean, scale²)."""
    return rng.normal(mean, scale, (n, d))


def mixture(rng: Random, n: int, d: int, shares: Samples, scale: float) -> Samples:
    """Draw from ten modes on a diagonal, 0 to 10."""
    modes = np.linspace(0, 10, len(shares))
    centre = modes[rng.choice(len(shares), n, p=shares / shares.sum())]
    return centre[:, None] + scale * rng.normal(size=(n, d))


def sphere(rng: Random, n: int, d: int, radius: float) -> Samples:
    """Draw from the surface of a ball."""
    x = rng.normal(size=(n, d))
    return radius * x / np.linalg.norm(x, axis=1, keepdims=True)


def ball(rng: Random, n: int, d: int, radius: float) -> Samples:
    """Draw from the inside of a ball."""
    return sphere(rng, n, d, radius) * rng.random((n, 1)) ** (1 / d)


def torus(rng: Random, n: int) -> Samples:
    """Draw from a ring of radius 1 that is 0.1 thick."""
    turn, disc = 2 * np.pi * rng.random(n), ball(rng, n, 2, 0.1)
    out = 1 + disc[:, 0]
    return np.stack([out * np.cos(turn), out * np.sin(turn), disc[:, 1]], 1)


def cubes(rng: Random, n: int, m: int, d: int) -> tuple[Samples, Samples]:
    """Draw from two unit cubes that share a fifth of their volume."""
    return rng.random((n, d)), rng.random((m, d)) + 1 - 0.2 ** (1 / d)


# ---- checks


@dataclass(frozen=True)
class Check:
    """An experiment, case by case, and what is asked of its curves."""

    name: str
    cases: Mapping[str, Case]
    asked: Sequence[tuple[str, str, Criterion]]  # desideratum, whom ("" for all), criterion


SAME = ("D4", "", near(1, 0))
GONE = (("D4", "", near(0, -np.inf)), ("D4", "", near(0, np.inf)))
ENDS = (-np.inf, np.inf)


def checks(n: int, points: int) -> Iterator[Check]:
    """Yield all fifteen (the last in two), of n samples a side on grids of so many points."""
    yield from shifts(n, points)
    yield from modes(n, points)
    yield from shapes(n, points)
    yield from features(n, points)


def shifts(n: int, points: int) -> Iterator[Check]:
    """Yield Gaussians at other places, and of other widths."""
    far = dict(zip(DIMENSIONS, (6.0, 3.0, 1.0), strict=True))
    decades = dict(zip(DIMENSIONS, (3.0, 1.0, 0.5), strict=True))

    def shifted(d: int, real: int = 0, fake: int = 0) -> Case:
        outlier = np.full((1, d), far[d])

        def draw(rng: Random, mean: float) -> tuple[Samples, Samples]:
            x, y = gaussian(rng, n, d), gaussian(rng, n, d, mean)
            return np.vstack([x, outlier[:real]]), np.vstack([y, outlier[:fake]])

        return np.linspace(-far[d], far[d], points), draw

    def scaled(d: int) -> Case:
        grid = np.linspace(-decades[d], decades[d], points)
        return grid, lambda rng, s: (gaussian(rng, n, d), gaussian(rng, n, d, scale=10**s))

    def heavy(rng: Random, mean: float) -> tuple[Samples, Samples]:
        x, y = (
            np.hstack([gaussian(rng, n, 1, at), 1 + rng.pareto(1.01, (n, 1))]) for at in (0, mean)
        )
        return x, y

    asked = (SAME, *GONE, ("D1", "", bell(0)))
    yield Check("shifted Gaussian", {str(d): shifted(d) for d in DIMENSIONS}, asked)
    outliers = {f"{d} {a}{b}": shifted(d, a, b) for d in DIMENSIONS for a, b in ((1, 0), (0, 1))}
    yield Check("… with one outlier", outliers, asked)
    yield Check("… with a Pareto feature", {"": (np.linspace(-6, 6, points), heavy)}, asked)
    yield Check(
        "Gaussian of other width",
        {str(d): scaled(d) for d in DIMENSIONS},
        (
            SAME,
            ("D4", "fidelity", near(1, -np.inf)),
            ("D4", "fidelity", near(0, np.inf)),
            ("D4", "diversity", near(0, -np.inf)),
            ("D4", "diversity", wide(np.inf)),
            ("D1", "fidelity", falls),
            ("D1", "diversity", either(bell(0), rises)),
            *((desideratum, "both", criterion) for desideratum, _, criterion in GONE),
            ("D1", "both", bell(0)),
        ),
    )


def modes(n: int, points: int) -> Iterator[Check]:
    """Yield mixtures whose fakes lack modes, invent them, or have one wide mode for two."""
    widths = dict(zip(DIMENSIONS, (1 / 6, 1 / 3, 1.0), strict=True))
    centres = np.random.default_rng(2025).uniform(-20, 20, (10, 2))

    def dropped(d: int, shares: Callable[[float], Samples], grid: Curve) -> Case:
        return grid, lambda rng, gone: (
            mixture(rng, n, d, np.ones(10), widths[d]),
            mixture(rng, n, d, shares(gone), widths[d]),
        )

    def thinned(gone: float) -> Samples:
        return np.where(np.arange(10) > 0, 1 - gone, 1.0)

    def first(gone: float) -> Samples:
        return (np.arange(10) < 10 - gone).astype(float)

    def invented(rng: Random, count: float) -> tuple[Samples, Samples]:
        pick = rng.integers(5, size=n), rng.integers(int(count), size=n)
        x, y = (centres[one] + 0.25 * rng.normal(size=(n, 2)) for one in pick)
        return x, y

    def apart(d: int) -> Case:
        def draw(rng: Random, mu: float) -> tuple[Samples, Samples]:
            side = rng.choice([-mu / 2, mu / 2], (n, 1))
            return side + gaussian(rng, n, d), gaussian(rng, n, d, scale=(1 + mu**2) ** 0.5)

        return np.linspace(0, 5, points), draw

    for name, shares, grid, begun in (
        ("all modes but one thinned", thinned, np.linspace(0, 1, points), 0.95),
        ("modes dropped one by one", first, np.arange(10.0), 0.5),
    ):
        yield Check(
            name,
            {str(d): dropped(d, shares, grid) for d in DIMENSIONS},
            (
                SAME,
                ("D4", "fidelity", near(1, np.inf)),
                ("D1", "fidelity", flat),
                ("D1", "diversity", drops(begun)),
                ("D1", "both", drops(begun)),
            ),
        )
    yield Check(
        "modes dropped, then invented",
        {"": (np.arange(1.0, 11), invented)},
        (
            ("D4", "", near(1, 5)),
            ("D4", "fidelity", near(1, -np.inf)),
            ("D4", "diversity", near(1, np.inf)),
            ("D1", "fidelity", falls),
            ("D1", "diversity", rises),
            ("D1", "both", bell(5)),
        ),
    )
    yield Check(
        "one mode for two",
        {str(d): apart(d) for d in DIMENSIONS},
        (
            SAME,
            ("D1", "fidelity", falls),
            ("D1", "diversity", either(falls, flat)),
            ("D1", "both", falls),
        ),
    )


def shapes(n: int, points: int) -> Iterator[Check]:
    """Yield spheres, cubes that overlap, and a ball in a torus."""
    sizes = np.geomspace(100, 10 * n, points).round()

    def shells(d: int) -> Case:
        radii = np.linspace(0.1, 1.9, points)
        return radii, lambda rng, radius: (sphere(rng, n, d, 1), sphere(rng, n, d, radius))

    def growing(d: int, both: bool) -> Case:
        return sizes, lambda rng, m: cubes(rng, int(m) if both else n, int(m), d)

    def of_torus(rng: Random, m: float) -> tuple[Samples, Samples]:
        return torus(rng, n), ball(rng, int(m), 3, 0.8)

    def of_ball(rng: Random, m: float) -> tuple[Samples, Samples]:
        return ball(rng, n, 3, 0.8), torus(rng, int(m))

    asked = (("D4", "", near(1, 1)), *GONE, ("D1", "", bell(1)))
    yield Check("surfaces of spheres", {str(d): shells(d) for d in (2, 16, 128)}, asked)
    for name, both, desideratum in (("cubes", True, "D3"), ("cubes, more fakes", False, "D2")):
        cases = {str(d): growing(d, both) for d in DIMENSIONS}
        yield Check(name, cases, ((desideratum, "", settles), ("D1", "", near(0.2, np.inf))))
    yield Check(
        "ball and torus",
        {"torus": (sizes, of_torus), "ball": (sizes, of_ball)},
        (("D1", "", settles), ("D4", "", near(0, np.inf))),
    )


def features(n: int, points: int) -> Iterator[Check]:
    """Yield features that are scaled, many, or rounded."""

    def stretched(rng: Random, decades: float) -> tuple[Samples, Samples]:
        x, y = gaussian(rng, n, 2), gaussian(rng, n, 2)
        y[:, 0] += 6
        return x * [1, 10**decades], y * [1, 10**decades]

    def disjoint(rng: Random, others: float) -> tuple[Samples, Samples]:
        x, y = (gaussian(rng, n, 1 + int(others)) for _ in range(2))
        y[:, 0] += 6
        return x, y

    def rounded(rng: Random, decades: float) -> tuple[Samples, Samples]:
        x, y = (10**decades * gaussian(rng, n, 1) for _ in range(2))
        return x.round(), y

    def rounding(rng: Random, decades: float) -> tuple[Samples, Samples]:
        y, x = rounded(rng, decades)
        return x, y

    scales, counts = np.linspace(-3, 3, points), np.geomspace(1, 1000, points).round()
    yield Check("one feature scaled", {"": (scales, stretched)}, (("D5", "", flat), *GONE))
    yield Check("one of many features apart", {"": (counts, disjoint)}, (("D1", "", flat), *GONE))
    for name, draw, fidelity in (("real rounded", rounded, 0), ("fakes rounded", rounding, 1)):
        yield Check(
            name,
            {"": (np.linspace(0, 3, points), draw)},
            (
                ("D1", "", flat),
                *(("D4", "fidelity", near(fidelity, end)) for end in ENDS),
                *(("D4", "diversity", near(0, end) if fidelity else wide(end)) for end in ENDS),
                *(("D4", "both", near(0, end)) for end in ENDS),
            ),
        )


def judge(check: Check, repeats: int) -> dict[str, dict[str, str]]:
    """Return the letter of each metric by desideratum."""
    found: dict[str, dict[str, list[Verdict]]] = {}
    for number, (places, draw) in enumerate(check.cases.values()):
        curves = _curves(places, draw, repeats, number)
        for name, values in curves.items():
            for desideratum, whom, criterion in check.asked:
                if whom in ("", KINDS.get(name, "both")):
                    bounded = name not in DISTANCES or desideratum != "D4"
                    passed = bounded and criterion(places, values)
                    found.setdefault(desideratum, {}).setdefault(name, []).append(passed)
    return {
        desideratum: {name: _letter(verdicts) for name, verdicts in by_name.items()}
        for desideratum, by_name in sorted(found.items())
    }


def _curves(places: Curve, draw: Draw, repeats: int, number: int) -> dict[str, Curve]:
    """Return the mean curve of each metric; a distance as 1 less its share of the largest."""
    rngs = [np.random.default_rng([number, repeat]) for repeat in range(repeats)]
    rows = [[scores(*draw(rng, place)) for place in places] for rng in rngs]
    curves = {
        name: np.mean([[one[name] for one in row] for row in rows], axis=0) for name in rows[0][0]
    }
    return curves | {name: 1 - curves[name] / curves[name].max() for name in DISTANCES}


def _letter(verdicts: Sequence[Verdict]) -> str:
    ways = {one for one in verdicts if isinstance(one, str)}
    if not all(verdicts) or len(ways) > 1:
        return "F"
    return ways.pop() if ways else "T"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, check by check, and how many each metric passes."""
    parser = argparse.ArgumentParser(description="Sanity checks of fidelity and diversity.")
    parser.add_argument("--points", type=int, default=9, help="of each curve; odd")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1_000, help="of a side")
    parser.add_argument("--checks", default="", help="parts of names, separated by commas")
    asked = parser.parse_args(arguments)
    names = (*FIDELITY, *DIVERSITY, *BOTH)
    print(f"| check | | {' | '.join(name.replace('_', ' ') for name in names)} |")
    print(f"|---|---|{'---|' * len(names)}")
    passed, judged = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for check in checks(asked.samples, asked.points):
        if not any(part in check.name for part in asked.checks.split(",")):
            continue
        for desideratum, letters in judge(check, asked.repeats).items():
            row = [letters.get(name, "") for name in names]
            print(f"| {check.name} | {desideratum} | {' | '.join(row)} |", flush=True)
            for name, letter in letters.items():
                passed[name] += letter != "F"
                judged[name] += 1
    counts = [f"{passed[name]} of {judged[name]}" for name in names]
    print(f"| passed | | {' | '.join(counts)} |")


if __name__ == "__main__":
    main()
