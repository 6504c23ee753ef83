"""The benchmarks run with tiny settings and print their tables; their arithmetic is exact."""

import io
import json
import sys
import tarfile
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas
import pytest
import torch

from sparring.build import with_depths
from sparring.kinds.images.networks.convolutional import ConvolutionalGenerator, ResizeConvolution
from sparring.kinds.images.spec import ImageSpec
from sparring.kinds.tables.metrics import coded
from sparring.networks.mlp import MLPDiscriminator, MLPGenerator
from sparring.recipes.named import preset
from sparring.recipes.recipe import Recipe, nested, resolve
from sparring.training.profile import gigaflop_of, profile_step

ROOT = Path(__file__).parents[1]
PEER = """
import aim, torch
from torch import nn
assert torch.cuda.is_available(), 'no GPU'

class Generator(nn.Module):
    latent_dim, num_layers = 512, 2
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(512, 12288)
    def forward(self, styles, noise):
        return self.layer(styles[:, 0]).view(-1, 3, 64, 64)

class Networks(nn.Module):
    def __init__(self):
        super().__init__()
        self.S, self.G = nn.Identity(), Generator()
        self.D = nn.Sequential(nn.Flatten(), nn.Linear(12288, 400))
        self.cuda(0)

class Trainer:
    def __init__(self, base_dir, image_size, batch_size, network_capacity):
        self.rank = 0
    def init_GAN(self):
        self.GAN = Networks()
    def train(self):
        assert not self.is_main
        images = next(self.loader).cuda(self.rank)
        noise = torch.randn(len(images), 512, device=self.rank)
        self.GAN.D(images).mean().backward()
"""


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> object:
    """Return a function that imports a benchmark, which lies beside the package, not in it."""
    monkeypatch.syspath_prepend(ROOT)

    def load(name: str) -> ModuleType:
        return import_module(f"benchmarks.{name}")

    return load


@pytest.mark.slow
def test_step_speed_prints_every_contender_and_its_ratio(benchmark, capsys, monkeypatch) -> None:
    monkeypatch.setattr("sparring.training.profile.PEAK_SECONDS", 0.0)
    step_speed = benchmark("step_speed")
    for name, few in (
        ("IMAGES", 1_000),
        ("CYCLE", 2),
        ("profile_step", partial(profile_step, times=2)),
    ):
        monkeypatch.setattr(step_speed, name, few)
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
    step_speed.main(tiny)
    out = capsys.readouterr().out
    assert out.count("textbook, bare step") == 4  # speeds, utilisation
    assert "self time of: ours" in out
    assert "goal 1.35x" in out
    assert "goal 1.5x" in out
    for order in ("alternating", "simultaneous"):
        assert out.count(f"ours, {order}, R1 every 2") == 4
        assert out.count(f"ours, {order}, no penalty") == 4


def test_utilisation_is_what_a_step_computes_in_its_time_over_the_peak(
    benchmark, monkeypatch
) -> None:
    step_speed = benchmark("step_speed")
    monkeypatch.setattr(step_speed, "peak_gigaflops", lambda: 100.0)
    loop = benchmark("textbook").fully_connected(28)
    one = step_speed.Contender("textbook", lambda: loop.step(torch.zeros(4, 1, 28, 28)), 4)
    line = step_speed.utilisation([one], {"textbook": [900.0, 1000.0, 5000.0]})[-1]
    # A product costs once forwards and once for each of its two factors' gradients; a first layer
    # has no gradient of its input, and the last pass of three through the discriminator needs it.
    hidden = 784 * 784
    generator = 3 * (100 * 784 + 2 * hidden) - 100 * 784
    discriminator = 3 * 3 * (2 * hidden + 784) - 2 * hidden
    megaflop = 2 * (generator + discriminator) / 1e6
    assert line.split() == ["textbook", f"{megaflop:.2f}", f"{megaflop:.1f}", f"{megaflop:.0f}%"]


@pytest.mark.slow
def test_step_speed_has_rows_with_the_allocator_set_from_a_process_of_its_own(
    benchmark, capsys
) -> None:
    tiny = ["--rounds", "1", "--seconds", "0.01", "--convolutional", "--fully-connected", "4"]
    benchmark("step_speed").main([*tiny, "--allocator"])
    lines = [line for line in capsys.readouterr().out.splitlines() if ", malloc" in line]
    assert [line.split(",")[0] for line in lines] == ["textbook", "ours"]
    assert all(int(line.split()[-4].replace(",", "")) > 0 for line in lines)


@pytest.mark.slow
def test_a_peer_that_wants_cuda_runs_on_the_cpu_and_one_that_is_missing_says_why(
    benchmark, capsys, monkeypatch, tmp_path: Path
) -> None:
    package = tmp_path / "stylegan2_pytorch"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('not to be run')")
    (package / "stylegan2_pytorch.py").write_text(PEER)
    peers = benchmark("peers")
    monkeypatch.setattr(peers, "CYCLE", 2)
    monkeypatch.setattr(benchmark("step_speed"), "CYCLE", 2)
    names = "stylegan2-pytorch,lightweight-gan"
    tiny = ["--rounds", "1", "--seconds", "0.01", "--names", names]
    peers.main([str(tmp_path), *tiny])
    out = capsys.readouterr().out
    assert "lightweight-gan does not run here: FileNotFoundError" in out
    assert out.count("\nsparring, widths") == 2  # speed, utilisation
    assert "aim" not in sys.modules
    assert f"costs {2 * 2 * 12288 * 400 / 1e6:.1f} MFLOP an image" in out
    assert abs(float(out.split("ours ")[1].split()[0]) - 1) <= peers.TOLERANCE
    assert "sparring, the preset as it is" in out


@pytest.mark.slow
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


@pytest.mark.slow
def test_time_to_quality_keeps_what_it_has_measured(
    benchmark, capsys, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(benchmark("quality"), "PROBE_STEPS", 2)
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


@pytest.mark.slow
def test_stacked_digits_are_read_channel_by_channel(
    benchmark, capsys, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(benchmark("quality"), "PROBE_STEPS", 2)
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


@pytest.fixture
def settled(benchmark) -> ConvolutionalGenerator:
    """Return a generator whose batch norms are far from the identity."""
    generator = benchmark("sampling_speed").settled_generator(passes=1)
    numbers = torch.Generator().manual_seed(0)
    for values in generator.parameters():
        if values.ndim == 1:
            torch.nn.init.uniform_(values, -1, 1, numbers)
    return generator


@pytest.mark.slow
def test_sampling_speed_prints_every_way_for_every_batch(benchmark, capsys) -> None:
    pytest.importorskip("onnxruntime")
    benchmark("sampling_speed").main(["--rounds", "1", "--seconds", "0.001", "--batches", "1", "3"])
    out = capsys.readouterr().out
    assert "28x28, batch 1; images differ by at most" in out
    assert "28x28, batch 3; images differ by at most" in out
    for way in ("eager", "inference mode", "folded", "kernels", "sampling.sample", "ONNX"):
        assert sum(way in line for line in out.splitlines()) == 2


def test_folding_and_spreading_leave_neither_norms_nor_another_image(benchmark, settled) -> None:
    module = benchmark("sampling_speed")
    folded = module.without_norm(settled)
    spread = module.with_spread_kernels(folded)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded.modules())
    assert not any(isinstance(part, ResizeConvolution) for part in spread.modules())
    latents = module.first_latents(5, settled.latent)
    expected = settled(latents)
    assert expected.std() > 0.01
    for copy in (folded, spread):
        torch.testing.assert_close(copy(latents), expected, atol=1e-6, rtol=0)


def test_a_way_that_gives_other_images_is_refused_by_name(benchmark) -> None:
    module = benchmark("sampling_speed")
    known = {"eager": torch.sin, "hasty": lambda x: x.sin() + 2e-4}
    with pytest.raises(SystemExit, match="'hasty' gives other images"):
        module.largest_difference(known, torch.zeros(2, 3))
    known["hasty"] = lambda x: x.sin() * torch.nan
    with pytest.raises(SystemExit, match="'hasty' gives other images"):
        module.largest_difference(known, torch.zeros(2, 3))
    known["hasty"] = lambda x: x.sin() + 5e-5
    assert module.largest_difference(known, torch.zeros(2, 3)) == pytest.approx(5e-5)


def test_a_step_costs_an_image_the_same_in_any_batch(benchmark) -> None:
    peers = benchmark("peers")
    options = {"batch": 8, "generator.width": 8, "discriminator.width": 8, "images": 1000}
    spec = ImageSpec(16, 16, 3)
    recipe = with_depths(resolve(preset("default", "small", spec), nested(options)), spec)
    expected = 1e3 * gigaflop_of(peers._ours(recipe, 16).step, peers.CYCLE) / 8
    assert peers.step_cost(recipe, 16) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("wanted", "widths"),
    [(90.0, (32, 16)), (110.0, (32, 16)), (1600.0, (128, 64)), (25.0, (16, 8))],
)
def test_widths_are_scaled_together_if_a_step_costs_over_15_percent_off(
    benchmark, wanted, widths
) -> None:
    peers = benchmark("peers")
    base = resolve(nested({"generator.width": 32, "discriminator.width": 16}))

    def cost(recipe: Recipe) -> float:
        return 100 * (recipe.generator.width / 32) ** 2

    found = peers.scaled(base, cost, wanted)
    assert (found.generator.width, found.discriminator.width) == widths


@pytest.mark.parametrize("kind", ["convolutional", "fully_connected"])
def test_levers_end_with_our_whole_step_and_its_penalty(benchmark, kind) -> None:
    contest = benchmark("levers").levers(kind, 4)
    names = [one.name for one in contest.contenders]
    assert names[0] == "textbook, with its DataLoader"
    assert names[-1] == "ours, R1 every 8, input pipeline"
    assert ("channels_last" in names) == (kind == "convolutional")
    costs = [gigaflop_of(one.step, 8) for one in contest.contenders]
    assert costs[1] == costs[3] == costs[0] > costs[2]


def test_levers_change_how_a_textbook_step_is_computed_and_not_what(benchmark) -> None:
    levers, textbook = benchmark("levers"), benchmark("textbook")
    ways = {
        "none": lambda loop: loop,
        "fused": levers.fused,
        "frozen": levers.frozen,
        "layout": lambda loop: levers.in_layout(loop, torch.channels_last),
    }
    losses, asked = {}, []
    for name, lever in ways.items():
        torch.manual_seed(0)
        loop = lever(textbook.convolutional(28))
        real = torch.rand(4, 1, 28, 28)
        losses[name] = torch.stack([torch.stack(loop.step(real)) for _ in range(3)])
        asked.append(all(p.requires_grad for p in loop.discriminator.parameters()))
        torch.testing.assert_close(losses[name], losses["none"], atol=2e-3, rtol=2e-3)
    assert all(asked)
    quick = levers.fused(textbook.convolutional(28))
    assert all(one.defaults["fused"] for one in quick.optimizers)
    kernel = levers.in_layout(textbook.convolutional(28), torch.channels_last)
    assert kernel.discriminator[2].weight.is_contiguous(memory_format=torch.channels_last)


def test_a_frozen_discriminator_spares_its_kernels_gradients(benchmark) -> None:
    levers, textbook = benchmark("levers"), benchmark("textbook")
    real = torch.rand(4, 1, 28, 28)
    plain, frozen = textbook.fully_connected(28), levers.frozen(textbook.fully_connected(28))
    frozen.step(real)
    spared = gigaflop_of(lambda: plain.step(real), 1) - gigaflop_of(lambda: frozen.step(real), 1)
    assert 1e9 * spared == pytest.approx(4 * 2 * (2 * 784 * 784 + 784))


def test_batches_in_memory_are_the_data_set_s_images_once_a_round(benchmark) -> None:
    levers = benchmark("levers")
    data = levers.random_images()
    drawn = levers.resident_batches(data, 1000)
    seen = torch.cat([next(drawn) for _ in range(len(data.items) // 1000 - 1)])
    known = {one.tobytes() for one in data.items}
    bytes_ = ((seen + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    assert {one.tobytes() for one in bytes_} <= known
    assert len({one.tobytes() for one in bytes_}) == len(bytes_)


@pytest.mark.slow
def test_tables_are_made_and_judged_beside_the_trivial_generators(
    benchmark, capsys, monkeypatch
) -> None:
    monkeypatch.setattr("sparring.kinds.tables.models.RESAMPLED", 20)  # no interval is shown
    benchmark("tables").main(["penguins", "--seconds", "0.3", "--seeds", "1"])
    lines = capsys.readouterr().out.splitlines()
    cells = {line[:20].strip(): line[20:].split() for line in lines if line}
    assert cells["real rows"][4] == "100.00%"
    assert float(cells["shuffled columns"][1]) < 0.3 < float(cells["sequential trees"][1])
    assert float(cells["ours"][0]) >= 0.3
    assert any("categories asked for are kept by 100.0% or more" in line for line in lines)


def test_a_planted_fault_is_caught_or_survives_or_has_no_place(benchmark, capsys, tmp_path) -> None:
    planted = benchmark("planted_faults")
    source, tests = tmp_path / "src/sparring/deep", tmp_path / "tests/deeper"
    source.mkdir(parents=True)
    tests.mkdir(parents=True)
    text = "def double(x):\n    return x * 2\n\n\ndef half(x):\n    return x / 2\n"
    (source.parent / "__init__.py").touch()
    (source / "sums.py").write_text(text)
    (tests / "test_sums.py").write_text(
        "from sparring.deep.sums import double\n\ndef test_double():\n    assert double(3) == 6\n"
    )
    faults = [
        planted.fault("sums", "seen", "x * 2", "x * 3", "test_gone.py|test_sums.py"),
        planted.fault("sums", "unseen", "x / 2", "x / 3", "test_sums.py"),
        planted.fault("sums", "twice there", "return x", "return 2", "test_sums.py"),
        planted.fault("sums", "untested", "x / 2", "x / 3", "test_gone.py"),
        planted.fault("sums", "none chosen", "x / 2", "x / 3", "test_sums.py", "no such test"),
    ]
    outcomes = list(planted.judged(tmp_path, faults, jobs=2))
    kinds = [outcome.kind for outcome in outcomes]
    assert kinds == ["caught", "survived", "error", "error", "error"]
    assert outcomes[0].words == "test_sums.py::test_double"
    assert (source / "sums.py").read_text() == text
    controls = planted.judged(tmp_path, faults[:2], jobs=1, control=True)
    assert [outcome.kind for outcome in controls] == ["survived"] * 2
    assert "1 caught, 1 survived, 3 not planted" in planted.summary(outcomes, 0.0)


def test_the_sanity_checks_print_a_letter_for_every_metric(
    benchmark, capsys: pytest.CaptureFixture
) -> None:
    module = benchmark("sanity_checks")
    tiny = ["--points", "3", "--repeats", "1", "--samples", "40", "--checks", "one feature scaled"]
    module.main(tiny)
    header, _, *rows, total = capsys.readouterr().out.splitlines()
    assert [row.split(" | ")[1] for row in rows] == ["D4", "D5"]
    assert all(set(row.split(" | ")[2:]) <= {"T", "F", "T |", "F |"} for row in rows)
    assert header.count("|") == rows[0].count("|") == total.count("|")
    names = [check.name for check in module.checks(40, 3)]
    assert len(names) == len(set(names)) == 16


def test_the_shapes_of_sanity_checks_are_told_apart(benchmark) -> None:
    module = benchmark("sanity_checks")
    places, top, down = np.arange(5.0), np.array([0, 0.5, 1, 0.4, 0]), np.linspace(1, 0, 5)
    assert module.bell(2)(places, top)
    assert not module.bell(1)(places, top)
    assert module.falls(places, down)
    assert module.rises(places, down[::-1])
    assert not module.falls(places, top)
    assert module.drops(0.5)(places, down)
    assert not module.drops(0.5)(places, np.array([1, 1, 0.95, 0.2, 0]))
    assert module.settles(places, np.array([0, 0.5, 0.9, 0.92, 0.91]))
    assert not module.flat(places, down)
    assert module.near(1, -np.inf)(places, down)
    assert (module.wide(np.inf)(places, down), module.wide(2)(places, down)) == ("L", False)
    assert module._letter([True, "H", True]) == "H"
    assert module._letter(["L", "H"]) == module._letter([True, False]) == "F"


def test_words_are_judged_on_each_course(benchmark, capsys) -> None:
    trend = benchmark("trend")
    trend.main(["--rounds", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(trend.SCENARIOS)
    assert "100.0%" in next(line for line in lines if line.startswith("collapses"))


@pytest.fixture(scope="module")
def flights() -> pandas.DataFrame:
    rng = np.random.default_rng(0)
    planned, delay = rng.integers(0, 1440, 600), rng.integers(-5, 60, 600)
    left = (planned + delay) % 1440
    clocks = [minutes // 60 * 100 + minutes % 60 for minutes in (planned, left)]
    days = pandas.Timestamp("2024-01-01") + pandas.to_timedelta(7 * rng.integers(0, 50, 600), "D")
    columns = {"planned": clocks[0], "left": clocks[1], "delay": delay, "day": days}
    return pandas.DataFrame(columns | {"port": rng.choice(["a", "b"], 600)})


def test_the_judge_of_tables_tells_rows_apart_by_relations_that_trees_do_not_see(
    benchmark, flights
) -> None:
    judge = benchmark("table_judge")
    (table,) = coded(flights)
    assert judge.clock_columns(table) == [0, 1]
    found = judge.relations(table, table.values, flights, [0, 1]).T
    assert (found[2] == -flights["delay"]).all()  # of the two clocks, over midnight too
    assert (found[-2] == found[-2][0]).all()  # always the same day of the week
    assert (found[-1] == 0).all()  # at midnight
    other = flights.assign(day=flights["day"] + pandas.to_timedelta(np.arange(600) % 7, "D"))
    plain = judge.told_apart(flights, other)
    related = judge.told_apart(flights, other, with_relations=True)
    assert plain.low < 0.6 < 0.8 < related.low


def test_the_judge_of_tables_counts_copies_beside_what_held_out_rows_repeat(
    benchmark, flights
) -> None:
    judge = benchmark("table_judge")
    split = judge.split_rows(flights, "delay")
    assert (len(split.train), len(split.held_out)) == (480, 120)
    natural = judge.nearness(split, split.held_out)
    assert natural.copies == natural.natural_copies == 0
    assert natural.near_copies == natural.natural_near_copies
    assert natural.nearer == 0.5
    given_back = judge.nearness(split, split.train)
    assert given_back.copies == 1
    assert given_back.nearer > 0.99


def test_the_judge_of_tables_names_columns_beyond_what_real_parts_differ_by(
    benchmark, flights
) -> None:
    judge = benchmark("table_judge")
    split = judge.split_rows(flights, "delay")
    assert judge.marginals(split.train, split.held_out).beyond == ()
    rounded = split.train.assign(delay=split.train["delay"] // 30 * 30)
    found = judge.marginals(split.train, rounded)
    assert found.beyond == ("delay",)
    assert found.column == "delay"
    assert found.total_variation > 0.5 > found.noise


def test_what_rows_teach_is_judged_on_held_out_rows(benchmark, flights, monkeypatch) -> None:
    judge = benchmark("table_judge")
    monkeypatch.setattr(judge, "RESAMPLED", 20)
    split = judge.split_rows(flights.assign(late=flights["delay"] > 30), "late")
    assert judge.useful(split, split.train).low > 0.9
    shuffled = split.train.assign(late=split.train["late"].sample(frac=1, random_state=0).array)
    assert judge.useful(split, shuffled).value < 0.7
    number = judge.split_rows(flights, "delay")
    assert -0.5 < judge.useful(number, number.train).value <= 1


def test_fixed_tables_are_read_as_their_list_says(benchmark, tmp_path) -> None:
    sets, fetch = benchmark("table_sets"), benchmark("fetch")
    archive = tmp_path / "some-1.0.tar.gz"
    content = b'"","day","sick","name"\n1,2024-01-02,1,None\n2,2024-01-03,0,NA\n'
    with tarfile.open(archive, "w:gz") as members:
        member = tarfile.TarInfo("some-1.0/data/days.csv")
        member.size = len(content)
        members.addfile(member, io.BytesIO(content))
    assert fetch.member_of(archive, "data/days.csv") == content
    with pytest.raises(FileNotFoundError, match=r"has no file 'days\.csv'"):
        fetch.member_of(archive, "days.csv")
    described = {"member": "data/days.csv", "dates": ["day"], "yes_or_no": ["sick"]}
    table = sets.read(described | {"without": [""], "missing": "NA"}, content)
    assert [*table.columns] == ["day", "sick", "name"]
    assert table["day"].dtype.kind == "M"
    assert table["sick"].tolist() == [True, False]
    assert table["name"].isna().tolist() == [False, True]  # "None" stays a text
    assert len(sets.names()) == 8


def test_small_tables_are_chosen_and_judged_by_what_they_say(
    benchmark, flights, monkeypatch
) -> None:
    small = benchmark("small_tables")
    monkeypatch.setattr(small, "PREDICTED", 1)
    assert small.is_chosen(flights)
    assert not small.is_chosen(flights.head(99))
    assert not small.is_chosen(flights.assign(name=[f"n{i}" for i in range(600)]))
    split = small.split_of(flights, 0)
    assert (len(split.train), len(split.held_out)) == (420, 180)
    given_back = small.nearer_to_training(split, split.train, 0)
    assert given_back == pytest.approx((180 / 420 + 1) / 2, abs=0.04)  # of the subsets
    made = small.gaussian_copula(split.train, 0)
    assert small.nearer_to_training(split, made, 0) == pytest.approx(0.5, abs=0.1)
    assert {*made["port"]} == {"a", "b"}
    # of the clocks, one says the other but for a delay; columns by themselves say nothing
    shuffled = small.generators(0)["independent columns"](split.train, 0)
    of_copula, of_shuffled = (small.lost(split, rows, 0)[1] for rows in (made, shuffled))
    assert of_copula < 0.1 < 0.3 < of_shuffled


def test_results_of_rivals_are_kept_and_shown(benchmark, flights, tmp_path) -> None:
    rivals = benchmark("table_rivals")
    made = flights.assign(delay=flights["delay"] + 0.2, port=flights["port"].astype("category"))
    alike = rivals.alike(flights, made.astype({"planned": object}))
    pandas.testing.assert_frame_equal(alike, flights, check_dtype=False)
    path = tmp_path / "results.jsonl"
    record = {"table": "t", "contender": "game", "seed": 1, "seconds": 6.0, "failed": "no room"}
    path.write_text(json.dumps(record) + "\n")
    assert rivals.read_results(path) == {("t", "game", 1, 6.0): record}
    assert rivals.line("game", [record]).endswith("no room")
    assert rivals.line("argn", []).endswith("is not installed")
    assert rivals.interpreter(rivals.CONTENDERS["argn"], tmp_path) is None


def test_last_digits_are_compared_in_the_decimals_of_the_table(benchmark) -> None:
    module = benchmark("pydataset_tables")
    prices = np.arange(600) + 0.99
    assert module.variation(prices, prices[::-1]) == 0
    assert module.variation(prices, prices + 0.01) == 1
    assert module.variation(np.arange(600.0), np.arange(600) // 10 * 10.0) == pytest.approx(0.9)


def test_conditions_are_asked_of_every_column(benchmark, flights) -> None:
    where = benchmark("table_where")
    asked = [*where.conditions(flights)]
    assert {one.column for one in asked} == {*flights.columns}
    sizes = {one.column: len(one.of(flights)) for one in asked}
    assert min(sizes.values()) > 0
    assert sizes["port"] == flights["port"].value_counts().iloc[0]


def test_rules_are_checked_by_other_code_than_keeps_them(benchmark) -> None:
    broken = benchmark("table_rules").broken
    real = pandas.DataFrame(
        {"low": [1, 2], "top end": [2.0, 3.0], "sum": [3.0, 5.0], "place": ["a", "b"]}
    )
    made = pandas.DataFrame(
        {"low": [1, 4, 5], "top end": [2, 3, np.nan], "sum": [3, 8, 1.0], "place": ["a", "b", "a"]}
    )
    assert broken("low<=`top end`", real, made).tolist() == [False, True, False]
    assert broken("sum=low+`top end`", real, made).tolist() == [False, True, False]
    assert broken("0<=low<=4", real, made).tolist() == [False, False, True]
    assert broken("low,place", real, made).tolist() == [False, True, True]
