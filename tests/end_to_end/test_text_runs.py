"""Texts: the real commands, from a file of lines to new lines, a card and a page."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import CommandLine, Ended, final, strictly

import sparring
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.texts import preparation
from sparring.kinds.texts.likelihood import likelihood_step
from sparring.runs.folder import RunFolder
from sparring.training.step import NonFinite

QUICK = ("--size", "tiny", "--threads", "1", "--checkpoint.ticks", "4")
STARTS, MIDDLES, ENDS = "bdgklmprst", ("ar", "el", "in", "os", "un"), ("o", "us", "ia", "ette", "")
WORDS = [f"{a}{b}{c}" for a in STARTS for b in MIDDLES for c in ENDS for _ in range(1)]
MORE = [f"{word}{b}" for word in WORDS for b in MIDDLES]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts") / "work"
    folder.mkdir()
    (folder / "words.txt").write_text("".join(f"{word}\n" for word in MORE))
    rows = "".join(f"{word},{'early' if word[0] in 'bdgkl' else 'late'}\n" for word in MORE)
    (folder / "sorted.csv").write_text("word,end\n" + rows)
    return folder


@pytest.fixture(scope="module")
def words(server: str, work: Path) -> Path:
    """A short run on made-up words."""
    return CommandLine(server, work).train("words.txt", *QUICK, "--budget", "3k-images")


@pytest.fixture
def at(server: str, work: Path) -> CommandLine:
    return CommandLine(server, work)


def test_the_plan_tells_what_is_cut_and_how(at: CommandLine) -> None:
    ended = at("train", "words.txt", *QUICK, "--budget", "1k-images", "--length", "6", "--dry-run")
    assert ended.code == 0, ended.err
    told = " ".join(ended.err.split())
    assert "up to 6 characters, 16 different characters" in told
    assert "texts of more than 6 are left out; --length changes it" in told
    assert "sequence" in told


def test_samples_are_printed_a_text_a_line_and_the_same_for_the_same_seed(
    words: Path, at: CommandLine
) -> None:
    ended = at("sample", words, "-n", "20")
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert len(lines) == 20
    assert set("".join(lines)) <= set("".join(MORE))
    assert at("sample", words, "-n", "5").out.splitlines() == lines[:5]
    assert at("sample", words, "-n", "20", "--out", "s.txt").out == "s.txt\n"
    assert (at.folder / "s.txt").read_text() == ended.out


def test_a_walk_is_printed_as_a_ladder(words: Path, at: CommandLine) -> None:
    ends = at("sample", words, "-n", "2", "--seed", "3").out.splitlines()
    ladder = at("sample", words, "-n", "9", "--seed", "3", "--between").out.splitlines()
    assert len(ladder) == 9
    assert [ladder[0], ladder[-1]] == ends


def test_texts_are_as_wanted(words: Path, at: CommandLine) -> None:
    asked = ("--unique", "--novel", "--like", "t", "-n", "10")
    ended = at("sample", words, *asked)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert len(lines) == len(set(lines)) == 10
    assert all(line.startswith("t") for line in lines)
    assert not set(lines) & set(MORE)
    refused = at("sample", words, "--like", "☃", "-n", "3")
    assert (refused.code, refused.out) == (1, "")
    assert "only 0 of 20,480 texts match; relax --like, or lower -n" in refused.err


def test_texts_have_no_grid(words: Path, at: CommandLine) -> None:
    for out in ((), ("--out", "some"), ("--out", "some.txt")):
        ended = at("sample", words, "-n", "3", "--grid", *out)
        assert (ended.code, ended.out) == (1, "")
        assert "--grid writes a picture, and texts have none; leave it out" in ended.err


def test_labels_are_asked_for_and_written_as_json(at: CommandLine) -> None:
    run = at.train("sorted.csv:word:end", *QUICK, "--budget", "1k-images")
    assert json.loads((run / "data.json").read_text())["classes"] == {"early": 625, "late": 625}
    ended = at("sample", run, "-n", "6", "--label", "late", "--out", "s.jsonl")
    assert ended.code == 0, ended.err
    rows = [json.loads(line) for line in (at.folder / "s.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == ["late"] * 6
    assert all(isinstance(row["text"], str) for row in rows)


def test_the_card_puts_the_likelihood_model_beside_and_the_page_shows_texts(
    words: Path, at: CommandLine
) -> None:
    ended = at("evaluate", words, "-n", "300", "--json")
    assert ended.code == 0, ended.err
    card = strictly(ended.out)
    lines = {line["key"]: line for line in card["lines"]}
    assert {"js1", "js4", "lm_bits", "reverse_bits", "unique", "novel", "edits"} <= lines.keys()
    assert {"js4_likelihood", "js4_3-gram", "lm_bits_likelihood", "kid"} <= lines.keys()
    assert "mauve" in lines or any("MAUVE is left out" in note for note in card["notes"])
    assert lines["js4"]["at_truth"] is not None
    assert any("trained for the same time" in note for note in card["notes"])
    assert (words / "baseline.safetensors").exists()
    page = (words / "report.html").read_text()
    assert "The same latents, at several times" in page
    for line in (words / "samples" / "real.txt").read_text().splitlines()[:3]:
        assert f"<li>{line}</li>" in page
    for name in ("curve.png", "typical.txt", "missed.txt"):
        assert (words / f"samples/evaluation-{name}").exists()
    alone = strictly(at("evaluate", words, "-n", "300", "--no-baseline", "--json").out)
    assert "js4_likelihood" not in {line["key"] for line in alone["lines"]}


@pytest.mark.parametrize("network", ["sequence", "recurrent"])
def test_stopped_and_resumed_is_bit_for_bit_the_same(at: CommandLine, network: str) -> None:
    chosen = ("--generator.network", network, "--generator.warm-start", "2000")
    asked = ("words.txt", *QUICK, *chosen, "--optimizer.lr", "1e-4")
    whole = at.train(*asked, "--budget", "512-images")
    part = at.train(*asked, "--budget", "256-images")
    ended = at("resume", part, "--budget", "+256-images")
    assert ended.code == 0, ended.err
    assert final(whole) == final(part)
    cold = at("sample", whole, "-n", "40", "--temperature", "0.05")
    if network == "recurrent":
        hot = at("sample", whole, "-n", "40", "--temperature", "5")
        assert len(set(cold.out.splitlines())) < len(set(hot.out.splitlines()))
    else:
        assert "only recurrent generators have a temperature; use --truncation" in cold.err


# ---- the phase before the game

LEARNED = 128 * 40
RECURRENT = (
    *("words.txt", "--size", "tiny", "--threads", "1", "--batch", "32"),
    *("--generator.network", "recurrent", "--generator.width", "16"),
    *("--checkpoint.ticks", "20", "--checkpoint.every-ticks", "2", "--checkpoint.keep", "9"),
)
PREPARED = (*RECURRENT, "--generator.warm-start", str(LEARNED), "--budget", "2-steps")


@pytest.fixture(scope="module")
def prepared(server: str, work: Path) -> Path:
    """A run whose generator learned before it played; copy it before changing it."""
    return CommandLine(server, work).train(*PREPARED)


def phase_of(run: Path) -> list[dict[str, Any]]:
    """Return the events of the phase before the game that stand."""
    return [e for e in RunFolder(run).read_events() if e["event"] == "preparation"]


def stopped_within(at: CommandLine, number: int) -> tuple[Path, Ended]:
    """Start a run and send it a signal amid the phase before its game."""
    command = at.start("train", *PREPARED, "--run-name", f"stopped-{number}")
    runs = at.folder / "runs"

    def has_ticked(said: str) -> bool:
        logs = list(runs.glob(f"*-stopped-{number}/events.jsonl"))
        return any(log.read_text().count('"checkpoint"') >= 2 for log in logs)

    command.until(has_ticked)
    command.send(number)
    return next(runs.glob(f"*-stopped-{number}")), command.wait()


def test_a_phase_that_is_interrupted_is_kept_and_goes_on_bit_for_bit(
    prepared: Path, at: CommandLine
) -> None:
    run, ended = stopped_within(at, signal.SIGINT)
    assert ended.code == 130, ended.err
    about = json.loads((run / "run.json").read_text())
    assert (about["status"], about["reason"]) == ("interrupted", "stopped by SIGINT")
    reached = phase_of(run)[-1]
    assert 0 < reached["prepared"] < LEARNED
    assert about["seconds"] == reached["seconds"] > 0
    assert f"go on with: sparring resume {run.name}" in ended.err
    assert len(at("sample", run, "-n", "3").out.splitlines()) == 3, "what it has learned so far"
    resumed = at("resume", run)
    assert resumed.code == 0, resumed.err
    assert f"at {reached['prepared']:,} of {LEARNED:,} texts before the game" in resumed.err
    assert final(run) == final(prepared)
    assert [e["prepared"] for e in phase_of(run)] == sorted({e["prepared"] for e in phase_of(run)})
    assert json.loads((run / "run.json").read_text())["seconds"] > reached["seconds"]


def test_a_phase_that_is_killed_goes_on_from_its_last_checkpoint_bit_for_bit(
    prepared: Path, at: CommandLine
) -> None:
    run, ended = stopped_within(at, signal.SIGKILL)
    assert ended.code == -signal.SIGKILL
    assert at("resume", run).code == 0
    assert final(run) == final(prepared)
    reached = [event["prepared"] for event in phase_of(run)]
    assert reached == [256 * (k + 1) for k in range(20)]


def test_the_phase_counts_in_the_time_of_the_run_and_is_shown(prepared: Path) -> None:
    about, events = json.loads((prepared / "run.json").read_text()), phase_of(prepared)
    seconds = [event["seconds"] for event in events]
    ticks = [e["seconds"] for e in RunFolder(prepared).read_events() if e["event"] == "tick"]
    assert 0 < seconds[0] < seconds[-1] < ticks[0] <= about["seconds"]
    losses = [event["metrics"]["loss"] for event in events]
    assert losses[-1] < losses[0] - 1
    page, card = ((prepared / name).read_text() for name in ("report.html", "README.md"))
    assert any(name == "before the game" for name, _ in about["plan"])
    for shown in (page, card):
        assert "5,120 texts by likelihood" in shown
        assert "of it before the game" in shown
    assert "Loss before the game" in page


def test_a_run_from_another_s_networks_has_no_phase_and_says_so(
    prepared: Path, at: CommandLine
) -> None:
    run = at.train(*PREPARED, "--from", prepared.name)
    assert phase_of(run) == []
    plan = dict(json.loads((run / "run.json").read_text())["plan"])
    assert plan["before the game"] == f"nothing: the networks are those of '{prepared.name}'"
    path = "checkpoints/{:09d}/model.safetensors"
    taken = (run / path.format(0)).read_bytes()
    assert taken == (prepared / path.format(64)).read_bytes()
    assert at("resume", run, "--budget", "+1-steps").code == 0
    assert phase_of(run) == []


def test_a_budget_that_the_phase_uses_up_is_refused_in_a_line(at: CommandLine) -> None:
    told = at("train", *RECURRENT, "--generator.warm-start", 10**9, "--budget", "5s").complaint
    assert "the phase before the game takes about" in told
    assert "all of the budget of 5s; use a longer --budget or fewer samples in it" in told


@pytest.fixture
def refuse_a_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the step at 512 texts come out not finite in so many attempts."""

    def refuse(attempts: int) -> None:
        def step(model: Any, optimizer: Any, data: Any, draw: Draw, rate: float) -> Any:
            if draw.start == 512 and draw.attempt < attempts:
                raise NonFinite("the generator's loss is not finite")
            return likelihood_step(model, optimizer, data, draw, rate)

        monkeypatch.setattr(preparation, "likelihood_step", step)

    return refuse


FEW_TEXTS: dict[str, Any] = {
    "size": "tiny",
    "threads": 1,
    "budget": "2-steps",
    "checkpoint.every_ticks": 1,
    "generator.network": "recurrent",
    "generator.width": 16,
    "generator.warm_start": 1_000,
    "checkpoint.ticks": 4,
}


def test_a_step_of_the_phase_that_is_not_finite_is_taken_back_and_told(
    refuse_a_step: Any, tmp_path: Path
) -> None:
    refuse_a_step(1)
    run = sparring.train(MORE, root=tmp_path, **FEW_TEXTS)
    assert run.status == "finished"
    (told,) = (e for e in run.folder.read_events() if e["event"] == "preparation_rollback")
    assert (told["prepared"], told["failed_at"], told["attempt"]) == (512, 512, 1)
    rates = [event["learning_rate"] for event in phase_of(run.path)]
    assert rates == pytest.approx([4e-3 * 7 / 8, 4e-3 * 5 / 8, 2e-3 * 3 / 8, 2e-3 / 8])
    assert "Went back to an earlier state, before the game" in run.folder.report.read_text()


def test_a_phase_that_never_is_finite_stops_the_run_in_a_line(
    refuse_a_step: Any, tmp_path: Path
) -> None:
    refuse_a_step(9)
    with pytest.raises(
        SparringError, match="retries at halved learning rates did not help"
    ) as told:
        sparring.train(MORE, root=tmp_path, **FEW_TEXTS)
    run = sparring.load("latest", tmp_path)
    assert run.status == "failed"
    assert run.folder.read_run()["reason"] == str(told.value)
    assert "\n" not in str(told.value)


def test_the_estimator_goes_through_the_phase_as_a_run_does(tmp_path: Path) -> None:
    asked = {key: FEW_TEXTS[key] for key in ("size", "budget")}
    options = {key: value for key, value in FEW_TEXTS.items() if key not in asked}
    gan = sparring.GAN(**asked, options=options, random_state=3).fit(MORE)
    run = sparring.train(MORE, root=tmp_path, **FEW_TEXTS, seed=3, **{"data.held_out": 0.0})
    fitted, trained = gan.generator_.state_dict(), run.generator("latest").state_dict()
    assert all(torch.equal(fitted[name], trained[name]) for name in trained)


def test_texts_that_are_not_there_are_refused_in_a_line(words: Path, at: CommandLine) -> None:
    for source, complaint in (
        ("nothing.txt", "cannot read 'nothing.txt'"),
        ("sorted.csv:wort", "has no 'wort'; did you mean 'word'?"),
        ("a.jsonl", "cannot read"),
    ):
        ended = at("train", source, *QUICK)
        assert (ended.code, ended.out) == (1, "")
        assert complaint in ended.err
        assert "Traceback" not in ended.err


def test_a_list_of_texts_from_python() -> None:
    gan = sparring.GAN(size="tiny", budget="1k-images", random_state=0)
    made = gan.fit(MORE).sample(5)
    assert len(made) == 5
    assert all(isinstance(text, str) for text in made)
    with pytest.raises(SparringError, match="is for texts"):
        sparring.GAN(budget="64-images", options={"generator.network": "sequence"}).fit(
            np.random.default_rng(0).normal(size=(60, 8))
        )


def test_the_generator_runs_elsewhere_with_the_same_texts(words: Path, at: CommandLine) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert at("export", words, "--out", "g.onnx").code == 0
    session = onnxruntime.InferenceSession(str(at.folder / "g.onnx"))
    generator = sparring.load(words).generator()
    latent = torch.randn(40, generator.latent, generator=torch.Generator().manual_seed(0))
    (made,) = session.run(None, {"latent": latent.numpy()})
    with torch.no_grad():
        assert np.array_equal(made.argmax(1), generator(latent).numpy().argmax(1))
