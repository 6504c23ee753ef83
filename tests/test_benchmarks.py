"""The benchmarks run with tiny settings and print their tables; their arithmetic is exact."""

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from sparring.networks.mlp import MLPDiscriminator, MLPGenerator
from sparring.spec import ImageSpec

ROOT = Path(__file__).parents[1]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> object:
    """Return a function that imports a benchmark, which lies beside the package, not in it."""
    monkeypatch.syspath_prepend(ROOT)

    def load(name: str) -> ModuleType:
        return import_module(f"benchmarks.{name}")

    return load


def test_step_speed_prints_every_contender_and_its_ratio(benchmark, capsys) -> None:
    tiny = [
        "--rounds",
        "1",
        "--seconds",
        "0.01",
        "--convolutional",
        "4",
        "--fully-connected",
        "4",
        "--profile",
    ]
    benchmark("step_speed").main(tiny)
    out = capsys.readouterr().out
    assert out.count("textbook, bare step") == 2
    assert "self time of: ours" in out
    assert "goal 1.35x" in out
    assert "goal 1.5x" in out
    for order in ("alternating", "simultaneous"):
        assert out.count(f"ours, {order}, R1 every 8") == 2
        assert out.count(f"ours, {order}, no penalty") == 2


def test_quality_prints_anchors_and_recipes_and_leaves_sheets(benchmark, capsys, tmp_path) -> None:
    tiny = ["--seconds", "0.3", "--seeds", "2", "--samples", "200", "--classifier-updates", "20"]
    quality = benchmark("quality")
    quality.main(["digits", *tiny, "--cache", str(tmp_path), "--option", "batch=16"])
    out = capsys.readouterr().out
    assert "held-out against training images" in out
    assert "noise" in out
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line}
    for name in ("ours", "textbook"):
        assert len(rows[name]) == 7  # name, median, two seeds, images, seconds, speed
        assert 0 < float(rows[name][5]) < 0.6
        assert (tmp_path / f"digits-{name}-0.3s.png").exists()
    assert "needs images of 28x28" in out


def test_time_to_quality_keeps_what_it_has_measured(benchmark, capsys, tmp_path: Path) -> None:
    arguments = ["mnist", "--seconds", "0.2", "--seeds", "1", "--samples", "200"]
    arguments += ["--classifier-updates", "5", "--cache", str(tmp_path)]
    module = benchmark("time_to_quality")
    module.main(arguments)
    first = capsys.readouterr().out
    (kept,) = tmp_path.glob("time-to-quality-mnist-*.json")
    distances = json.loads(kept.read_text())
    assert set(distances) == {module.key(name, 0.2, 0) for name in module.RECIPES}
    assert len(list(tmp_path.glob("mnist-*-0.2s.png"))) == len(module.RECIPES)
    assert kept.with_suffix(".png").stat().st_size > 10_000
    kept.write_text(json.dumps(dict.fromkeys(distances, 7.25)))
    module.main(arguments)
    assert capsys.readouterr().out.count("7.25 [7.25, 7.25]") == len(module.RECIPES)
    assert "WGAN-GP" in first


def test_stacked_digits_are_read_channel_by_channel(benchmark, capsys, tmp_path: Path) -> None:
    arguments = ["--digits", "mnist", "--seconds", "0.2", "--samples", "300", "--stacks", "500"]
    module = benchmark("stacked_mnist")
    module.main([*arguments, "--reader-updates", "300", "--cache", str(tmp_path)])
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line}
    assert 150 < int(rows["real"][2]) <= 300  # distinct modes among 300 stacks of real digits
    assert {"ours", "textbook"} <= set(rows)

    images = np.zeros((2, 28, 28, 3), np.uint8)
    images[0, ..., 0], images[1, ..., 2] = 1, 3

    def reader(pixels: torch.Tensor) -> torch.Tensor:
        return torch.eye(10)[pixels[:, 0, 0, 0].long()]

    assert np.flatnonzero(module.found(reader, images)).tolist() == [3, 100]


def test_the_literature_s_divergence_is_that_from_equal_shares(benchmark) -> None:
    counts = np.zeros(1000, np.int64)
    counts[:10] = 50
    row = benchmark("stacked_mnist").row("a", 0, counts, 5, 1.0)
    assert row.split()[2:4] == ["10", f"{np.log(100):.4f}"]


def test_a_classifier_from_the_cache_measures_like_the_one_just_trained(
    benchmark, tmp_path: Path
) -> None:
    quality, classifier = benchmark("quality"), benchmark("classifier")
    data = quality.read("digits", tmp_path, "yes")
    trained, cached = (classifier.load_classifier(data, tmp_path, updates=5) for _ in range(2))
    assert classifier.weights_hash(trained) == classifier.weights_hash(cached)
    pixels = data.items[:50]
    assert np.array_equal(
        classifier.features_of(trained, pixels), classifier.features_of(cached, pixels)
    )


def test_the_frechet_distance_of_gaussians_is_the_closed_form(benchmark) -> None:
    frechet = benchmark("quality").frechet_plug_in
    x = np.random.default_rng(0).normal(size=(500, 6))
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    scale, shift = np.array([1, 2, 3, 0.5, 0, 1]), np.arange(6.0)
    # diagonal covariances commute: |μ|² + Σ (σ₁ − σ₂)²
    expected = (shift**2).sum() + ((scale - 1) ** 2).sum()
    assert frechet(x * scale + shift, x) == pytest.approx(expected)
    assert frechet(x, x) == pytest.approx(0, abs=1e-9)


def test_the_textbook_networks_have_the_sizes_of_ours(benchmark) -> None:
    loop = benchmark("textbook").fully_connected(28)
    spec = ImageSpec(28, 28, 1)

    def size(network) -> int:
        return sum(p.numel() for p in network.parameters())

    assert size(loop.generator) == size(MLPGenerator(spec, 100, 784, 2))
    assert size(loop.discriminator) == size(MLPDiscriminator(spec, 784, 2))
