"""The report and the card: from a whole run, from what a kill left over, and from hostile names."""

import json
import math
import re
import shutil
import xml.etree.ElementTree as Tree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sparring.report import write_card, write_report
from sparring.report.card import code, escaped
from sparring.report.charts import BUCKETS, Reference, Series, axis_over, line_chart, thin
from sparring.report.curves import draw_curves, read_measurements
from sparring.report.words import duration, number, short, spaced
from sparring.runs.folder import RunFolder

HOSTILE = "<img src=x onerror=alert(1)>"
VOID = {"img", "meta", "link", "br", "hr", "input", "base"}
SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """Checks that tags nest, and collects tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def tick(images: int, **metrics: Any) -> dict[str, Any]:
    return {
        "event": "tick",
        "time": 1_700_000_000 + images,
        "step": images // 10,
        "images": images,
        "seconds": images / 100,
        "images_per_second": 100.0,
        "metrics": metrics or {"discriminator/loss": 1.4, "generator/loss": 0.7},
        "learning_rate": 0.002,
    }


def write_events(folder: RunFolder, *events: dict[str, Any]) -> None:
    folder.events.write_text("".join(json.dumps(event) + "\n" for event in events))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def empty(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "runs" / "0007-mnist-small")
    folder.path.mkdir(parents=True)
    return folder


@pytest.fixture
def full(empty: RunFolder) -> RunFolder:
    empty.samples.mkdir()
    for name, size in {
        "real.png": (16, 16),
        "000001000.png": (16, 17),
        "000025000.png": (16, 18),
        "progress.png": (40, 8),
    }.items():
        Image.new("L", size, 90).save(empty.samples / name)
    run = {
        "format": 1,
        "name": "0007-mnist-small",
        "command": ["sparring", "train", "mnist"],
        "versions": {"sparring": "0.1.0", "torch": "2.13.0"},
        "device": "cpu",
        "threads": 2,
        "seed": 31,
        "status": "finished",
        "reason": "budget reached",
        "started": 1_700_000_000,
        "ended": 1_700_000_900,
        "seconds": 873.2,
        "plan": [["data", "4,500 images 28x28 grey"], ["game", "non-saturating"]],
        "data": {"source": "mnist", "name": "mnist", "fingerprint": "f1n6e4"},
    }
    data = {
        "kind": "image",
        "count": 5000,
        "train": 4500,
        "held_out": 500,
        "spec": {"height": 28, "width": 28, "channels": 1},
        "classes": {"cat": 12, "dog": 300},
        "skipped": [{"path": "a.png", "reason": "truncated"}],
        "notes": ["two sizes of image"],
        "fingerprint": "f1n6e4",
    }
    empty.run.write_text(json.dumps(run))
    empty.data.write_text(json.dumps(data))
    empty.recipe.write_text('objective = "non-saturating"\nseed = 31\n')
    rollback = {"event": "rollback", "images": 10_000, "reason": "not finite", "attempt": 1}
    write_events(
        empty,
        {"event": "started", "images": 0},
        tick(10_000),
        rollback | {"failed_at": 15_000, "learning_rate_factor": 0.5},
        {"event": "unwritten", "what": "samples", "reason": "no space"},
        tick(25_000),
    )
    return empty


def report(folder: RunFolder) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


def test_a_finished_run_is_told_in_words(full: RunFolder) -> None:
    words = report(full).words
    assert "Finished: budget reached." in words
    assert "Trained for 14 min 33 s on the CPU with 2 threads" in words
    assert "25,000 images seen, about 5.6 passes" in words


def test_the_sections_come_in_reading_order(full: RunFolder) -> None:
    headings = re.findall("<h2>(.*?)</h2>", write_report(full).read_text())
    assert headings == [
        "Samples",
        "Progress",
        "Curves",
        "Events",
        "Plan",
        "Data",
        "How to use it",
        "How to repeat it",
    ]


def test_the_report_tells_all_that_the_files_hold(full: RunFolder) -> None:
    words = report(full).words
    for told in (
        "4,500 images 28x28 grey",
        "28 × 28 pixels, grey",
        "two sizes of image",
        "truncated",
        "Went back to an earlier state",
        "samples, no space",
        "not finite, at 15,000 images, attempt 1, learning rate × 0.5",
        "sparring sample runs/0007-mnist-small -n 64",
        "sparring resume runs/0007-mnist-small",
        'sparring.load("runs/0007-mnist-small").sample(64)',
        'objective = "non-saturating"\nseed = 31',
        "torch 2.13.0",
        "f1n6e4",
        "sparring train mnist",
    ):
        assert told in words, told


def test_the_newest_samples_stand_beside_the_real_images(full: RunFolder) -> None:
    page = report(full)
    assert [image["height"] for image in page.named("img")] == ["18", "16", "8"]
    assert all(image["class"] == "pixels" for image in page.named("img"))
    assert "after 25,000 images" in page.words


def test_the_report_loads_nothing_and_runs_nothing(full: RunFolder) -> None:
    page = report(full)
    assert not {"script", "link", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on")], tag
        loads = {"src", "href", "srcset", "action", "data", "poster"} & attributes.keys()
        inside = "data:image/png;base64,", "data:audio/wav;base64,"
        assert all(attributes[key].startswith(inside) for key in loads), tag
    policies = [m["content"] for m in page.named("meta") if "http-equiv" in m]
    assert policies[0].startswith("default-src 'none'; img-src data:; media-src data:; style-src")
    html = full.report.read_text().replace(SVG.strip("{}"), "")
    assert not re.findall(r"https?:|//[a-z]|url\(|@import", re.sub('"data:[^"]*"', "", html))


def test_every_picture_and_chart_has_a_text(full: RunFolder) -> None:
    page = report(full)
    assert page.named("img")
    assert page.named("svg")
    assert all(image["alt"] for image in page.named("img"))
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.named("svg"))
    assert len(page.named("desc")) == len(page.named("svg"))


def test_an_empty_folder_still_gives_a_report_and_a_card(empty: RunFolder) -> None:
    assert "Nothing has been trained yet" in report(empty).words
    card = write_card(empty).read_text()
    assert "# 0007-mnist-small" in card
    assert "No quality metric was computed" in card


def test_each_missing_file_costs_only_itself(full: RunFolder) -> None:
    for path in sorted(full.path.rglob("*.*")):
        content = path.read_bytes()
        path.unlink()
        assert "sparring resume" in report(full).words
        assert "sparring resume" in write_card(full).read_text()
        path.write_bytes(content)


def test_where_data_of_no_known_kind_lie_all_media_are_shown(full: RunFolder) -> None:
    (full.samples / "fake-0.wav").write_bytes(b"RIFF, and so on")
    (full.samples / "evaluation-missed.txt").write_text("a text\n")
    shutil.copy(full.samples / "real.png", full.samples / "evaluation-columns.png")
    assert not report(full).named("audio")
    assert "a text" not in report(full).words
    for change_ in (lambda: change(full.data, kind="smell"), full.data.unlink):
        change_()
        page = report(full)
        assert len(page.named("audio")) == 1
        assert "Samples beside real samples" in page.words
        assert "a text" in page.words


def test_each_half_written_file_costs_only_itself(full: RunFolder) -> None:
    for path in (full.run, full.data, full.recipe, full.samples / "real.png"):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        page = report(full)
        assert "Not everything could be read" in page.words
        assert f"{path.name} is " in page.words
        assert "sparring resume" in write_card(full).read_text()
        path.write_bytes(content)
    assert "Not everything could be read" not in report(full).words


@pytest.mark.parametrize("value", [None, [], {}, "text", [[]], {"a": {}}, 3, True, 1e308, [None]])
def test_values_of_an_unforeseen_type_are_survived(full: RunFolder, value: Any) -> None:
    for path in (full.run, full.data):
        content = path.read_text()
        for key in json.loads(content):
            change(path, **{key: value})
            assert "sparring resume" in report(full).words
            write_card(full)
            path.write_text(content)
    change(full.data, spec={"height": value, "width": value, "channels": value})
    full.events.write_text(
        json.dumps(tick(10) | {"images": value, "metrics": value, "time": value}) + "\n"
        f"{json.dumps({'event': value, 'images': value, 'time': value, 'attempt': value})}\n"
    )
    assert "sparring resume" in report(full).words


def test_a_log_cut_in_the_middle_of_a_line_keeps_what_came_before(full: RunFolder) -> None:
    change(full.run, status="running")
    whole = json.dumps(tick(30_000))
    full.events.write_text(full.events.read_text() + whole[: len(whole) // 2])
    words = report(full).words
    assert "Running, or stopped without a word" in words
    assert "Trained for 4 min 10 s" in words
    assert "25,000 images seen" in words


def test_a_damaged_log_is_reported_and_left_out(full: RunFolder) -> None:
    full.events.unlink()
    full.events.mkdir()
    page = report(full)
    assert "events.jsonl is damaged" in page.words
    assert not page.named("svg")


def test_a_sample_that_is_not_whole_gives_way_to_the_one_before(full: RunFolder) -> None:
    newest = full.samples / "000025000.png"
    newest.write_bytes(newest.read_bytes()[:-5])
    page = report(full)
    assert page.named("img")[0]["height"] == "17"
    assert "samples/000025000.png is not a whole picture" in page.words
    assert "(samples/000001000.png)" in write_card(full).read_text()


def test_missing_pictures_leave_no_empty_frames(full: RunFolder) -> None:
    shutil.rmtree(full.samples)
    page = report(full)
    assert not page.named("img")
    assert not page.named("figure")
    assert "![" not in write_card(full).read_text()


def make_hostile(full: RunFolder) -> None:
    change(full.run, name=HOSTILE, reason=HOSTILE, plan=[[HOSTILE, HOSTILE]], seed=HOSTILE)
    change(full.run, data={"name": HOSTILE, "source": HOSTILE}, versions={HOSTILE: HOSTILE})
    skipped = [{"path": HOSTILE, "reason": "</td></table>"}]
    change(full.data, classes={HOSTILE: 3}, skipped=skipped, notes=[HOSTILE])
    full.recipe.write_text(f"name = '{HOSTILE}'\n# </pre></details><script>alert(1)</script>\n")
    write_events(
        full, tick(10, **{f"generator/{HOSTILE}": 1.0}), {"event": "rollback", "reason": HOSTILE}
    )


def test_hostile_names_stay_text(full: RunFolder) -> None:
    make_hostile(full)
    page = report(full)
    assert len(page.named("img")) == 3  # our own pictures
    assert not page.named("script")
    assert page.words.count(HOSTILE) >= 10
    card = write_card(full).read_text()
    assert "<" not in card
    assert "&lt;img" in card


def test_names_that_utf8_cannot_hold_are_survived(full: RunFolder) -> None:
    change(full.data, skipped=[{"path": "caf\udce9.png", "reason": "unreadable"}], notes=["\ud800"])
    assert "caf?.png" in report(full).words
    assert write_card(full).exists()


def test_a_hundred_skipped_files_are_named_and_the_rest_counted(full: RunFolder) -> None:
    skipped = [{"path": f"file-{i}.png", "reason": "empty"} for i in range(1234)]
    change(full.data, skipped=skipped)
    words = report(full).words
    assert "1,234 files skipped" in words
    assert "file-99.png" in words
    assert "file-100.png" not in words
    assert "and 1,134 more" in words


def test_no_equilibrium_is_drawn_when_smoothed_labels_have_moved_it(full: RunFolder) -> None:
    assert "ln 4" in report(full).words
    full.recipe.write_text('objective = "non-saturating"\nlabel_smoothing = 0.1\n')
    assert "ln 4" not in report(full).words


def test_classes_are_bars_from_the_largest_down(full: RunFolder) -> None:
    bars = [a["style"] for a in report(full).named("span") if "width" in a.get("style", "")]
    assert bars == ["width:100.0%", "width:4.0%"]


def test_the_card_says_what_a_reader_must_know(full: RunFolder) -> None:
    card = write_card(full).read_text()
    assert "![Samples after 25,000 images](samples/000025000.png)" in card
    for section in ("Data", "Training", "How to use it", "Limits", "Versions"):
        assert f"## {section}\n" in card
    for told in ("No quality metric", "may reproduce", "licence of the data", "cat (12)"):
        assert told in card


def test_markdown_in_names_is_shown_not_obeyed() -> None:
    assert escaped("*a*_b_\n# c | [d](e)") == r"\*a\*\_b\_ \# c \| \[d\](e)"
    assert escaped("1. first") == r"1\. first"
    assert escaped("0007-mnist-small 0.1.0") == "0007-mnist-small 0.1.0"
    assert code("a ``` b", "sh") == "````sh\na ``` b\n````"


def test_no_half_report_replaces_a_whole_one(
    full: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write_report(full).read_text()

    def full_disk(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_report(full)
    assert full.report.read_text() == before
    assert not list(full.path.glob(".report*"))


# Diagnosis


def finding(name: str, **changed: Any) -> dict[str, Any]:
    return {"name": name, "words": "w", "theory": "t", "advice": "try a", **changed}


def diagnosis(images: int, *findings: dict[str, Any]) -> dict[str, Any]:
    return {"event": "diagnosis", "images": images, "findings": list(findings)}


def test_what_a_run_shows_is_told_with_theory_advice_and_since_when(full: RunFolder) -> None:
    once, still = finding("oscillation"), finding("mode collapse", words="all are alike")
    write_events(
        full,
        diagnosis(10, once),
        diagnosis(20, once, still),
        diagnosis(30, still),
        diagnosis(40, still),
    )
    words = report(full).words
    assert "What the run shows" in words
    assert "Mode collapse since 20 images seen" in words
    for told in ("What was seen: all are alike.", "theory says: t.", "may help: try a."):
        assert told in words
    assert "Seen earlier, and gone since: oscillation." in words
    assert "diagnosis" not in words  # no row of the events
    assert "- Training ended with mode collapse: all are alike." in write_card(full).read_text()


def test_a_run_that_shows_nothing_says_so_only_if_someone_looked(full: RunFolder) -> None:
    assert "What the run shows" not in report(full).words
    write_events(full, tick(500), diagnosis(500))
    assert "Nothing that a healthy run would not show." in report(full).words
    write_events(full, tick(60), diagnosis(60))
    assert "The run is trained for 6 steps: too early to tell" in report(full).words
    assert "Training ended with" not in write_card(full).read_text()


def test_hostile_or_damaged_findings_stay_text(full: RunFolder) -> None:
    write_events(full, diagnosis(10, finding(HOSTILE, words=HOSTILE, advice=HOSTILE)))
    page = report(full)
    assert len(page.named("img")) == 3
    assert page.words.count(HOSTILE) == 3
    assert "<img" not in write_card(full).read_text()
    for damaged in (None, 3, "text", [None], [[]], [{"name": None}], {"a": 1}):
        write_events(full, diagnosis(10) | {"findings": damaged, "images": damaged})
        assert "What the run shows" in report(full).words
        write_card(full)


# Curves


def titles(objective: str, *events: dict[str, Any]) -> dict[str, str]:
    return {c.title: c.svg for c in draw_curves(read_measurements(events), objective, "image")}


@pytest.mark.parametrize(
    ("objective", "labels"),
    [
        ("non-saturating", {"ln 4", "ln 2"}),
        ("minimax", {"ln 4", "−ln 2"}),
        ("relativistic", {"ln 2"}),
        ("hinge", set()),
        ("", set()),
    ],
)
def test_the_losses_show_their_equilibrium_only_where_theory_gives_one(
    objective: str, labels: set[str]
) -> None:
    svg = titles(objective, tick(10), tick(20))["Losses"]
    assert {t.text for t in Tree.fromstring(svg).iter(f"{SVG}text")} & {
        "ln 4",
        "ln 2",
        "−ln 2",
    } == labels


def test_logits_are_compared_with_zero_only_in_cross_entropy_games() -> None:
    ticks = [tick(n, **{"discriminator/real": 1.0, "discriminator/fake": -1.0}) for n in (1, 2)]
    assert "guess</text>" in titles("minimax", *ticks)["What the discriminator thinks"]
    assert "guess</text>" not in titles("relativistic", *ticks)["What the discriminator thinks"]


def test_a_measurement_that_nobody_foresaw_is_charted() -> None:
    both = {"generator/entropy_rate": 1.0, "discriminator/entropy_rate": 2.0, "odd": 3.0}
    charts = titles("", tick(10, **both), tick(20, **both))
    assert "Odd" in charts
    assert "generator: from 1 to 1" in charts["Entropy rate"]
    assert "discriminator: from 2 to 2" in charts["Entropy rate"]


def test_a_measurement_without_a_single_number_is_not_charted() -> None:
    assert titles("", tick(10, a=None, b="NaN", c=math.nan, d=True)).keys() == {
        "Learning rate",
        "Speed",
    }


# Charts


def chart(*series: Series, **options: Any) -> Tree.Element:
    return Tree.fromstring(
        line_chart(series, title="t", x_label="x", y_label="y", **options)
    )  # raises unless well-formed


def coordinates(svg: Tree.Element) -> list[float]:
    paths = " ".join(p.attrib["d"] for p in svg.iter(f"{SVG}path"))
    return [float(n) for n in re.findall(r"-?[\d.]+", paths)]


@pytest.mark.parametrize(
    "y",
    [
        [],
        [1.0],
        [0.0],
        [-3.0] * 9,
        [math.nan, None, math.inf],
        [0.0, 1e30],
        [-1e30, 1e-30],
        [1e308, -1e308],
        [5e-324, 1e-323],
        [1.0, 1.0 + 1e-15],
        [1e30, 1e30 * (1 + 1e-8)],
        [-0.2, -0.1, math.nan, -0.4],
        [1e-12, 1.0, 1e12],
        [1, 10**400],
    ],
)
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("references", [[], [Reference(0.5, "half")]])
def test_no_series_breaks_a_chart(y: list[Any], log: bool, references: list[Reference]) -> None:
    x = [1e6 * i for i in range(len(y))]
    svg = chart(Series("a", x, y), references=references, log=log)
    assert all(-1 <= n <= 361 for n in coordinates(svg))
    assert "nan" not in Tree.tostring(svg, "unicode")


def test_a_nan_leaves_a_gap() -> None:
    y = [1.0, 2.0, math.nan, 2.0, 3.0]
    assert [b.stroke for b in thin(Series("a", range(5), y))] == [0, 0, 1, 1]
    curves = [p for p in chart(Series("a", range(5), y)).iter(f"{SVG}path") if "style" in p.attrib]
    assert curves[-1].attrib["d"].count("M") == 2


def test_a_rollback_starts_a_new_stroke() -> None:
    buckets = thin(Series("a", [10, 20, 30, 15, 25], [1.0] * 5))
    assert [b.stroke for b in buckets] == [0, 0, 0, 1, 1]


def test_a_lone_point_is_a_dot() -> None:
    assert len(list(chart(Series("a", [5], [1.0])).iter(f"{SVG}circle"))) == 1


def test_thinning_keeps_spikes_and_gaps() -> None:
    y = [1.0] * 50_000
    y[777], y[31_234], y[40_000] = 99.0, -99.0, math.nan
    buckets = thin(Series("a", range(50_000), y))
    assert len(buckets) <= BUCKETS + 2
    assert max(b.high for b in buckets) == 99
    assert min(b.low for b in buckets) == -99
    assert {b.stroke for b in buckets} == {0, 1}


def test_a_curve_with_more_gaps_than_room_stays_small() -> None:
    y = [1.0, math.nan] * 20_000
    assert len(thin(Series("a", range(40_000), y))) <= BUCKETS + 1


def test_curves_differ_by_dash_as_well_as_by_colour() -> None:
    svg = chart(Series("a", [1, 2], [1, 2]), Series("b", [1, 2], [2, 3]))
    styles = {p.attrib["style"] for p in svg.iter(f"{SVG}path") if "style" in p.attrib}
    assert len({style.split(";")[0] for style in styles}) == 2
    assert len({style.split(";")[1] for style in styles}) == 2


def test_labels_of_close_references_do_not_cover_each_other() -> None:
    references = [Reference(0.50, "a half"), Reference(0.51, "a bit more")]
    svg = chart(Series("a", [1, 2], [0, 9]), references=references)
    heights = [
        float(t.attrib["y"]) for t in svg.iter(f"{SVG}text") if t.text in {"a half", "a bit more"}
    ]
    assert abs(heights[0] - heights[1]) >= 11


def test_a_log_scale_is_used_only_where_it_can_be() -> None:
    wide, signed = Series("a", [1, 2], [0.001, 100.0]), Series("a", [1, 2], [-1.0, 100.0])
    assert "log scale" in Tree.tostring(chart(wide, log=True), "unicode")
    assert "log scale" not in Tree.tostring(chart(signed, log=True), "unicode")
    assert "log scale" not in Tree.tostring(chart(wide), "unicode")


def test_a_nearly_constant_series_has_readable_ticks() -> None:
    svg = chart(Series("a", [1, 2], [1.0, 1.0 + 1e-15]))
    assert max(len(text.text or "") for text in svg.iter(f"{SVG}text")) < 8


# Words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.38629, "1.39"),
        (-0.5, "−0.5"),
        (0.00123, "0.00123"),
        (0.00001234, "1.23e−5"),
        (999.96, "1k"),
        (1500, "1.5k"),
        (20_000_000, "20M"),
        (1e30, "1e30"),
        (100, "100"),
        (123.4, "123"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("ticks", "labels"),
    [
        ([0, 100_000, 200_000], ["0", "100k", "200k"]),
        ([0.1, 0.15, 0.2], ["0.10", "0.15", "0.20"]),
        ([1.38629, 1.38630, 1.38631], ["1.38629", "1.38630", "1.38631"]),
        ([-5e29, 0, 5e29], ["−5e29", "0", "5e29"]),
        ([500_000, 1_000_000], ["0.5M", "1.0M"]),
        ([0.0], ["0"]),
        ([], []),
    ],
)
def test_ticks_share_a_unit_and_decimals(ticks: list[float], labels: list[str]) -> None:
    assert spaced(ticks) == labels


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.6, "1 min"),
        (873.2, "14 min 33 s"),
        (11_520, "3 h 12 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_only_finite_numbers_count_as_numbers() -> None:
    assert [number(v) for v in (1, 2.5, True, None, "3", math.nan, math.inf, 10**400)] == [
        1.0,
        2.5,
        *[None] * 6,
    ]


def test_a_share_that_is_always_nought_has_no_axis_below_it() -> None:
    axis = axis_over([0.0, 0.0], 0.0, 100.0)
    assert (axis.low, axis.high) == (0.0, 1.0)
