"""What the measures of a run say of its health, in words: pure functions on values.

Inside: reading a run's events as a `History`, and a function for each `Finding`. Not inside: how
anything is measured (`monitor`, `symptoms`), and whether samples are good (`evaluation`).

Thresholds stand where healthy runs of the default recipes stay away from them: digits for 30 and
45 s, MNIST and Fashion-MNIST for 60 s, the known densities for 8 to 15 s, on one core. The logits'
areas are explained in `symptoms`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite
from statistics import median
from typing import Any

from sparring.metrics.estimate import Estimate
from sparring.runs.folder import MIN_STEPS

MIN_LOOKS = 3  # looks in a row that must agree: one may be chance, and a first one is too early
MIN_OVERPOWERED_LOOKS = 5  # looks in a row for what is normal at the start
MIN_DUPLICATE_SHARE = 0.8  # healthy at most 0.07, mere copies of data 1 − 1/e
MIN_SETTLED_SHARE = 0.5  # within 4σ of a mode; before, it is too early to miss others
MIN_SEPARATION = 0.98  # area of reals over fakes, at its low end; healthy at most 0.84
MIN_MEMORY = 0.85  # area of training over held-out reals, at its low end; healthy at most 0.74
MAX_VANISHED_NORM = 0.01  # of the norm at its highest; healthy at least 0.04, but at equilibrium
MIN_RIGHT, MAX_WRONG = 0.6, 0.4  # areas that are surely on one side of a half; healthy 0.39 to 0.86
MIN_CROSSINGS = 3  # from wrong to right or back, in the last `WINDOW` looks
WINDOW = 10
MIN_PINNED_TICKS = 10  # a tenth of a short run
MAX_LEARNING_RATE = 0.01  # a learning rate beyond it is suspected first when numbers overflow
MAX_TIMES_USUAL = (
    10  # as fast as the default recipe: beyond it the learning rate is suspected first
)
MAX_UNSEEN_EPOCHS = 1_000  # over the training items, with too few held out to see them memorised
SATURATING = ("minimax", "mean-squared")


@dataclass(frozen=True)
class Setting:
    """What was decided before the run that findings and advice depend on."""

    objective: str = "non-saturating"
    penalised: bool = True  # by R1, R2 or their like
    batch: int = 0  # 0: not known
    items: int = 0  # that are trained on; 0: not known
    learning_rate: float = 0.0  # at the start
    usual: tuple[float, str] = (0.0, "")  # that of the default recipe, and its schedule
    discriminator_lr_factor: float = 1.0
    modes: int = 0  # of a known density
    advised: tuple[str, ...] = ()  # augmentations that keep a discriminator from memory
    augmented: bool = False
    augment_limit: float | None = None  # of an adaptive probability


@dataclass(frozen=True)
class Measurements:
    """What one tick or look measured, by its name in the log; finite numbers only."""

    images: int
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]

    def estimate(self, name: str) -> Estimate | None:
        """Return a value with its interval."""
        if name not in self.values or name not in self.intervals:
            return None
        return Estimate(self.values[name], *self.intervals[name], 0, "logged")


@dataclass(frozen=True)
class RefusedStep:
    """A step that was not finite and was taken back."""

    failed_at: int
    reason: str
    origin: str
    learning_rate: float


@dataclass(frozen=True)
class History:
    """All that stands of what a run measured, in order."""

    setting: Setting
    ticks: tuple[Measurements, ...] = ()
    looks: tuple[Measurements, ...] = ()
    refused: tuple[RefusedStep, ...] = ()


@dataclass(frozen=True)
class Finding:
    """What was seen, what theory says of it, and one thing to try."""

    name: str
    words: str
    theory: str
    advice: str

    def __str__(self) -> str:
        return f"{self.name}: {self.words}; {self.advice}"


def history(events: Iterable[Mapping[str, Any]], setting: Setting) -> History:
    """Read a history from a run's events; a rollback discards what was measured past it."""
    ticks: list[Measurements] = []
    looks: list[Measurements] = []
    refused: list[RefusedStep] = []
    for event in events:
        match event["event"]:
            case "tick":
                ticks.append(_measurements(event, ("learning_rate",)))
            case "observed":
                looks.append(_measurements(event))
            case "rollback":
                ticks = [tick for tick in ticks if tick.images <= event["images"]]
                looks = [look for look in looks if look.images <= event["images"]]
                refused.append(_refused_step(event))
    return History(setting, tuple(ticks), tuple(looks), tuple(refused))


def diagnose(run: History) -> tuple[Finding, ...]:
    """Return what is wrong with a run now, the gravest first; nothing if it is healthy.

    What dynamics show is blamed on the learning rate first where that is far from the usual one.
    """
    of_dynamics = (
        not_finite(run),
        *(
            (mode_collapse(run), vanishing_gradient(run), overpowering(run), oscillation(run))
            if not _too_early(run)
            else ()
        ),
    )
    of_data = memorising(run), few_data(run), augmentation_pinned(run)
    return (
        *(_with_usual_rate(finding, run.setting) for finding in of_dynamics if finding),
        *(finding for finding in of_data if finding),
    )


def not_finite(run: History) -> Finding | None:
    """Tell where the last refused step stopped being finite."""
    if not run.refused:
        return None
    last, times = run.refused[-1], len(run.refused)
    fast = last.learning_rate > MAX_LEARNING_RATE
    return Finding(
        "numbers overflowed",
        f"{times} step{'s' * (times > 1)} refused, the last at {last.failed_at:,} samples: "
        f"{last.reason} ({last.origin}), at learning rate {last.learning_rate:.2g}",
        "even with R1 descent converges only if its steps are small enough: row 28 of "
        "`sparring theory` (Mescheder 2018)",
        f"try --optimizer.lr {last.learning_rate / 10:.2g}"
        if fast
        else _heavier(run.setting, "look for extreme values in the data with `sparring data`"),
    )


def mode_collapse(run: History) -> Finding | None:
    """Tell that samples repeat each other, or leave out modes that are known to be there."""
    recent = _last(run.looks, MIN_LOOKS)
    shares = _values(recent, "twins")
    settled = min(_values(recent, "high_quality"), default=0.0) >= MIN_SETTLED_SHARE
    symptom = _missing_modes(_values(recent, "modes"), run.setting.modes) if settled else ""
    if not symptom and shares and min(shares) >= MIN_DUPLICATE_SHARE:
        symptom = (
            f"{shares[-1]:.0%} of the samples have a near-duplicate among them, of real data 2 %"
        )
    if not symptom:
        return None
    return Finding(
        "mode collapse",
        symptom,
        "against a discriminator that does not answer, the generator's best reply is the one point "
        "of highest logit (Goodfellow 2014, section 6); and KL(q‖p), row 6 of `sparring theory`, "
        "charges little for data that are left out",
        _against_collapse(run),
    )


def vanishing_gradient(run: History) -> Finding | None:
    """Tell that the generator learns nothing more from a discriminator that is sure."""
    key = "generator/gradient_norm"
    norms = [tick.values[key] for tick in run.ticks if key in tick.values]
    if len(norms) < 4 * MIN_LOOKS or not _surely_separated(_last(run.looks, MIN_LOOKS)):
        return None
    peak, now = max(norms[: len(norms) // 2]), median(norms[-MIN_LOOKS:])
    if now >= MAX_VANISHED_NORM * peak:
        return None
    saturating = run.setting.objective in SATURATING
    return Finding(
        "vanishing gradient",
        f"the generator's gradient norm has sunk to {now:.2g}, from {peak:.2g} at its highest, "
        "while the discriminator tells nearly all fakes",
        f"the {run.setting.objective} loss has slope 0 at a fake that is plainly one: row 4 of "
        "`sparring theory` (Goodfellow 2014, section 3)"
        if saturating
        else "where data and samples do not meet, the best discriminator is flat at both: row 4 of "
        "`sparring theory` (Arjovsky & Bottou 2017, theorem 2.1)",
        "try --objective non-saturating" if saturating else _weaker(run.setting),
    )


def overpowering(run: History) -> Finding | None:
    """Tell that the discriminator has been always right for long and the samples get no better."""
    recent = _last(run.looks, MIN_OVERPOWERED_LOOKS)
    if not _surely_separated(recent) or _better(recent[0], recent[-1]):
        return None
    area = recent[-1].values["separation"]
    return Finding(
        "overpowering discriminator",
        f"for {len(recent)} looks it has ranked nearly every real above every fake (last "
        f"{area:.1%} of pairs), and the samples came no nearer to the data",
        "on supports that do not meet, the divergence is ln 2 whatever the generator does: row 4 "
        "of `sparring theory` (Arjovsky & Bottou 2017); a penalty keeps the slope finite, row 28",
        _weaker(run.setting),
    )


def oscillation(run: History) -> Finding | None:
    """Tell that the players chase each other: the discriminator is surely wrong, then right."""
    areas = [area for look in run.looks[-WINDOW:] if (area := look.estimate("separation"))]
    sides = [area.value > 0.5 for area in areas if area.low > MIN_RIGHT or area.high < MAX_WRONG]
    crossings = sum(a != b for a, b in pairwise(sides))
    if crossings < MIN_CROSSINGS:
        return None
    low, high = min(area.value for area in areas), max(area.value for area in areas)
    return Finding(
        "oscillation",
        f"the share of pairs in which the discriminator ranks a real above a fake swings between "
        f"{low:.0%} and {high:.0%}: {crossings} times across a half in {len(areas)} looks",
        "simultaneous descent without a penalty spirals out at every step size, alternating "
        "descent circles for ever: rows 26 and 27 of `sparring theory` (Mescheder 2018); R1 damps "
        "it, row 28",
        _heavier(run.setting, "try half the learning rate, --optimizer.lr"),
    )


def memorising(run: History) -> Finding | None:
    """Tell that the discriminator knows the training items themselves."""
    areas = [look.estimate("memory") for look in _last(run.looks, MIN_LOOKS)]
    sure = [area for area in areas if area and area.low >= MIN_MEMORY]
    if len(sure) < MIN_LOOKS:
        return None
    last = sure[-1]
    return Finding(
        "memorising discriminator",
        f"it ranks a training item above a held-out one in {last.value:.0%} of pairs "
        f"[{last.low:.0%}, {last.high:.0%}], where 50% means no memorization",
        "the best discriminator D* = p/(p + q), row 1 of `sparring theory`, of a finite sample p "
        "knows its items, not the density they come from (Karras 2020, section 2)",
        _against_memory(
            run.setting,
            _heavier(run.setting, "try a smaller discriminator, --discriminator.width"),
        ),
    )


def few_data(run: History) -> Finding | None:
    """Tell that so few items are shown so often that nobody can see whether they are memorised."""
    setting, looks = run.setting, _last(run.looks, MIN_LOOKS)
    times = looks[-1].images // setting.items if looks and setting.items else 0
    if times < MAX_UNSEEN_EPOCHS or "memory" in looks[-1].values:
        return None
    return Finding(
        "too few data",
        f"each of the {setting.items:,} training items has been shown {times:,} times, and too few "
        "are held out to see whether the discriminator knows them by heart",
        "the best discriminator D* = p/(p + q), row 1 of `sparring theory`, of a finite sample p "
        "knows its items, not the density they come from (Karras 2020, section 2)",
        f"expect copies of them; {_against_memory(setting, 'get more data')}",
    )


def augmentation_pinned(run: History) -> Finding | None:
    """Tell that adaptive augmentation asks for more than its limit allows."""
    limit = run.setting.augment_limit
    probabilities = _values(_last(run.ticks, MIN_PINNED_TICKS), "augment/probability")
    if limit is None or not probabilities or min(probabilities) < limit * (1 - 1e-6):
        return None
    return Finding(
        "augmentation pinned",
        f"its probability has been at the limit, {limit:g}, for {len(probabilities)} ticks: the "
        "discriminator memorises faster than changing the samples can hide",
        "changes with probability 1 cannot be undone, and leak into the samples; below it they "
        "can: row 33 of `sparring theory` (Karras 2020, appendix C)",
        _heavier(run.setting, "try a smaller discriminator, --discriminator.width, or more data"),
    )


def _measurements(event: Mapping[str, Any], own: Sequence[str] = ()) -> Measurements:
    values = {**event.get("metrics", {}), **{key: event.get(key) for key in own}}
    intervals = event.get("intervals", {}).items()
    return Measurements(
        int(event["images"]),
        {key: float(value) for key, value in values.items() if _number(value)},
        {key: (low, high) for key, (low, high) in intervals if _number(low) and _number(high)},
    )


def _refused_step(event: Mapping[str, Any]) -> RefusedStep:
    rate = event.get("learning_rate")
    return RefusedStep(
        int(event["failed_at"]),
        str(event["reason"]),
        str(event.get("origin", "")),
        float(rate) if isinstance(rate, int | float) else 0.0,
    )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and isfinite(value)


def _last(measures: Sequence[Measurements], n: int) -> Sequence[Measurements]:
    """Return the last n, or none where there are fewer."""
    return measures[-n:] if len(measures) >= n else ()


def _values(measures: Sequence[Measurements], name: str) -> list[float]:
    """Return a value of every one of them, or nothing where one lacks it."""
    values = [measured.values[name] for measured in measures if name in measured.values]
    return values if len(values) == len(measures) else []


def _surely_separated(looks: Sequence[Measurements]) -> bool:
    areas = [look.estimate("separation") for look in looks]
    return bool(areas) and all(area is not None and area.low >= MIN_SEPARATION for area in areas)


def _better(first: Measurements, last: Measurements) -> bool:
    """Tell whether the samples are surely nearer to the data than they were."""
    for name in ("kid", "reverse_kl"):
        before, after = first.estimate(name), last.estimate(name)
        if before and after:
            return after.high < before.low
    return False


def _missing_modes(counts: Sequence[float], modes: int) -> str:
    """Say how many modes are left out, if some are and their number does not fall."""
    if not counts or max(counts) >= modes or counts[-1] > counts[0]:
        return ""
    return f"{modes - counts[-1]:.0f} of the {modes} modes of the known density get no samples"


def _against_collapse(run: History) -> str:
    area = run.looks[-1].estimate("separation")
    if area and area.high < MAX_WRONG:  # it is fooled by what repeats
        faster = 4 * run.setting.discriminator_lr_factor
        return f"try a faster discriminator, --optimizer.discriminator-lr-factor {faster:g}"
    return _heavier(run.setting, "try half the learning rate, --optimizer.lr")


def _too_early(run: History) -> bool:
    """Tell whether the run has taken so few steps that it only shows how it was initialised."""
    reached = max((measured.images for measured in (*run.ticks, *run.looks)), default=0)
    return reached < MIN_STEPS * run.setting.batch


def _with_usual_rate(finding: Finding, setting: Setting) -> Finding:
    """Advise the usual learning rate first where the run's is far beyond it."""
    usual, schedule = setting.usual
    if not usual or setting.learning_rate <= MAX_TIMES_USUAL * usual:
        return finding
    times = setting.learning_rate / usual
    advice = (
        f"first try the usual learning rate, {times:.0f} times lower: --optimizer.lr '{schedule}'"
    )
    return replace(finding, advice=advice)


def _against_memory(setting: Setting, otherwise: str) -> str:
    if setting.advised and not setting.augmented:
        return f"try --augment.kinds '{' '.join(setting.advised)}', which needs no further data"
    return otherwise


def _weaker(setting: Setting) -> str:
    slower = setting.discriminator_lr_factor / 4
    return _heavier(
        setting, f"try a slower discriminator, --optimizer.discriminator-lr-factor {slower:.2g}"
    )


def _heavier(setting: Setting, otherwise: str) -> str:
    """Advise a penalty where there is none."""
    return otherwise if setting.penalised else "try --penalties.r1.weight 1"
