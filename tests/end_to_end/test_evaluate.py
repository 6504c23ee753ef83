"""`sparring evaluate` and `compare` on real runs: the card, its files, what they refuse."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import QUICK, TINY, CommandLine, events, strictly
from PIL import Image

import sparring
from sparring.api import compare
from sparring.errors import SparringError
from sparring.runs import device
from sparring.runs.folder import to_json

KEYS = {
    "kid",
    "precision",
    "recall",
    "density",
    "coverage",
    "clipped_density",
    "clipped_coverage",
    "likelihood",
    "vendi",
    "c2st",
    "memorization",
    "authenticity",
}


@pytest.fixture(scope="module")
def judged(trained: Path, server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on digits that has been evaluated."""
    folder = tmp_path_factory.mktemp("judged") / "work"
    shutil.copytree(trained.parent.parent, folder)
    ended = CommandLine(server, folder)(
        "evaluate", "latest", "-n", "300", "--extractor", "pixel-pca"
    )
    assert ended.code == 0, ended.err
    (folder / "told").write_text(ended.out)
    return folder / "runs" / trained.name


def test_the_card_has_every_metric_beside_real_against_real(judged: Path) -> None:
    told = (judged.parent.parent / "told").read_text()
    assert "300 samples against 180 of digits (held out)" in told
    for name in ("kernel distance", "precision", "Vendi diversity", "prefers training data"):
        assert name in told
    assert "FID" not in told
    saved = json.loads((judged / "evaluation.json").read_text())
    assert {line["key"] for line in saved["lines"]} >= KEYS
    assert saved["extractor"] == "pixel-pca"
    assert len(saved["digest"]) == 16


def test_a_barely_trained_generator_is_told_from_real_data(judged: Path) -> None:
    lines = {
        line["key"]: line for line in json.loads((judged / "evaluation.json").read_text())["lines"]
    }
    assert lines["kid"]["words"] == "can be told from real data"
    assert lines["precision"]["verdict"] == "not tested"
    assert lines["precision"]["estimate"]["high"] < lines["precision"]["at_truth"]["low"]
    assert lines["c2st"]["estimate"]["p_value"] < 1e-6
    assert lines["memorization"]["verdict"] == "no difference seen"


def test_the_report_and_the_card_show_the_evaluation(judged: Path) -> None:
    page, card = ((judged / name).read_text() for name in ("report.html", "README.md"))
    for text in (page, card):
        assert "How good it is" in text
        assert "kernel distance" in text
    assert "No quality metric was computed" not in card
    assert page.count("data:image/png") >= 6
    for name in ("typical", "untypical", "nearest", "missed", "feature"):
        with Image.open(judged / "samples" / f"evaluation-{name}.png") as picture:
            picture.verify()


def test_features_of_real_data_are_kept(judged: Path) -> None:
    kept = sorted((judged.parent / "cache/features").glob("*pixel-pca*.npy"))
    assert len(kept) == 2  # held out, and trained on


def test_python_gives_estimates(judged: Path) -> None:
    card = sparring.load(judged).evaluate(n=150, extractor="pixel-pca")
    assert card["kid"].low < card["kid"].value < card["kid"].high
    assert card.fake == 150


def test_other_data_judges_at_the_size_of_the_run(judged: Path, cli: CommandLine) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (150, 8, 8), np.uint8)
    np.save(cli.folder / "noise.npy", noise)
    np.save(cli.folder / "wide.npy", np.kron(noise, np.ones((2, 3), np.uint8)))
    np.save(cli.folder / "few.npy", noise[:19])
    few = ("-n", "100", "--extractor", "pixel-pca", "--json")
    for name, told in (("noise.npy", ()), ("wide.npy", ("resized from 16x24 to 8x8",))):
        ended = cli("evaluate", judged, name, *few)
        card = strictly(ended.out)
        assert (card["part"], card["real"]) == ("all", 150), ended.err
        assert all(any(note.startswith(words) for note in card["notes"]) for words in told)
        assert any("training data can themselves be told from" in note for note in card["notes"])
        words = {line["key"]: line["words"] for line in card["lines"]}
        assert words["memorization"] == words["authenticity"] == ""
    assert "needs at least 20" in cli("evaluate", judged, "few.npy", *few).complaint


def test_data_of_no_class_judge_a_run_with_classes(pets_run: Path, cli: CommandLine) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 12, 8, 3), np.uint8)
    np.save(cli.folder / "noise.npy", noise)
    few = ("-n", "100", "--extractor", "pixel-pca", "--json")
    ended = cli("evaluate", pets_run, "noise.npy", *few)
    card = strictly(ended.out)
    assert (card["part"], card["real"]) == ("all", 120), ended.err


def test_unknown_extractors_and_checkpoints_are_named(judged: Path, cli: CommandLine) -> None:
    assert "pixel-pca" in cli("evaluate", judged, "--extractor", "pixelpca").complaint
    assert "no checkpoint '7'" in cli("evaluate", judged, "--checkpoint", "7").complaint


def test_the_longer_of_two_runs_is_found_to_be_better(
    judged: Path, trained: Path, cli: CommandLine
) -> None:
    shutil.copytree(trained, cli.folder / "runs/0001-short")
    cli.train("digits", *TINY, "--budget", "5k-images", "--checkpoint.ticks", "2")
    ended = cli("compare", "1", "2", "-n", "400", "--extractor", "pixel-pca")
    assert "0002-digits-tiny is better" in ended.out, ended.out + ended.err
    same = cli("compare", "1", "2", "-n", "400", "--extractor", "pixel-pca", "--json")
    (one,) = strictly(same.out)["runs"]
    assert one["difference"]["p_value"] < 0.05
    assert "at least two different ones" in cli("compare", "1", "1").complaint
    cli.train("digits", *QUICK, "--labels", "yes")
    conditional = cli("compare", "1", "3", "-n", "400", "--extractor", "pixel-pca")
    assert "is better" in conditional.out, conditional.err  # the same images, with labels
    noise = np.random.default_rng(0).integers(0, 256, (1797, 8, 8), np.uint8)
    np.save(cli.folder / "noise.npy", noise)
    cli.train("noise.npy", *QUICK)
    assert "on the same data" in cli("compare", "1", "4").complaint


def test_seeds_are_gathered_by_recipe_whatever_the_speed_of_their_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for seed, budget in enumerate(("320-samples", "320-samples", "640-samples", "10-steps")):
        speed = 0.09 + 0.01 * seed  # so slow that ticks are planned by the half minute
        monkeypatch.setattr(device, "speed_with", lambda step, threads, speed=speed: speed)
        options = {"size": "tiny", "threads": 1, "budget": budget, "seed": seed}
        runs.append(sparring.train("digits", root=tmp_path, **options))
    assert len({run.recipe.checkpoint.ticks for run in runs}) == 4
    names = [run.path.name for run in runs]
    recipe = runs[0].folder.recipe
    recipe.write_text(recipe.read_text().replace('"8x8"', '"auto"'))  # as 0.1 left it open

    def gathered() -> list[tuple[str, str]]:
        found = compare(*names, n=100, extractor="pixel-pca", root=tmp_path)
        told = "\n".join(found.table())
        assert ("recipes, over seeds" in told) == bool(found.recipes)
        assert len(strictly(to_json(found.as_json()))["recipes"]) == len(found.recipes)
        return [(one.a, one.b) for one in found.recipes]

    assert gathered() == [("+".join(names[:2]), "+".join(names[2:]))]
    for run in runs[:2]:
        run.resume(budget="+320-samples")  # as long as the others, by other schedules
        assert run.recipe.budget == "320-samples +320-samples"
    assert gathered() == [("+".join(names[:2]), "+".join(names[2:]))]
    runs[3].resume(budget="+64-samples")
    assert gathered() == []


def test_training_looks_at_the_distance_and_marks_the_best_checkpoint(trained: Path) -> None:
    looked = events(trained, "observed")
    assert looked
    low, high = looked[-1]["intervals"]["kid"]
    assert low < looked[-1]["metrics"]["kid"] < high
    best = (trained / "checkpoints/best").read_text().strip()
    assert (trained / "checkpoints" / best).is_dir()


def test_the_best_checkpoint_is_kept_and_sampled_from(cli: CommandLine) -> None:
    often = ("--checkpoint.ticks", "8", "--checkpoint.every-ticks", "1", "--checkpoint.keep", "1")
    looks = (
        "--checkpoint.samples-every-ticks",
        "1",
        "--optimizer.lr",
        "1e-3 to 3 linear 50%..100%",
    )
    run = cli.train("digits", *TINY, "--budget", "4k-images", *often, *looks)
    best = (run / "checkpoints/best").read_text().strip()
    kept = sorted(path.name for path in (run / "checkpoints").iterdir() if path.is_dir())
    assert best in kept
    assert len(kept) <= 3  # the last, the best, and the lowest look's
    for name in ("best", "latest", best):
        ended = cli("sample", run, "-n", "5", "--checkpoint", name, "--out", f"{name}.npz")
        assert ended.code == 0, ended.err

    def drawn(name: str) -> bytes:
        with np.load(cli.folder / f"{name}.npz") as archive:
            return archive["images"].tobytes()

    assert drawn("best") == drawn(best)


def test_too_little_data_is_refused(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (19, 8, 8), np.uint8)
    run = sparring.train(images, root=tmp_path, size="tiny", threads=1, budget="2-steps")
    with pytest.raises(SparringError, match="at least 20"):
        run.evaluate(n=100)
