"""What a run folder tells, read so that a missing, damaged or half-written file costs only itself.

Inside: `read_facts`, and the questions that both the page and the card ask.
Not inside: wording of either (`page`, `card`), measurements over time (`curves`).
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from sparring.data.output import Media
from sparring.errors import SparringError
from sparring.kinds import KINDS, kind_named, kind_of, read_spec
from sparring.kinds.kind import Kind
from sparring.metrics.estimate import CARD_DIGITS, Estimate, format_estimate
from sparring.metrics.trend import Trend
from sparring.report.media import (
    Picture,
    Players,
    Texts,
    numbered_files,
    read_picture,
    read_players,
    read_texts,
)
from sparring.report.words import command_line, count, counted, duration, moment, number
from sparring.runs.folder import Json, RunFolder, read_json, too_early

Pairs = list[tuple[str, str]]
ENDINGS = {
    "finished": "Finished",
    "interrupted": "Interrupted",
    "failed": "Failed",
    "running": "Running, or stopped without a word",
}


class Use(NamedTuple):
    """A way to use a run: what for, and the text to type."""

    purpose: str
    language: str
    text: str


@dataclass(frozen=True)
class Facts:
    """A run as its files tell it; `problems` names the files that could not be read."""

    folder: RunFolder
    run: Json
    data: Json
    recipe: Json
    recipe_text: str
    events: tuple[Json, ...]
    evaluation: Json
    figures: tuple[tuple[Picture, str], ...]  # of the evaluation, and their captions
    real: Picture | None
    progress: Picture | None
    sample: tuple[int, Picture] | None  # samples seen, and the newest picture that is whole
    players: tuple[Players, ...]  # sounds to listen to
    texts: Texts  # to read
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        """The run's name, by default its folder's."""
        return str(self.run.get("name") or self.folder.name)

    @property
    def address(self) -> str:
        """The run as a command finds it from the folder in which training was started."""
        path = self.folder.path.absolute()
        return f"{path.parent.name}/{path.name}" if path.parent.name else path.name

    @property
    def noun(self) -> str:
        """What people call one item of the data."""
        kind = kind_in(self.data)
        return kind.noun if kind else "sample"

    @property
    def status(self) -> str:
        """One of `ENDINGS`, or an empty text."""
        status = self.run.get("status")
        return status if isinstance(status, str) and status in ENDINGS else ""

    @property
    def textbook_objective(self) -> str:
        """The objective, or an empty text: smoothed labels move the textbook's equilibrium."""
        return "" if self.recipe.get("label_smoothing") else str(self.recipe.get("objective", ""))

    @property
    def samples_seen(self) -> float | None:
        """Samples seen so far."""
        return self._latest("images")

    @property
    def seconds(self) -> float | None:
        """Seconds of training so far."""
        total = number(self.run.get("seconds"))
        return self._latest("seconds") if total is None or self.status == "running" else total

    def _latest(self, key: str) -> float | None:
        events = (e for e in reversed(self.events) if e["event"] != "rollback")
        return next((n for e in events if (n := number(e.get(key))) is not None), None)


def read_facts(folder: RunFolder) -> Facts:
    """Read every file of a run that is there."""
    problems: list[str] = []
    text = _recipe_text(folder, problems)
    pictures = {name: _picture(folder, name, problems) for name in ("real.png", "progress.png")}
    run, data = (_object(folder, name, problems) for name in ("run.json", "data.json"))
    media = _media(kind_in(data))
    return Facts(
        folder=folder,
        run=run,
        data=data,
        recipe=_recipe(text, problems),
        recipe_text=text,
        events=_events(folder, problems),
        evaluation=_object(folder, "evaluation.json", problems),
        figures=_figures(folder, media.figures, problems),
        real=pictures["real.png"],
        progress=pictures["progress.png"],
        sample=_newest_sample(folder, problems),
        players=read_players(folder.samples, media.players),
        texts=read_texts(folder.samples, media.texts),
        problems=tuple(problems),
    )


def kind_in(data: Json) -> Kind[Any] | None:
    """Return the kind that `data.json` names, if it names one."""
    try:
        return kind_named(str(data.get("kind")))
    except SparringError:
        return None


def _media(kind: Kind[Any] | None) -> Media:
    """Return what there is to be shown of a kind; of all, where it cannot be told."""
    if kind:
        return kind.output.MEDIA
    every = [kind.output.MEDIA for kind in KINDS]
    return Media(
        figures={name: media.figures[name] for media in every for name in media.figures},
        texts={name: media.texts[name] for media in every for name in media.texts},
        players={name: media.players[name] for media in every for name in media.players},
    )


def _object(folder: RunFolder, name: str, problems: list[str]) -> Json:
    path = folder.path / name
    if not path.exists():
        return {}
    try:
        return read_json(path)
    except SparringError:
        problems.append(f"{name} is damaged and was left out.")
        return {}


def _recipe_text(folder: RunFolder, problems: list[str]) -> str:
    try:
        return folder.recipe.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError:
        problems.append("recipe.toml cannot be read and was left out.")
        return ""


def _recipe(text: str, problems: list[str]) -> Json:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        problems.append("recipe.toml is damaged; it is shown as it is.")
        return {}


def _events(folder: RunFolder, problems: list[str]) -> tuple[Json, ...]:
    try:
        return tuple(folder.read_events())
    except (OSError, KeyError, TypeError):
        problems.append("events.jsonl is damaged and was left out.")
        return ()


def _picture(folder: RunFolder, name: str, problems: list[str]) -> Picture | None:
    path = folder.samples / name
    picture = read_picture(path)
    if picture is None and path.exists():
        problems.append(f"samples/{name} is not a whole picture and was left out.")
    return picture


def _figures(
    folder: RunFolder, captions: Mapping[str, str], problems: list[str]
) -> tuple[tuple[Picture, str], ...]:
    pictures = ((_picture(folder, name, problems), captions[name]) for name in captions)
    return tuple((picture, caption) for picture, caption in pictures if picture)


def _newest_sample(folder: RunFolder, problems: list[str]) -> tuple[int, Picture] | None:
    for images, path in reversed(numbered_files(folder.samples, "png")):
        if picture := _picture(folder, path.name, problems):
            return images, picture
    return None


def table(value: Any) -> Json:
    """Return a JSON object, empty where there is none."""
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[Any]:
    """Return a JSON list, empty where there is none."""
    return value if isinstance(value, list) else []


def status_words(facts: Facts) -> str:
    """Say how the run stands and why."""
    words = ENDINGS.get(facts.status, "Its status is not recorded")
    reason = facts.run.get("reason")
    if facts.status == "running":
        last = moment(facts.events[-1].get("time")) if facts.events else ""
        return f"{words}; last sign of life {last}." if last else f"{words}."
    ended = f"{words}: {reason}." if reason and facts.status else f"{words}."
    trend = facts.run.get("trend")
    return f"{ended} By its looks at samples: {trend}." if trend in get_args(Trend) else ended


def effort_words(facts: Facts) -> str:
    """Say how long the run trained and how much it saw."""
    parts = []
    if facts.seconds is not None:
        parts.append(f"Trained for {duration(facts.seconds)}{_where(facts)}{_before(facts)}")
    if facts.samples_seen is not None:
        parts.append(f"{counted(facts.samples_seen, facts.noun)} seen{_passes(facts)}")
    return ("; ".join(parts) or "Nothing has been trained yet") + "."


def _before(facts: Facts) -> str:
    """Say what the phase before the game had of the time, where there was one."""
    last = next((e for e in reversed(facts.events) if e["event"] == "preparation"), {})
    samples, seconds = number(last.get("prepared")), number(last.get("seconds"))
    if samples is None or seconds is None:
        return ""
    method = f" {last['method']}" if last.get("method") else ""
    return f", {duration(seconds)} of it before the game, on {counted(samples, facts.noun)}{method}"


def _where(facts: Facts) -> str:
    device, threads = facts.run.get("device"), number(facts.run.get("threads"))
    on = f" on {'the CPU' if device == 'cpu' else device}" if device else ""
    return f"{on} with {counted(threads, 'thread')}" if on and threads else on


def _passes(facts: Facts) -> str:
    train = number(facts.data.get("train"))
    if not train or train < 1 or not facts.samples_seen:
        return ""
    passes = facts.samples_seen / train
    number_of = count(passes) if passes >= 10 else f"{passes:.1f}"
    return f", about {number_of} passes over the training {facts.noun}s"


def plan_lines(facts: Facts) -> Pairs:
    """Return the plan as printed before the first step."""
    pairs = (row for row in rows(facts.run.get("plan")) if isinstance(row, list))
    return [(str(row[0]), str(row[1])) for row in pairs if len(row) == 2]


def skipped_files(facts: Facts) -> Pairs:
    """Return each file that was not used, and why."""
    entries = (table(entry) for entry in rows(facts.data.get("skipped")))
    return [(str(e.get("path", "?")), str(e.get("reason", "?"))) for e in entries if e]


def class_counts(facts: Facts) -> list[tuple[str, int]]:
    """Return the classes, the largest first."""
    counts = ((str(k), number(v)) for k, v in table(facts.data.get("classes")).items())
    numbers = [(name, round(n)) for name, n in counts if n is not None and n >= 0]
    return sorted(numbers, key=lambda item: -item[1])


def data_lines(facts: Facts) -> Pairs:
    """Return what the data is: name, size, shape."""
    return list(_data_lines(facts))


def _data_lines(facts: Facts) -> Iterator[tuple[str, str]]:
    about, data = table(facts.run.get("data")), facts.data
    name, source = about.get("name"), about.get("source")
    if name:
        yield "Name", str(name)
    if source and source != name:
        yield "Source", str(source)
    for label, key in (
        (f"{facts.noun.capitalize()}s", "count"),
        ("Trained on", "train"),
        ("Held out", "held_out"),
    ):
        if (n := number(data.get(key))) is not None:
            yield label, count(n)
    yield from _spec_lines(facts)


def _spec_lines(facts: Facts) -> Sequence[tuple[str, str]]:
    """Return what one item is; nothing where that cannot be told."""
    try:
        spec = read_spec(facts.data)
        return kind_of(spec).codec.facts(spec)
    except (SparringError, ArithmeticError):  # a length of no sense has no number of seconds
        return ()


def origin_lines(facts: Facts) -> Pairs:
    """Return what someone needs to repeat the run."""
    run = facts.run
    fingerprint = facts.data.get("fingerprint") or table(run.get("data")).get("fingerprint")
    versions = ", ".join(f"{k} {v}" for k, v in table(run.get("versions")).items())
    lines = (
        ("Command", command_line([str(word) for word in rows(run.get("command"))])),
        ("Seed", run.get("seed")),
        ("Data fingerprint", fingerprint),
        ("Versions", versions),
        ("Started", moment(run.get("started"))),
        ("Ended", moment(run.get("ended"))),
    )
    return [(label, str(value)) for label, value in lines if value not in (None, "")]


class EvaluationLine(NamedTuple):
    """A line of the evaluation, as text."""

    name: str
    estimate: str
    real_vs_real: str
    words: str


def evaluation_lines(facts: Facts) -> list[EvaluationLine]:
    """Return what was measured of the samples, beside the same for real data."""
    entries = (table(entry) for entry in rows(facts.evaluation.get("lines")))
    return [
        EvaluationLine(
            str(entry.get("name", "?")),
            _interval(table(entry.get("estimate"))),
            _interval(table(entry.get("at_truth"))),
            str(entry.get("words", "")),
        )
        for entry in entries
        if entry
    ]


class Finding(NamedTuple):
    """Something wrong with the run: what was seen, what theory says, what to try, since when."""

    name: str
    words: str
    theory: str
    advice: str
    since: float | None  # samples seen


class Health(NamedTuple):
    """What the last diagnosis found, and the names of what was found before and has passed."""

    findings: list[Finding]
    passed: list[str]
    words: str  # where nothing was found


def health(facts: Facts) -> Health | None:
    """Return what the run shows; None where nobody has looked."""
    events = [event for event in facts.events if event["event"] == "diagnosis"]
    if not events:
        return None
    since: dict[str, float | None] = {}
    for event in events:
        now = [_name(entry) for entry in _findings(event)]
        since = {name: since.get(name, number(event.get("images"))) for name in now}
    ever = dict.fromkeys(_name(entry) for event in events for entry in _findings(event))
    findings = [_finding(entry, since[_name(entry)]) for entry in _findings(events[-1])]
    early = too_early(facts.events)
    words = f"The run is {early}." if early else "Nothing that a healthy run would not show."
    return Health(findings, [name for name in ever if name not in since], words)


def _findings(event: Json) -> list[Json]:
    return [entry for value in rows(event.get("findings")) if (entry := table(value))]


def _finding(entry: Json, since: float | None) -> Finding:
    words, theory, advice = (str(entry.get(key, "?")) for key in ("words", "theory", "advice"))
    return Finding(_name(entry), words, theory, advice, since)


def _name(entry: Json) -> str:
    return str(entry.get("name", "?"))


def evaluation_basis(facts: Facts) -> str:
    """Say what the evaluation compared, and by which features."""
    about = facts.evaluation
    fake, real = number(about.get("fake")), number(about.get("real"))
    if fake is None or real is None:
        return ""
    part = {"held_out": "held-out ", "train": "training "}.get(str(about.get("part")), "")
    return (
        f"{counted(fake, 'sample')} of checkpoint {about.get('checkpoint')} against "
        f"{count(real)} {part}{facts.noun}s of {about.get('data')}, by the features "
        f"{about.get('extractor')} ({about.get('digest')}, {about.get('width')} wide); "
        "intervals of 95 %."
    )


def evaluation_verdict(facts: Facts) -> str:
    """Return what all tests of the evaluation say together; nothing of version 0.1."""
    words = str(facts.evaluation.get("words") or "")
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def evaluation_notes(facts: Facts) -> list[str]:
    """Return what should be known beside the lines of the evaluation."""
    return [str(note) for note in rows(facts.evaluation.get("notes"))]


def _interval(estimate: Json) -> str:
    value, low, high, p_value = (
        number(estimate.get(key)) for key in ("value", "low", "high", "p_value")
    )
    if value is None or low is None or high is None:
        return ""
    return format_estimate(Estimate(value, low, high, 0, "", p_value=p_value), CARD_DIGITS)


def uses(facts: Facts) -> list[Use]:
    """Return how to go on with a run."""
    run = command_line([facts.address])
    address = json.dumps(facts.address, ensure_ascii=False)
    snippet = f"import sparring\n\n{facts.noun}s = sparring.load({address}).sample(64)"
    return [
        Use("Draw 64 new samples", "sh", f"sparring sample {run} -n 64"),
        Use("Train on from the last checkpoint", "sh", f"sparring resume {run}"),
        Use("From Python", "python", snippet),
    ]
