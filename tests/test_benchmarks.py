"""The benchmarks run with tiny settings and print their tables; their arithmetic is exact."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

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
