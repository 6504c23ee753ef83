"""Augmentation: exact changes, laws of draws, two derivatives, a probability that adapts."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.images.augmentation import (
    AMOUNTS,
    ImageAugmentation,
    colour,
    cutout,
    flip,
    resample,
    rot90,
    translate,
)
from sparring.kinds.sounds.augmentation import AMOUNTS as SOUND_AMOUNTS
from sparring.recipes.recipe import AUGMENTATIONS
from sparring.schedules import constant, linear
from sparring.theory import leak
from sparring.training.augmentation import Adaptive

KINDS: tuple[str, ...] = tuple(AMOUNTS)
SHAPES = ((1, 8, 8), (2, 9, 9), (3, 16, 8), (4, 8, 11))
every_kind = pytest.mark.parametrize("kind", KINDS)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def images(n: int, *shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((n, *shape), generator=generator, dtype=torch.float64) * 2 - 1


def change(
    *kinds: str, like: Tensor, p: float = 0.7, draw: Draw = Draw(3), **fields: Any
) -> Callable[[Tensor], Tensor]:
    return ImageAugmentation(kinds, constant(p), **fields).bind(draw, "test", p, like)


def same_images(a: Tensor, b: Tensor) -> Tensor:
    return (a == b).flatten(1).all(1)


def test_the_recipe_knows_every_kind() -> None:
    assert set(AUGMENTATIONS) == {*AMOUNTS, *SOUND_AMOUNTS}


# ---- each change by given amounts


def test_a_flip_mirrors_the_chosen_images_left_to_right() -> None:
    x = images(4, 2, 3, 5)
    chosen = torch.tensor([True, False, True, False])
    expected = [one.flip(2) if on else one for one, on in zip(x, chosen, strict=True)]
    assert torch.equal(flip(x, chosen), torch.stack(expected))


def test_quarter_turns_are_those_of_torch() -> None:
    x = images(4, 2, 5, 5)
    turned = rot90(x, torch.arange(4))
    assert torch.equal(turned, torch.stack([x[k].rot90(k, (1, 2)) for k in range(4)]))


def test_an_oblong_image_makes_half_turns_only() -> None:
    x = images(200, 1, 4, 6)
    turned = change("rot90", like=x, p=1.0)(x)
    half = same_images(turned, x.rot90(2, (2, 3)))
    assert bool((half | same_images(turned, x)).all())
    assert 70 < int(half.sum()) < 130


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, -2), (-1, 1), (1, 2), (-1, -2)])
def test_a_shift_moves_whole_pixels_and_uncovers_black(down: int, right: int) -> None:
    x = images(2, 3, 8, 17)
    expected = torch.full_like(x, -1.0)
    for row in range(8):
        for column in range(17):
            if 0 <= row - down < 8 and 0 <= column - right < 17:
                expected[1, :, row, column] = x[1, :, row - down, column - right]
    moved = translate(x, torch.tensor([0, down]), torch.tensor([0, right]), black=-1.0)
    assert torch.equal(moved, torch.stack([x[0], expected[1]]))


@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_turning_by_right_angles_is_rot90(side: int, turns: int) -> None:
    x = images(1, 3, side, side)
    angle = torch.tensor([turns * torch.pi / 2], dtype=x.dtype)
    turned = resample(x, torch.ones_like(angle), angle, black=-1.0)
    torch.testing.assert_close(turned, x.rot90(turns, (2, 3)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.7])
@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_interpolation_is_exact_on_ramps(scale: float, angle: float) -> None:
    """Of a plane a·right + b·down it gives the plane, turned and stretched, where it looks inside.

    Counter-clockwise as seen, with rows counted downwards.
    """
    down, right = torch.meshgrid(torch.arange(15) - 7.0, torch.arange(21) - 10.0, indexing="ij")
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    from_right, from_down = cos * right - sin * down, sin * right + cos * down
    inside = (from_right.abs() <= 10) & (from_down.abs() <= 7)
    x = (0.2 * right - 0.3 * down).double()[None, None]
    made = resample(x, x.new_tensor([scale]), x.new_tensor([angle]), black=-1.0)
    plane = 0.2 * from_right - 0.3 * from_down
    assert int(inside.sum()) > 100
    torch.testing.assert_close(made[0, 0][inside], plane[inside].double(), rtol=0, atol=1e-6)
    far = (from_right.abs() >= 11) | (from_down.abs() >= 8)
    assert bool((made[0, 0][far] == -1.0).all())


def test_an_image_of_scale_one_and_angle_zero_stays_exact_beside_others() -> None:
    x = images(2, 1, 28, 28).float()
    made = resample(x, torch.tensor([1.0, 1.3]), torch.zeros(2), black=-1.0)
    assert torch.equal(made[0], x[0])
    assert not torch.allclose(made[1], x[1])


@every_shape
def test_colour_moves_the_mean_and_stretches_what_differs_from_it(
    shape: tuple[int, int, int],
) -> None:
    x = images(2, *shape)
    brightness, contrast = torch.tensor([[0.3, 0.0], [1.5, 1.0]], dtype=x.dtype)
    made = colour(x, brightness, contrast, torch.ones(2, dtype=x.dtype))
    mean = x[0].mean()
    torch.testing.assert_close(made[0], (x[0] - mean) * 1.5 + mean + 0.3)
    assert torch.equal(made[1], x[1])


@every_shape
def test_saturation_is_for_three_channels(shape: tuple[int, int, int]) -> None:
    x, still = images(2, *shape), torch.ones(2, dtype=torch.float64)
    made = colour(x, still - 1, still, torch.tensor([0.0, 2.0], dtype=x.dtype))
    if shape[0] != 3:
        assert torch.equal(made, x)
        return
    grey = x.mean(1, keepdim=True)
    torch.testing.assert_close(made[0], grey[0].expand(shape))
    torch.testing.assert_close(made[1], grey[1] + 2 * (x[1] - grey[1]))


@pytest.mark.parametrize(("top", "left"), [(0, 0), (2, 3), (-2, 4), (6, -1), (8, 0)])
def test_a_cutout_blackens_half_of_each_side_and_what_lies_outside_not(top: int, left: int) -> None:
    x = images(1, 2, 8, 7)
    expected = x.clone()
    expected[:, :, max(top, 0) : top + 4, max(left, 0) : left + 4] = 0.0
    assert torch.equal(cutout(x, torch.tensor([top]), torch.tensor([left]), black=0.0), expected)


# ---- random changes


@every_shape
@every_kind
def test_images_without_luck_stay_exactly_as_they_are(
    kind: str, shape: tuple[int, int, int]
) -> None:
    x = images(3, *shape).float()
    assert torch.equal(change(kind, like=x, p=1e-12)(x), x)
    assert change(*KINDS, like=x, p=0.0)(x) is x
    assert change(like=x)(x) is x


CHANGED = {  # share of the images on which a change, once it is applied, can be seen
    "flip": 1 / 2,
    "rot90": 3 / 4,
    "translate": 3 / 4,
    "scale": 1,
    "rotate": 1,
    "colour": 1,
    "cutout": 1,
}


@every_kind
@pytest.mark.parametrize("p", [0.2, 0.7, 1.0])
def test_a_change_is_applied_as_often_as_it_should(kind: str, p: float) -> None:
    x = images(4000, 1, 8, 8)
    changed = int((~same_images(change(kind, like=x, p=p)(x), x)).sum())
    share = p * CHANGED[kind]
    assert abs(changed - 4000 * share) <= 4 * (4000 * share * (1 - share)) ** 0.5


def test_changes_are_applied_independently_of_each_other() -> None:
    x = images(4000, 1, 8, 8)
    applied = [
        ~same_images(change(kind, like=x, p=0.5)(x), x) for kind in ("scale", "rotate", "cutout")
    ]
    for i in range(3):
        both = int((applied[i] & applied[i - 1]).sum())
        assert abs(both - 1000) <= 4 * (4000 * 3 / 16) ** 0.5


@every_shape
def test_all_changes_together_are_the_changes_one_after_another(
    shape: tuple[int, int, int],
) -> None:
    x = images(30, *shape)
    whole = change(*KINDS, like=x)(x)
    assert whole.shape == x.shape
    apart = x
    for kind in KINDS:
        if kind not in ("scale", "rotate"):  # these two are one
            apart = change(kind, like=x)(apart)
        elif kind == "scale":
            apart = change("rotate", "scale", like=x)(apart)
    assert torch.equal(whole, apart)
    assert int(same_images(whole, x).sum()) <= 3


@every_kind
def test_a_bound_change_is_affine_and_the_same_at_every_call(kind: str) -> None:
    a, b, noise = (images(8, 3, 9, 9, seed=seed) for seed in range(3))
    bound = change(kind, like=a)
    assert torch.equal(bound(a), bound(a))
    torch.testing.assert_close(bound(a) + bound(b), bound(a + b) + bound(torch.zeros_like(a)))
    near = (bound(a + 1e-3 * noise) - bound(a)) / 1e-3
    torch.testing.assert_close(near, bound(noise) - bound(torch.zeros_like(a)), atol=1e-9, rtol=0)


@every_kind
def test_an_image_is_changed_by_its_place_in_the_run_whatever_the_batch(kind: str) -> None:
    x = images(9, 3, 8, 8)
    whole = change(kind, like=x, draw=Draw(5, 100))(x)
    first = change(kind, like=x[:4], draw=Draw(5, 100))(x[:4])
    later = change(kind, like=x[4:], draw=Draw(5, 104))(x[4:])
    assert torch.equal(whole, torch.cat([first, later]))


def test_other_seeds_places_attempts_and_purposes_draw_other_changes() -> None:
    x = images(20, 1, 8, 8)
    augmentation = ImageAugmentation(KINDS, constant(0.5))
    asked = [
        (Draw(1), "a"),
        (Draw(2), "a"),
        (Draw(1, 20), "a"),
        (Draw(1, 0, 1), "a"),
        (Draw(1), "b"),
    ]
    made = [augmentation.bind(draw, purpose, 0.9, x)(x) for draw, purpose in asked]
    for i, one in enumerate(made):
        assert not any(torch.allclose(one, other) for other in made[:i])


@pytest.mark.parametrize(("value_range", "black"), [("-1..1", -1.0), ("0..1", 0.0)])
@pytest.mark.parametrize("kind", ["translate", "cutout", "scale"])
def test_what_is_uncovered_is_black(kind: str, value_range: str, black: float) -> None:
    white = torch.ones(50, 2, 16, 16)
    made = change(kind, like=white, p=1.0, value_range=value_range)(white)
    torch.testing.assert_close(float(made.min()), black)
    torch.testing.assert_close(float(made.max()), 1.0)
    if kind != "scale":
        assert set(made.flatten().tolist()) == {black, 1.0}


def test_brightness_is_in_proportion_to_the_range() -> None:
    x = torch.full((4000, 1, 8, 8), 0.5, dtype=torch.float64)
    for value_range, sigma in (("-1..1", 0.2), ("0..1", 0.1)):
        shift = change("colour", like=x, p=1.0, value_range=value_range)(x)[:, 0, 0, 0] - 0.5
        assert float(shift.std()) == pytest.approx(sigma, rel=0.05)


def test_shifts_of_small_images_are_none_and_of_large_ones_an_eighth_at_most() -> None:
    spot = torch.zeros(6000, 1, 7, 24)
    spot[:, :, 3, 12] = 1.0
    made = change("translate", like=spot, p=1.0, value_range="0..1")(spot)
    rows, columns = made.nonzero()[:, 2:].unbind(1)
    assert bool((rows == 3).all())
    found = torch.bincount(columns - 9).numpy()
    law = np.array([1, 2, 3, 4, 3, 2, 1]) / 16  # the difference of two uniforms
    assert stats.chisquare(found, 6000 * law).pvalue > 1e-3
    assert np.fft.fft(np.roll(np.pad(law, (0, 17)), -3)).real.min() > -1e-12  # never negative


def test_the_hidden_part_has_its_middle_anywhere() -> None:
    white = torch.ones(4000, 1, 8, 8)
    hidden = (change("cutout", like=white, p=1.0)(white) < 0)[:, 0].float()
    sizes = hidden.sum((1, 2))
    assert float(sizes.max()) == 16
    assert float(sizes.min()) == 4  # a corner
    rows = hidden.amax(2).sum(1)  # 4 of 8, fewer at the border
    expected = {2: 1 / 8, 3: 2 / 8, 4: 5 / 8}
    for size, share in expected.items():
        assert float((rows == size).float().mean()) == pytest.approx(share, abs=0.035)


def test_data_that_are_no_images_are_refused_in_one_line() -> None:
    with pytest.raises(SparringError, match=r"a sample has shape \(5,\)"):
        change("flip", like=torch.zeros(3, 5))


# ---- derivatives


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 8)], ids=str)
@every_kind
def test_a_change_can_be_differentiated_twice(kind: str, shape: tuple[int, int, int]) -> None:
    x = images(3, *shape).requires_grad_()
    bound = change(kind, like=x, p=1.0)

    def curved(x: Tensor) -> Tensor:
        return bound(x) ** 3

    assert torch.autograd.gradcheck(curved, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(curved, x, fast_mode=True)
    assert not torch.equal(bound(x), x)


def test_the_gradient_of_resampling_is_its_adjoint() -> None:
    x, y = images(4, 2, 9, 7).requires_grad_(), images(4, 2, 9, 7, seed=1)
    bound = change("scale", "rotate", like=x, value_range="0..1")
    made = bound(x)
    (spread,) = torch.autograd.grad(made, x, y)
    torch.testing.assert_close((made * y).sum(), (x * spread).sum())


# ---- how often


def test_a_schedule_counts_images_and_stops_at_the_limit() -> None:
    augmentation = ImageAugmentation(("flip",), linear(0.0, 1.0, 0, 1000), limit=0.6)
    assert [augmentation.at(n, 0.9) for n in (0, 500, 1000)] == [0.0, 0.5, 0.6]
    assert augmentation.adapted(0.3, 1.0, 100) == 0.3


def test_an_adaptive_probability_goes_from_nothing_to_its_limit_and_back() -> None:
    augmentation = ImageAugmentation(("flip",), Adaptive(0.6, horizon_images=1000.0), limit=0.25)
    assert augmentation.adapted(0.0, 0.7, 128) == 0.128
    assert augmentation.adapted(0.128, 0.7, 128) == 0.25
    assert augmentation.adapted(0.25, 0.6, 128) == 0.25
    assert augmentation.adapted(0.25, 0.5, 128) == pytest.approx(0.122)
    assert augmentation.adapted(0.122, -1.0, 128) == 0.0
    assert augmentation.at(10**9, 0.2) == 0.2
    assert augmentation.at(0, 0.9) == 0.25


# ---- the leak operator

PICTURE = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
ORBIT = torch.stack([p.rot90(k) for p in (PICTURE, PICTURE.flip(1)) for k in range(4)])


def flips_and_turns(p: float) -> Tensor:
    """Return T of a flip, then a turn, each with probability p."""

    def alone(one: Callable[..., Tensor], amount: int | bool) -> leak.Move:
        return lambda point: one(point[None, None], torch.tensor([amount]))[0, 0]

    flips = leak.operator(ORBIT, [alone(flip, chosen) for chosen in (False, True)], p)
    turns = leak.operator(ORBIT, [alone(rot90, k) for k in range(4)], p)
    return turns @ flips


def test_flips_and_turns_leak_only_when_they_are_always_applied() -> None:
    for p in (0.3, 0.5, 0.8, 0.99):
        assert not leak.singular(flips_and_turns(p))
    assert leak.singular(flips_and_turns(1.0))
    values = torch.linalg.eigvalsh(flips_and_turns(0.8))
    assert float(values.abs().min()) == pytest.approx(0.2**2)


def test_the_pipeline_has_the_law_of_that_operator() -> None:
    n, p = 20_000, 0.8
    x = PICTURE.expand(n, 1, 2, 2)
    made = change("flip", "rot90", like=x, p=p)(x)
    found = (made == ORBIT).flatten(2).all(2).sum(0).numpy()
    assert found.sum() == n
    assert stats.chisquare(found, n * flips_and_turns(p)[:, 0].numpy()).pvalue > 1e-3
