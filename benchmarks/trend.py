"""What the words at the end of a run are worth: on simulated looks, and on real runs.

python -m benchmarks.trend [--rounds 400] [--runs FOLDER [--data digits,…] [--budgets 30k,60k]
[--seeds 1,2,3,4,5]]

Simulated looks share their latents and reals as those of a run do: a course that is known, jumps
about it as training swings, and the errors of finite samples. A word counts as false if the
course says otherwise, at any look at which somebody may have read it. Real runs are trained and
judged, then trained on to twice the samples; fresh latents say what was true.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sparring
from sparring.api import NullReporter
from sparring.data.dataset import Dataset
from sparring.data.labels import labels_in_proportion
from sparring.evaluation.extractors import choose
from sparring.features.extractor import Extractor, Features
from sparring.features.reference import part_features
from sparring.kinds import decode, kind_of
from sparring.metrics.estimate import Estimate
from sparring.metrics.kernels import kid, kid_difference
from sparring.metrics.proportions import exact_share
from sparring.metrics.trend import FLAT, Influence, Trend, Verdict, covariance, verdicts
from sparring.runs.runner import reopen_data
from sparring.sampling import sample

Floats = NDArray[np.float64]
LOOKS = 20
REALS, LATENTS = 200, 1000
ERROR = 0.34  # standard error of the last distance, as a share of it: that of digits at 60k
SHARED = 0.67  # of its variance is the same at all looks, as there
SEED = 99  # of fresh latents
FRESH = 4000
WORDS: tuple[Trend, ...] = ("still improving", "flat", "getting worse", "cannot tell yet")


@dataclass(frozen=True)
class Scenario:
    """A course of the distance over log₂ of the samples, jumps about it, and what is not so."""

    name: str
    course: Callable[[Floats], Floats]  # of the doublings up to the last look: 0 at the last
    false: frozenset[Trend]
    jumps: float = 0.0  # standard deviation, as a share of the distance
    memory: float = 0.0  # correlation of neighbouring jumps
    error: float = ERROR


def falling(share: float) -> Callable[[Floats], Floats]:
    """Return a course that loses this share of the distance at each doubling."""
    return lambda left: (1 - share) ** left


def level(left: Floats) -> Floats:
    """Return a course that stays where it is."""
    return np.ones_like(left)


def rising(left: Floats) -> Floats:
    """Return a course that falls until the last doubling, and doubles in it."""
    return np.where(left < -1, 0.5 ** (left + 1), 2.0 ** (left + 1)) / 2


def collapsing(left: Floats) -> Floats:
    """Return a course that falls, and collapses after 85 % of the samples."""
    return np.where(left < np.log2(0.85), 0.7**left, 5.0)


GOOD: frozenset[Trend] = frozenset({"flat", "getting worse"})
STILL: frozenset[Trend] = frozenset({"still improving", "getting worse"})
SCENARIOS = (
    Scenario("falls 30 % a doubling", falling(0.3), GOOD),
    Scenario("falls 10 % a doubling", falling(0.1), GOOD),
    Scenario("falls 10 %, jumps of 10 %", falling(0.1), GOOD, 0.1),
    Scenario("falls 10 %, few errors", falling(0.1), GOOD, error=0.02),
    Scenario("falls 2 %, few errors", falling(FLAT), GOOD, error=0.02),
    Scenario("falls 2 %, jumps of 10 %", falling(FLAT), GOOD, 0.1, error=0.02),
    Scenario("level", level, STILL),
    Scenario("level, jumps of 10 %", level, STILL, 0.1),
    Scenario("level, slow jumps of 10 %", level, STILL, 0.1, 0.5),
    Scenario("level, few errors", level, STILL, error=0.02),
    Scenario("level, hardly any errors", level, STILL, error=0.002),
    Scenario("rises in the last doubling", rising, frozenset({"flat"}), 0.05),
    Scenario("rises, few errors", rising, frozenset({"flat"}), 0.05, error=0.02),
    Scenario("collapses", collapsing, frozenset(), 0.05),
)


@dataclass(frozen=True)
class Tally:
    """What was said in many rounds."""

    scenario: Scenario
    at_end: Counter[Trend]
    false: int  # rounds in which something false was said at some look
    accused: int  # rounds in which that was "getting worse" or "flat"
    rounds: int

    def __str__(self) -> str:
        shares = "".join(f"{self.at_end[word] / self.rounds:>10.1%}" for word in WORDS)
        false = exact_share(self.false, self.rounds, "")
        accused = exact_share(self.accused, self.rounds, "")
        return (
            f"{self.scenario.name:28}{shares}"
            f"   {accused.value:6.1%} [{accused.low:.1%}, {accused.high:.1%}]"
            f"   {false.value:6.1%} [{false.low:.1%}, {false.high:.1%}]"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--runs", type=Path, help="folder for real runs; none without")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--budgets", default="30k,60k")
    parser.add_argument("--seeds", default="1,2,3,4,5")
    options = parser.parse_args(arguments)
    for line in simulated(options.rounds):
        print(line, flush=True)
    if options.runs:
        print()
        print(f"{'run':42}{'said':18}{'twice the samples bring':>24}{'last less best':>24}")
        for data in options.data.split(","):
            for budget in options.budgets.split(","):
                for seed in options.seeds.split(","):
                    print(real_run(data, budget, int(seed), options.runs), flush=True)


def simulated(rounds: int) -> Iterator[str]:
    """Yield the table of simulated looks."""
    words = "".join(f"{word.split()[-1]:>10}" for word in ("improving", "flat", "worse", "cannot"))
    yield f"{'at the last of 20 looks':28}{words}   false worse or flat   anything false, ever"
    for scenario in SCENARIOS:
        yield str(tally(scenario, rounds))


def tally(scenario: Scenario, rounds: int) -> Tally:
    """Judge many runs of one course at each look."""
    rng = np.random.default_rng(0)
    at_end: Counter[Trend] = Counter()
    false = accused = 0
    for _ in range(rounds):
        said = [verdict.trend for verdict in said_of(scenario, rng)]
        wrong = scenario.false & set(said)
        at_end[said[-1]] += 1
        false += bool(wrong)
        accused += bool(wrong & GOOD)
    return Tally(scenario, at_end, false, accused, rounds)


def said_of(scenario: Scenario, rng: np.random.Generator, looks: int = LOOKS) -> list[Verdict]:
    """Return what is said at each look of one run."""
    seen = 1000 * np.arange(1, looks + 1)
    left = np.log2(seen / seen[-1])
    course = scenario.course(left)
    influence = [errors(rng, left, scenario.error * np.sqrt(course), n) for n in (LATENTS, REALS)]
    measured = course * (1 + scenario.jumps * swings(rng, looks, scenario.memory))
    for side in influence:
        measured = measured + side.mean(1)
    pairs: list[Influence] = list(zip(*influence, strict=True))
    return verdicts([int(n) for n in seen], [float(d) for d in measured], covariance(pairs))


def errors(rng: np.random.Generator, left: Floats, deviation: Floats, n: int) -> Floats:
    """Return influence values (looks, n) whose means have this deviation / √2: there are two sides.

    A part is the same at all looks; the rest forgets itself with the doublings between.
    """
    shared = rng.normal(size=n)
    own = rng.normal(size=(1, n))
    parts = [own[0]]
    for gap in np.diff(left):
        keep = np.exp(-gap)
        parts.append(keep * parts[-1] + np.sqrt(1 - keep**2) * rng.normal(size=n))
    mixed = SHARED**0.5 * shared + (1 - SHARED) ** 0.5 * np.stack(parts)
    return mixed * deviation[:, None] * np.sqrt(n / 2)


def swings(rng: np.random.Generator, looks: int, memory: float) -> Floats:
    """Return jumps of unit deviation, each correlated with the one before."""
    jumps = rng.normal(size=looks)
    for k in range(1, looks):
        jumps[k] = memory * jumps[k - 1] + np.sqrt(1 - memory**2) * jumps[k]
    return jumps


def real_run(name: str, budget: str, seed: int, root: Path) -> str:
    """Train, read what is said, train as long again, and see by fresh latents what was true."""
    run = sparring.train(name, root=root, budget=f"{budget}-samples", seed=seed, threads=1)
    said = run.folder.read_run()["trend"]
    data = reopen_data(run.folder, run.recipe, NullReporter())
    seen = max(event["images"] for event in run.folder.read_events() if "images" in event)
    stopped, best = features_at(run, data, "latest"), features_at(run, data, "best")
    run.resume(budget=f"+{seen}-samples")
    later, real = features_at(run, data, "latest"), real_features(run, data)
    gain, distance = kid_difference(real, stopped, later), kid(real, stopped).value
    spoilt = kid_difference(real, stopped, best)
    return (
        f"{name:14} {seen:>9,} seed {seed}  {said:18}"
        f"{in_shares(gain, distance):>24}{in_shares(spoilt, distance):>24}"
    )


def in_shares(difference: Estimate, distance: float) -> str:
    """Return a difference with its interval as shares of a distance."""
    value, low, high = (d / distance for d in (difference.value, difference.low, difference.high))
    return f"{value:+.0%} [{low:+.0%}, {high:+.0%}]"


def features_at(run: sparring.Run, data: Dataset, checkpoint: str) -> Features:
    """Return features of samples that no look has seen."""
    extractor = extractor_of(data, run)
    labels = labels_in_proportion(data, FRESH)
    parts = sample(run.generator(checkpoint), FRESH, seed=SEED, labels=labels)
    return np.concatenate([extractor.run(decode(part, run.spec).numpy()) for part in parts])


def real_features(run: sparring.Run, data: Dataset) -> Features:
    """Return features of held-out items."""
    cache = run.folder.path.parent / "cache"
    return part_features(extractor_of(data, run), data, "held_out", cache / "features")


def extractor_of(data: Dataset, run: sparring.Run) -> Extractor:
    """Return the extractor of looks."""
    quick = kind_of(run.spec).quick_features
    assert quick, "points have none"
    return choose(quick.extractor, data, cache=run.folder.path.parent / "cache")


if __name__ == "__main__":
    main()
