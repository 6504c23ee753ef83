"""The report: one HTML file that opens from disk, with no script and nothing from the network.

Inside: `write_report` and what its template is given. Not inside: reading (`facts`), charts.
"""

import time
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from sparring.report.curves import draw_curves, has_intervals, is_crowded, read_measurements
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
    uses,
)
from sparring.report.words import count, counted, encodable, moment, number, short
from sparring.runs.folder import Json, RunFolder, write_text

MAX_SKIPPED = 100
MAX_CLASSES = 40
UNEVENTFUL = (
    *("started", "preparation", "tick", "observed", "diagnosis", "checkpoint", "samples"),
    "finished",
)


def write_report(folder: RunFolder) -> Path:
    """Write `report.html` from whatever the run folder holds so far; return its path."""
    write_text(folder.report, encodable(render(read_facts(folder))))
    return folder.report


def render(facts: Facts) -> str:
    """Return the page as HTML; every text that comes from the run is escaped."""
    return _template().render(**context(facts))


@cache
def _template() -> Template:
    """Return the page's template: compiled once, for it takes longer than to fill it."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": count, "counted": counted}
    source = (files("sparring.report") / "report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(source)


def context(facts: Facts) -> dict[str, Any]:
    """Return all that the template shows."""
    measurements = read_measurements(facts.events)
    curves = draw_curves(measurements, facts.textbook_objective, facts.noun)
    return {
        "facts": facts,
        "status": status_words(facts),
        "effort": effort_words(facts),
        "curves": [(curve.title, Markup(curve.svg), curve.note) for curve in curves],
        "intervals": has_intervals(measurements),
        "crowded": is_crowded(measurements),
        "events": [
            _event(event, facts.noun) for event in facts.events if event["event"] not in UNEVENTFUL
        ],
        "health": health(facts),
        "evaluation": evaluation_lines(facts),
        "evaluation_basis": evaluation_basis(facts),
        "evaluation_notes": evaluation_notes(facts),
        "evaluation_verdict": evaluation_verdict(facts),
        "plan": plan_lines(facts),
        "origin": origin_lines(facts),
        "use": uses(facts),
        "written": moment(time.time()),
        **_data(facts),
    }


def _data(facts: Facts) -> dict[str, Any]:
    classes, skipped = class_counts(facts), skipped_files(facts)
    largest = max((n for _, n in classes), default=0) or 1
    return {
        "data": data_lines(facts),
        "notes": [str(note) for note in rows(facts.data.get("notes"))],
        "classes": [(name, n, f"{100 * n / largest:.1f}%") for name, n in classes[:MAX_CLASSES]],
        "more_classes": len(classes[MAX_CLASSES:]),
        "skipped": skipped[:MAX_SKIPPED],
        "skipped_count": len(skipped),
        "more_skipped": len(skipped[MAX_SKIPPED:]),
    }


def _event(event: Json, noun: str) -> tuple[str, str, str, str]:
    """Return a row of the table: how much was seen, time, what happened, why and how."""
    images = number(event.get("images"))
    seen = "" if images is None else count(images)
    return seen, moment(event.get("time")), _happening(str(event["event"])), _details(event, noun)


def _happening(event: str) -> str:
    match event:
        case "rollback":
            return "Went back to an earlier state"
        case "preparation_rollback":
            return "Went back to an earlier state, before the game"
        case "resumed":
            return "Continued from a checkpoint"
        case "unwritten":
            return "Could not write a file"
        case "failed" | "interrupted":
            return event.capitalize()
        case _:
            return event.replace("_", " ")


def _details(event: Json, noun: str) -> str:
    attempt, factor = number(event.get("attempt")), number(event.get("learning_rate_factor"))
    failed_at = number(event.get("failed_at"))
    parts = [
        str(event["what"]) if event.get("what") else "",
        str(event["reason"]) if event.get("reason") else "",
        str(event["origin"]) if event.get("origin") else "",
        f"at {counted(failed_at, noun)}" if failed_at is not None else "",
        f"attempt {count(attempt)}" if attempt is not None else "",
        f"learning rate × {short(factor)}" if factor is not None else "",
    ]
    return ", ".join(part for part in parts if part)
