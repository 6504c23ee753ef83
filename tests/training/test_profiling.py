"""The profile of a step: exact counts of known work, shares that sum to one, marks that leave."""

from typing import Any

import pytest
import torch
from torch import nn

from sparring import objectives, penalties
from sparring.kinds.images.augmentation import ImageAugmentation
from sparring.networks.dense import Dense
from sparring.penalties import Penalty
from sparring.schedules import constant
from sparring.training.profile import (
    gigaflop_of,
    marked,
    operator_kind,
    peak_gigaflops,
    phase,
    profile_step,
)
from sparring.training.step import Game, train_step


@pytest.fixture(autouse=True)
def quick_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring.training.profile.PEAK_SECONDS", 0.0)


def test_multiplications_and_additions_are_counted_forwards_and_backwards() -> None:
    a, b = torch.ones(20, 30), torch.ones(30, 50, requires_grad=True)

    def step() -> None:
        torch.mm(a, b).sum().backward()

    found = profile_step(step, 2)
    assert found.gigaflop == pytest.approx(2 * 2 * 20 * 30 * 50 / 1e9)  # of the product, of db
    assert found.speed == pytest.approx(found.gigaflop / (found.milliseconds / 1e3))
    assert found.peak > 0


@pytest.mark.parametrize("network", ["mlp", "convolutional"])
def test_shares_of_a_whole_step_sum_to_one_and_every_phase_has_some(
    make_state: Any, make_batch: Any, network: str
) -> None:
    state = make_state(network, optimizer="adam")
    augment = ImageAugmentation(("translate",), constant(0.5))
    r1 = Penalty(penalties.r1, constant(1.0))
    game = Game(objectives.hinge, (r1,), "simultaneous", augment=augment)

    def fetch(start: int, count: int) -> Any:
        return make_batch(count, start=start)

    with marked(state, game, fetch) as (marked_game, marked_fetch):
        found = profile_step(
            lambda: train_step(state, marked_game, marked_fetch(state.samples_seen, 4)), 2
        )
    assert sum(found.operators.values()) == pytest.approx(1)
    assert sum(found.phases.values()) == pytest.approx(1)
    assert set(found.phases) >= {
        "data",
        "augmentation",
        "generator forward",
        "discriminator forward",
        "penalties",
        "backward",
        "optimiser",
        "averaging",
    }
    main = {"mlp": "matrix products", "convolutional": "convolution"}[network]
    assert found.operators[main] > 0
    assert any("one step: " in line for line in found.table())
    assert not state.generator._forward_hooks
    assert not state.discriminator._forward_pre_hooks


def test_marks_change_no_number(
    make_state: Any, make_batch: Any, everything: Any, differing: Any
) -> None:
    augment = ImageAugmentation(("cutout", "translate"), constant(0.8), value_range="0..1")
    game = Game(
        objectives.hinge,
        (Penalty(penalties.r1, constant(1.0)),),
        "simultaneous",
        augment=augment,
    )
    plain, watched = make_state("convolutional"), make_state("convolutional")
    train_step(plain, game, make_batch(4))
    with marked(watched, game, lambda start, count: make_batch(count, start=start)) as (own, fetch):
        train_step(watched, own, fetch(0, 4))
    assert differing(everything(plain), everything(watched)) == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["aten::mkldnn_convolution", "discriminator forward"], "convolution"),
        (["aten::add", "ConvolutionBackward0"], "convolution"),
        (["aten::addmm"], "matrix products"),
        (["aten::mul", "augmentation"], "augmentation"),
        (["aten::_fused_adam_", "Optimizer.step#Adam.step"], "optimiser"),
        (["aten::lerp_", "aten::_foreach_lerp_"], "averaging"),
        (["aten::native_batch_norm"], "normalisation and activations"),
        (["aten::copy_", "data"], "data"),
        (["aten::copy_"], "other"),
    ],
)
def test_an_operator_is_of_the_kind_of_its_name_or_of_what_it_runs_in(
    names: list[str], expected: str
) -> None:
    assert operator_kind(names) == expected


def test_a_penalty_s_own_derivative_belongs_to_the_penalty() -> None:
    inner = ["aten::mm", "autograd::engine::evaluate_function: MmBackward0"]
    assert phase(inner) == "backward"
    assert phase([*inner, "penalties"]) == "penalties"
    assert phase(["aten::mm", "discriminator forward", "penalties"]) == "penalties"
    assert phase(["aten::mm"]) == "other"


def test_products_of_dense_layers_are_counted_like_those_of_pytorch_s_linear_layers() -> None:
    ours, plain = Dense(300, 400), nn.Linear(300, 400)
    x = torch.randn(64, 300, requires_grad=True)
    counts = [gigaflop_of(lambda one=one: one(x).sum().backward(), 1) for one in (ours, plain)]
    assert counts[0] == counts[1] == pytest.approx(3 * 2 * 64 * 300 * 400 / 1e9)


def test_the_peak_is_that_of_the_better_library(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = torch.mm

    def slower(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        for _ in range(20):
            slow(a, b)
        return slow(a, b)

    usual = peak_gigaflops()
    monkeypatch.setattr(torch, "mm", slower)
    assert peak_gigaflops() > usual / 4


@pytest.mark.parametrize("groups", [1, 4, 16])
@pytest.mark.parametrize("transposed", [False, True])
def test_gradients_of_grouped_convolutions_are_counted_once(groups: int, transposed: bool) -> None:
    kernel = torch.randn(16, 16 // groups, 3, 3, requires_grad=True)
    x = torch.randn(2, 16, 8, 8, requires_grad=True)
    convolve = torch.conv_transpose2d if transposed else torch.conv2d

    def step() -> None:
        convolve(x, kernel, stride=2, padding=1, groups=groups).sum().backward()

    found = gigaflop_of(step, 1)
    positions = 2 * (64 if transposed else 16)  # of two images, on the smaller side
    assert 1e9 * found == pytest.approx(3 * 2 * positions * kernel.numel())
