"""Points from known densities and arrays: the real commands, from training to a CSV file."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import TINY, CommandLine, events
from PIL import Image

import sparring
from sparring.errors import SparringError
from sparring.recipes.recipe import read_recipe

SHORT = (*TINY, "--budget", "20k-images", "--checkpoint.ticks", "4")


@pytest.fixture(scope="module")
def ring(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on the ring."""
    folder = tmp_path_factory.mktemp("points") / "work"
    folder.mkdir()
    often = ("--checkpoint.samples-every-ticks", "2", "--checkpoint.every-ticks", "2")
    return CommandLine(server, folder).train("ring", *SHORT, *often)


def test_a_run_on_a_known_density_logs_the_truth_at_each_picture(ring: Path) -> None:
    observed = events(ring, "observed")
    assert len(observed) == len(events(ring, "samples")) == 2
    last = observed[-1]["metrics"]
    truth = {"high_quality", "reverse_kl", "modes", "log_ratio_error"}
    assert set(last) == truth | {"separation", "memory", "twins"}
    assert 0 <= last["high_quality"] <= 1
    assert last["modes"] in range(9)
    assert last["reverse_kl"] > 1  # so short a run is far from the truth


def test_pictures_and_points_lie_side_by_side(ring: Path) -> None:
    tables = sorted(path.stem for path in (ring / "samples").glob("[0-9]*.csv"))
    assert tables == sorted(path.stem for path in (ring / "samples").glob("[0-9]*.png"))
    with Image.open(ring / "samples" / f"{tables[-1]}.png") as picture:
        assert picture.width > 3.5 * picture.height  # four panels
        assert len(set(picture.convert("RGB").resize((200, 50)).get_flattened_data())) > 100
    with Image.open(ring / "samples/progress.png") as strip:
        assert strip.height > 2 * 300


def test_the_report_and_the_card_speak_of_points(ring: Path) -> None:
    page, card = ((ring / name).read_text() for name in ("report.html", "README.md"))
    for text in (page, card):
        plain = re.sub(
            r"<style>.*?</style>|<pre>.*?</pre>|<[^>]*>|--budget \S+", "", text, flags=re.S
        )
        assert "points" in plain
        assert re.findall(r".*\bimages?\b.*", plain) == []
    assert "Modes covered" in page
    assert json.loads((ring / "data.json").read_text())["kind"] == "vector"


def test_samples_go_to_csv_and_are_the_same_for_the_same_seed(ring: Path, cli: CommandLine) -> None:
    ended = cli("sample", ring, "-n", "100", "--out", "s.csv")
    assert (ended.code, ended.out) == (0, "s.csv\n"), ended.err
    rows = np.loadtxt(cli.folder / "s.csv", delimiter=",", skiprows=1)
    assert rows.shape == (100, 2)
    cli("sample", ring, "-n", "10", "--out", "t.csv")
    few = np.loadtxt(cli.folder / "t.csv", delimiter=",", skiprows=1)
    np.testing.assert_array_equal(rows[:10], few)
    assert cli("sample", ring, "-n", "50", "--out", "p.png").code == 0
    assert "use .csv" in cli("sample", ring, "-n", "5", "--out", "p.jpg").complaint
    folder = cli.folder / cli("sample", ring, "-n", "7").out.strip()
    assert sorted(path.name for path in folder.iterdir()) == ["picture.png", "samples.csv"]


def test_a_finished_run_on_points_goes_on(cli: CommandLine) -> None:
    run = cli.train("grid", *TINY, "--budget", "5k-images", "--checkpoint.ticks", "2")
    assert cli("resume", run, "--budget", "+1k-images").code == 0
    assert [event["images"] for event in events(run, "finished")][-1] > 5_500


def test_the_truth_is_told_at_the_end(cli: CommandLine) -> None:
    ended = cli("train", "ring", *SHORT)
    told = r"\d of 8 modes, [\d.]+% within 4σ \[.*\], reverse KL .* nats \[.*\], logit .* nats"
    assert re.search(told, ended.err), ended.err


def test_the_plan_names_the_density(cli: CommandLine) -> None:
    ended = cli("train", "spiral", *SHORT, "--dry-run")
    assert "points" in ended.err
    assert "400 Gaussians along a curve, σ 0.05" in ended.err


def test_convolutions_on_points_are_refused_in_one_line(cli: CommandLine) -> None:
    ended = cli("train", "ring", *SHORT, "--generator.network", "convolutional")
    assert "the network convolutional is for images" in ended.complaint


def test_a_line_has_a_picture_too_and_an_exact_density(cli: CommandLine) -> None:
    run = cli.train("gaussian1d", *SHORT)
    assert read_recipe(run / "recipe.toml")["generator"]["latent"] == 1
    last = events(run, "observed")[-1]["metrics"]
    assert last["log_ratio_error"] < 20
    with Image.open(sorted((run / "samples").glob("[0-9]*.png"))[-1]) as picture:
        assert picture.width > 2 * picture.height


def test_an_array_of_vectors_trains_and_is_pictured(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(300, 5)) * [1, 2, 3, 4, 0] + 7
    few = {"size": "tiny", "threads": 1, "budget": "20-steps"}
    run = sparring.train(points, root=tmp_path, **few)  # type: ignore[arg-type]
    drawn = run.sample(9)
    assert tuple(drawn.shape) == (9, 5)
    assert bool(drawn.isfinite().all())
    assert run.save(drawn, tmp_path / "drawn.npy").exists()
    measured = set(events(run.path, "observed")[-1]["metrics"])
    assert {"kid"} <= measured <= {"kid", "separation", "memory", "twins"}
    assert len(list(run.folder.looks.iterdir())) == 2
    assert run.folder.read_run()["trend"] == "too early to tell"
    assert (run.path / "data.npy").exists()
    assert len(list((run.path / "samples").glob("[0-9]*.png"))) >= 2


def test_gan_fits_vectors(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal([100, 0, -1], 1, (500, 3))
    gan = sparring.GAN(size="tiny", budget="300-steps", random_state=0).fit(points)
    drawn = gan.sample(200)
    assert drawn.shape == (200, 3)
    assert abs(drawn[:, 0].mean() - 100) < 1
    with pytest.raises(SparringError, match=r"vectors, \(n, d\)"):
        gan.fit(np.zeros(7))


def test_points_export_to_onnx(ring: Path, cli: CommandLine) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert cli("export", ring, "--out", "ring.onnx").code == 0
    session = onnxruntime.InferenceSession(cli.folder / "ring.onnx")
    width = session.get_inputs()[0].shape[1]
    (made,) = session.run(None, {"latent": np.zeros((5, width), np.float32)})
    assert made.shape == (5, 2)
