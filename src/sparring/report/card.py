"""The model card: a README.md that tells other people what this generator is and is not.

Inside: `write_card`, one function for each section, and Markdown escaping.
Not inside: curves and events, which the report shows to the run's owner.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from sparring.report.facts import (
    Facts,
    class_counts,
    data_lines,
    effort_words,
    evaluation_basis,
    evaluation_lines,
    evaluation_notes,
    evaluation_verdict,
    health,
    origin_lines,
    plan_lines,
    read_facts,
    rows,
    skipped_files,
    status_words,
    table,
    uses,
)
from sparring.report.words import count, counted, encodable, number
from sparring.runs.folder import RunFolder, write_text

MAX_CLASSES = 20  # that are named
UNMEASURED = "- No quality metric was computed: the samples above are all the evidence there is.\n"
LIMITS = """\
- A generator may reproduce what it was trained on, or parts of it, most of all when the data are
  few.
- It may leave out what is rare in the data, and it repeats the data's biases.
- The licence of the data, and the rights of those shown in them, apply to the samples too."""


def write_card(folder: RunFolder) -> Path:
    """Write `README.md` from whatever the run folder holds so far; return its path."""
    write_text(folder.card, encodable(render(read_facts(folder))))
    return folder.card


def render(facts: Facts) -> str:
    """Return the card as Markdown; every text that comes from the run is escaped."""
    sections = (
        f"# {escaped(facts.name)}\n\n{_about(facts)}",
        _picture(facts),
        _section("Data", _data(facts)),
        _section("Training", _training(facts)),
        _section("How to use it", _use(facts)),
        _section("How good it is", _evaluation(facts)),
        _section("Limits", ("" if facts.evaluation else UNMEASURED) + _unwell(facts) + LIMITS),
        _section("Versions", _table(origin_lines(facts))),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    line = " ".join(text.split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]{}#|~!$])", r"\\\1", line)
    return re.sub(r"^(\d*)([-+.)])(?=\s|$)", r"\1\\\2", line)  # would begin a list


def code(text: str, language: str) -> str:
    """Return a code block with a fence that the text cannot close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}" if body else ""


def _table(pairs: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {escaped(label)} | {escaped(text)} |" for label, text in pairs]
    return "\n".join(["| | |", "|---|---|", *lines]) if lines else ""


def _about(facts: Facts) -> str:
    name = table(facts.run.get("data")).get("name")
    like = f" like those in **{escaped(str(name))}**" if name else ""
    return (
        f"A generative adversarial network that makes {facts.noun}s{like}, trained with "
        "`sparring`. "
        f"{escaped(status_words(facts))} {escaped(effort_words(facts))}"
    )


def _picture(facts: Facts) -> str:
    if not facts.sample:
        return ""
    images, picture = facts.sample
    caption = f"Samples after {counted(images, facts.noun)}"
    return f"![{caption}](samples/{picture.path.name})\n\n*{caption}, not selected by hand.*"


def _data(facts: Facts) -> str:
    parts = [_table(data_lines(facts)), _classes(facts)]
    if skipped := skipped_files(facts):
        parts.append(f"{counted(len(skipped), 'file')} skipped; `data.json` says which and why.")
    notes = rows(facts.data.get("notes"))
    parts.append("\n".join(f"- {escaped(str(note))}" for note in notes))
    return "\n\n".join(part for part in parts if part)


def _classes(facts: Facts) -> str:
    classes = class_counts(facts)
    named = [f"{escaped(name)} ({count(n)})" for name, n in classes[:MAX_CLASSES]]
    more = f" and {count(len(classes) - MAX_CLASSES)} more" if len(classes) > MAX_CLASSES else ""
    return f"Classes: {', '.join(named)}{more}." if named else ""


def _training(facts: Facts) -> str:
    parts = [_table(plan_lines(facts))]
    if facts.recipe_text:
        seed = number(facts.run.get("seed"))
        with_seed = f" with seed {seed:.0f}" if seed is not None else ""
        parts.append(f"The whole recipe is in [recipe.toml](recipe.toml){with_seed}.")
    return "\n\n".join(part for part in parts if part)


def _evaluation(facts: Facts) -> str:
    lines = [
        f"| {escaped(name)} | {escaped(estimate)} | {escaped(real)} | {escaped(words)} |"
        for name, estimate, real, words in evaluation_lines(facts)
    ]
    if not lines:
        return ""
    head = ["| | samples | real against real | |", "|---|---|---|---|"]
    notes = [f"- {escaped(note)}" for note in evaluation_notes(facts)]
    verdict = [f"**{escaped(said)}**", ""] if (said := evaluation_verdict(facts)) else []
    table = "\n".join([*verdict, escaped(evaluation_basis(facts)), "", *head, *lines])
    return "\n\n".join([table, *(["\n".join(notes)] if notes else [])])


def _unwell(facts: Facts) -> str:
    diagnosis = health(facts)
    findings = diagnosis.findings if diagnosis else []
    return "".join(
        f"- Training ended with {escaped(finding.name)}: {escaped(finding.words)}.\n"
        for finding in findings
    )


def _use(facts: Facts) -> str:
    blocks = (f"{use.purpose}:\n\n{code(use.text, use.language)}" for use in uses(facts))
    return "\n\n".join(blocks)
