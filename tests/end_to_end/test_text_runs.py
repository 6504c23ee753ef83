"""Texts: the real commands, from a file of lines to new lines, a card and a page."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import CommandLine, final, strictly

import sparring
from sparring.errors import SparringError

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
    assert "only 0 of 20,480 texts match; relax --like or --novel, or lower -n" in refused.err


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
    import torch

    assert at("export", words, "--out", "g.onnx").code == 0
    session = onnxruntime.InferenceSession(str(at.folder / "g.onnx"))
    generator = sparring.load(words).generator()
    latent = torch.randn(40, generator.latent, generator=torch.Generator().manual_seed(0))
    (made,) = session.run(None, {"latent": latent.numpy()})
    with torch.no_grad():
        assert np.array_equal(made.argmax(1), generator(latent).numpy().argmax(1))
