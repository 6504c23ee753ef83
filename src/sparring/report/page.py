"""The report: one HTML file that opens from disk, with no script and nothing from the network.

Inside: `write_report` and what its template is given. Not inside: reading (`facts`), charts.
"""

import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from sparring.report import facts as told
from sparring.report.curves import draw_curves, read_ticks
from sparring.report.facts import Facts
from sparring.report.words import count, counted, encodable, moment, number, short
from sparring.runs import Json, RunFolder, write_text

MOST_SKIPPED = 100
MOST_CLASSES = 40
UNEVENTFUL = ("started", "tick", "observed", "diagnosis", "checkpoint", "samples", "finished")


def write_report(folder: RunFolder) -> Path:
    """Write `report.html` from whatever the run folder holds so far; return its path."""
    write_text(folder.report, encodable(render(told.read_facts(folder))))
    return folder.report


def render(facts: Facts) -> str:
    """Return the page as HTML; every text that comes from the run is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": count, "counted": counted}
    template = (files("sparring.report") / "report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(**context(facts))


def context(facts: Facts) -> dict[str, Any]:
    """Return all that the template shows."""
    ticks = read_ticks(facts.events)
    curves = draw_curves(ticks, facts.textbook_objective, facts.thing)
    return {
        "facts": facts,
        "status": told.status_words(facts),
        "effort": told.effort_words(facts),
        "curves": [(curve.title, Markup(curve.svg), curve.note) for curve in curves],
        "crowded": ticks.crowded,
        "events": [
            _event(event, facts.thing) for event in facts.events if event["event"] not in UNEVENTFUL
        ],
        "health": told.health(facts),
        "judged": told.judged_lines(facts),
        "judged_by": told.judged_by(facts),
        "judged_notes": told.judged_notes(facts),
        "plan": told.plan_lines(facts),
        "origin": told.origin_lines(facts),
        "use": told.uses(facts),
        "written": moment(time.time()),
        **_data(facts),
    }


def _data(facts: Facts) -> dict[str, Any]:
    classes, skipped = told.class_counts(facts), told.skipped_files(facts)
    largest = max((n for _, n in classes), default=0) or 1
    return {
        "data": told.data_lines(facts),
        "notes": [str(note) for note in told.rows(facts.data.get("notes"))],
        "classes": [(name, n, f"{100 * n / largest:.1f}%") for name, n in classes[:MOST_CLASSES]],
        "more_classes": len(classes[MOST_CLASSES:]),
        "skipped": skipped[:MOST_SKIPPED],
        "skipped_count": len(skipped),
        "more_skipped": len(skipped[MOST_SKIPPED:]),
    }


def _event(event: Json, thing: str) -> tuple[str, str, str, str]:
    """Return a row of the table: how much was seen, time, what happened, why and how."""
    images = number(event.get("images"))
    seen = "" if images is None else count(images)
    return seen, moment(event.get("time")), _happening(str(event["event"])), _details(event, thing)


def _happening(kind: str) -> str:
    match kind:
        case "rollback":
            return "Went back to an earlier state"
        case "resumed":
            return "Continued from a checkpoint"
        case "unwritten":
            return "Could not write a file"
        case "failed" | "interrupted":
            return kind.capitalize()
        case _:
            return kind.replace("_", " ")


def _details(event: Json, thing: str) -> str:
    attempt, factor = number(event.get("attempt")), number(event.get("learning_rate_factor"))
    failed_at = number(event.get("failed_at"))
    parts = [
        str(event["what"]) if event.get("what") else "",
        str(event["reason"]) if event.get("reason") else "",
        str(event["origin"]) if event.get("origin") else "",
        f"at {counted(failed_at, thing)}" if failed_at is not None else "",
        f"attempt {count(attempt)}" if attempt is not None else "",
        f"learning rate × {short(factor)}" if factor is not None else "",
    ]
    return ", ".join(part for part in parts if part)
