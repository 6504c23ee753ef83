"""Which numbers of a run become charts, and what a beginner should look for in each.

Inside: the known groups of measurements, their words and their values at equilibrium.
Not inside: drawing (`charts`). A measurement that is not known here is charted all the same.

Equilibrium means that generated and real samples are equally distributed and the discriminator
answers ½, logit 0 (Goodfellow 2014, theorem 1; for pairs of logits, difference 0).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import log

from sparring.report.charts import BUCKETS, Interval, Reference, Series, line_chart
from sparring.report.words import number
from sparring.runs.folder import Json

Column = list[float | None]
DISCRIMINATOR, GENERATOR, REAL, FAKE, OTHER = range(5)  # styles in `charts`


@dataclass(frozen=True)
class Counter:
    """What a kind of event counts: its key in the event, and the words below an axis of it."""

    key: str
    words: str  # `{noun}` is what people call an item
    when: str = ""  # after the title of a measurement that nobody foresaw


SEEN = Counter("images", "{noun}s seen")
LEARNED = Counter("prepared", "{noun}s learned before the game", " before the game")
# By the kind of event that measures something.
COUNTERS = {"preparation": LEARNED, "tick": SEEN, "observed": SEEN}
ROLLBACKS = ("rollback", "preparation_rollback")  # what came after them was measured again
OWN = ("learning_rate", "images_per_second")  # measured beside an event's `metrics`


@dataclass(frozen=True)
class Group:
    """Measurements that belong into one chart: key, name and style of each."""

    title: str
    y_label: str
    note: str
    keys: tuple[tuple[str, str, int], ...]
    references: tuple[Reference, ...] = ()
    log: bool = False
    reach: tuple[float, ...] = ()  # values that the y axis holds in any case
    counter: Counter = SEEN  # of the events that measure them


@dataclass(frozen=True)
class Curve:
    """A finished chart with the sentence below it."""

    title: str
    svg: str
    note: str


@dataclass(frozen=True)
class Measured:
    """One measurement at the times at which it was taken; None where no number came of it."""

    counts: Column = field(default_factory=list)
    values: Column = field(default_factory=list)
    intervals: list[Interval | None] = field(default_factory=list)

    def add(self, count: float | None, value: float | None, interval: Interval | None) -> None:
        """Add a point, or a gap."""
        self.counts.append(count)
        self.values.append(value)
        self.intervals.append(interval)


Measurements = dict[tuple[str, str], Measured]  # by kind of event and key


def read_measurements(events: Iterable[Json]) -> Measurements:
    """Collect what the events of each kind have measured.

    A gap is where an event has a key without a number, and where a rollback went back beyond a
    point; that events of another kind lie between two points is none.
    """
    found: Measurements = {}
    for event in events:
        kind = str(event["event"])
        if counter := COUNTERS.get(kind):
            count = number(event.get(counter.key))
            for key, value in _values(event).items():
                measured = found.setdefault((kind, key), Measured())
                measured.add(count, number(value), _interval(event, key))
        elif kind in ROLLBACKS:
            for measured in found.values():
                measured.add(None, None, None)
    return found


def _values(event: Json) -> Json:
    metrics = event.get("metrics")
    return (metrics if isinstance(metrics, dict) else {}) | {
        key: event[key] for key in OWN if key in event
    }


def _interval(event: Json, key: str) -> Interval | None:
    intervals = event.get("intervals")
    match intervals.get(key) if isinstance(intervals, dict) else None:
        case [low, high]:
            return number(low), number(high)
        case _:
            return None


def is_crowded(measurements: Measurements) -> bool:
    """Tell whether there are more points than a chart draws one by one."""
    return any(len(measured.values) > BUCKETS for measured in measurements.values())


def has_intervals(measurements: Measurements) -> bool:
    """Tell whether something was measured with an interval."""
    return any(any(measured.intervals) for measured in measurements.values())


def draw_curves(measurements: Measurements, objective: str, noun: str) -> list[Curve]:
    """Chart everything that was measured, the best known first; `noun` is what is counted."""
    familiar = known_groups(objective, noun)
    keys = {(group.counter, key) for group in familiar for key, _, _ in group.keys}
    others = [(COUNTERS[event], key) for event, key in measurements]
    groups = [*familiar, *other_groups([other for other in others if other not in keys])]
    drawn = (_draw(group, measurements, noun) for group in groups)
    return [curve for curve in drawn if curve]


def _draw(group: Group, measurements: Measurements, noun: str) -> Curve | None:
    series = [
        Series(name, measured.counts, measured.values, style, measured.intervals)
        for key, name, style in group.keys
        for event, counter in COUNTERS.items()
        if counter == group.counter and (measured := measurements.get((event, key)))
        if any(value is not None for value in measured.values)
    ]
    if not series:
        return None
    svg = line_chart(
        series,
        title=group.title,
        x_label=group.counter.words.format(noun=noun),
        y_label=group.y_label,
        references=group.references,
        reach=group.reach,
        log=group.log,
    )
    return Curve(group.title, svg, group.note)


def known_groups(objective: str, noun: str) -> tuple[Group, ...]:
    """Return the groups whose meaning is known, in reading order."""
    return (
        _preparation(),
        *_truth(),
        _losses(objective, noun),
        _areas(noun),
        _logits(objective, noun),
        _gradients(),
        _penalty(),
        *_pace(noun),
    )


def _preparation() -> Group:
    note = (
        "What the generator minimises in the phase before the game, on its own: look for a curve "
        "that sinks and levels off; of held-out data, for one that does not rise again."
    )
    keys = ("loss", "training", GENERATOR), ("held_out_loss", "held out", REAL)
    return Group("Loss before the game", "loss", note, keys, counter=LEARNED)


def _truth() -> tuple[Group, ...]:
    """Return what is measured of samples: against data or their density, and among each other."""
    return (
        Group(
            "Distance from the data",
            "kernel distance",
            "How far samples are from real data, by features that cost little: look for a curve "
            "that sinks towards 0; an evaluation measures with more care.",
            (("kid", "kernel distance", GENERATOR),),
            log=True,
            reach=(0.0,),
        ),
        Group(
            "Samples where the data are",
            "share",
            "The share of samples within 4σ of a centre of the known density: look for a curve "
            "that climbs towards 1.",
            (("high_quality", "share within 4σ", GENERATOR),),
            reach=(0.0, 1.0),
        ),
        Group(
            "Modes covered",
            "modes",
            "How many modes get at least a tenth of their fair share of the samples: look for a "
            "curve that reaches all of them and stays there.",
            (("modes", "modes", GENERATOR),),
            reach=(0.0,),
        ),
        Group(
            "Distance from the truth",
            "nats",
            "The reverse Kullback-Leibler divergence of the samples from the known density, and "
            "how far the discriminator's logit is from the true ln(p/q) (its median): look for "
            "two curves that sink towards 0.",
            (
                ("reverse_kl", "reverse KL", GENERATOR),
                ("log_ratio_error", "discriminator", DISCRIMINATOR),
            ),
            log=True,
            reach=(0.0,),
        ),
        Group(
            "Repeated samples",
            "share",
            "The share of samples that have a near-duplicate among the others, as close as the "
            "closest 2% of real ones are: look for a curve near 0.02; near 1, all are alike.",
            (("twins", "with a near-duplicate", GENERATOR),),
            reach=(0.0,),
        ),
    )


def _losses(objective: str, noun: str) -> Group:
    note, references = _equilibrium(objective, noun)
    keys = (
        ("discriminator/loss", "discriminator", DISCRIMINATOR),
        ("generator/loss", "generator", GENERATOR),
    )
    return Group("Losses", "loss", note, keys, references)


def _equilibrium(objective: str, noun: str) -> tuple[str, tuple[Reference, ...]]:
    """Return what to look for in the losses, and their values at equilibrium."""
    ln2, ln4 = Reference(log(2), "ln 2"), Reference(log(4), "ln 4")
    cross_entropy = (
        "Look for two curves that settle into a band: a discriminator at ln 4 = 1.386 can only "
        "guess (the dotted lines mark this equilibrium), one near 0 catches every fake."
    )
    match objective:
        case "non-saturating":
            return cross_entropy, (ln4, ln2)
        case "minimax":
            return cross_entropy, (ln4, Reference(-log(2), "\N{MINUS SIGN}ln 2"))
        case "relativistic":
            note = (
                "Look for two curves that settle into a band: at the dotted line, ln 2 = 0.693, "
                f"the discriminator cannot tell a real {noun} from a fake; near 0 it always can."
            )
            return note, (ln2,)
        case _:
            note = (
                "Look for two curves that settle into a band and do not run away; a lower loss "
                f"does not mean better {noun}s, since each player is measured against the other."
            )
            return note, ()


def _logits(objective: str, noun: str) -> Group:
    entropy = objective in ("minimax", "non-saturating")
    end = ", and both end at 0 where the discriminator can only guess" if entropy else ""
    note = (
        "The discriminator's score, higher for what it takes to be real: look for a small and "
        f"steady gap; a gap that keeps growing means that it is winning{end}."
    )
    keys = (
        ("discriminator/real", f"real {noun}s", REAL),
        ("discriminator/fake", f"generated {noun}s", FAKE),
    )
    references = (Reference(0.0, "guess"),) if entropy else ()
    return Group("What the discriminator thinks", "mean logit", note, keys, references)


def _areas(noun: str) -> Group:
    note = (
        f"In which share of pairs a real {noun} scores higher than a generated one, and a "
        f"{noun} of the training data higher than one held out. Near 0.5 the discriminator "
        "cannot tell; at 1 it always can. Look for a second curve that stays low: what climbs "
        "towards 1 is memory."
    )
    keys = (
        ("separation", "real over generated", DISCRIMINATOR),
        ("memory", "training over held out", REAL),
    )
    return Group("How sure the discriminator is", "share", note, keys, (Reference(0.5, "guess"),))


def _gradients() -> Group:
    note = (
        "How hard each player is pushed to change: look for a steady level; sudden jumps mean "
        "unstable training, and a norm that sinks to nothing means that a player stopped learning."
    )
    keys = (
        ("discriminator/gradient_norm", "discriminator", DISCRIMINATOR),
        ("generator/gradient_norm", "generator", GENERATOR),
    )
    return Group("Gradient norms", "norm", note, keys, log=True, reach=(0.0,))


def _penalty() -> Group:
    note = (
        "The price the discriminator pays for being too steep: look for a small and steady value; "
        "growth without end means that the penalty is losing."
    )
    keys = (("discriminator/penalty", "penalty", DISCRIMINATOR),)
    return Group("Penalty", "penalty", note, keys, log=True, reach=(0.0,))


def _pace(noun: str) -> tuple[Group, Group]:
    rate = (
        "The size of each step: look for the smooth course that the plan set; a sudden drop is a "
        "rollback that went on with smaller steps."
    )
    speed = "Look for a level line: a dip means that the machine was busy with something else."
    return (
        Group(
            "Learning rate",
            "learning rate",
            rate,
            (("learning_rate", "learning rate", OTHER),),
            reach=(0.0,),
        ),
        Group(
            "Speed",
            f"{noun}s per second",
            speed,
            (("images_per_second", f"{noun}s per second", OTHER),),
            reach=(0.0,),
        ),
    )


def other_groups(keys: Sequence[tuple[Counter, str]]) -> list[Group]:
    """Group measurements that nobody foresaw: those of both players share a chart."""
    groups: dict[tuple[Counter, str], dict[str, tuple[str, int]]] = {}
    for counter, key in keys:
        player, _, what = key.partition("/")
        styles = {"discriminator": DISCRIMINATOR, "generator": GENERATOR}
        title, name = (what, player) if what and player in styles else (key, key)
        groups.setdefault((counter, title), {})[key] = name, styles.get(player, OTHER)
    note = "Recorded by this run under its own name: look for jumps and for a slow drift."
    return [
        Group(
            _titled(title) + counter.when,
            "value",
            note,
            tuple((key, *named) for key, named in members.items()),
            counter=counter,
        )
        for (counter, title), members in groups.items()
    ]


def _titled(key: str) -> str:
    words = key.replace("_", " ").replace("/", ": ")
    return words[:1].upper() + words[1:]
