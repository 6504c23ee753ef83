"""How much sounds are changed: each amount follows from its own numbers, by its own law."""

from math import log

import pytest
import torch
from torch import Tensor

from sparring.kinds.sounds.augmentation import AMOUNTS, SoundAugmentation
from sparring.kinds.sounds.spec import AudioSpec, Framing
from sparring.schedules import constant
from sparring.training.augmentation import RandomAmounts

FRAMING = Framing(8000, 3200, 64, 32)
BINS, FRAMES = FRAMING.bins, FRAMING.frames
SPEC = AudioSpec(FRAMING, (-4.0,) * BINS, (1.5,) * BINS, form="sound")


def drawn(n: int, **numbers: tuple[float, ...]) -> dict[str, RandomAmounts]:
    """Return numbers for n sounds that change them all; of kinds that are not named, a half."""
    halves = {kind: (0.5,) * count for kind, count in AMOUNTS.items()} | numbers
    return {
        kind: RandomAmounts(
            torch.ones(n, dtype=torch.bool), torch.tensor(values)[:, None].expand(-1, n)
        )
        for kind, values in halves.items()
    }


def changed(x: Tensor, *kinds: str, **numbers: tuple[float, ...]) -> Tensor:
    augmentation = SoundAugmentation(kinds, constant(0.8), spec=SPEC)
    for change in augmentation.changes(drawn(len(x), **numbers), x):
        x = change(x)
    return x


def amplitude(x: Tensor) -> Tensor:
    """Return the linear amplitudes (n, bins, frames) that levels stand for."""
    return (x[:, :BINS] * 1.5 - 4.0).exp()


def flat(level: float = 2.0) -> Tensor:
    return torch.full((1, 3 * BINS, FRAMES), level)


@pytest.mark.parametrize(("u", "decibels"), [(0.0, 0.0), (0.5, -6.0), (1.0, -12.0)])
def test_gains_go_from_none_to_twelve_decibels_down(u: float, decibels: float) -> None:
    quieter = amplitude(changed(flat(), "gain", gain=(u,))) / amplitude(flat())
    expected = 10 ** (decibels / 20)
    torch.testing.assert_close(quieter, torch.full_like(quieter, expected), rtol=2e-3, atol=0)


@pytest.mark.parametrize(("u", "share"), [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)])
def test_noise_adds_up_to_minus_45_decibels_by_the_square_of_its_number(
    u: float, share: float
) -> None:
    added = amplitude(changed(flat(-3.0), "noise", noise=(u,))) - amplitude(flat(-3.0))
    torch.testing.assert_close(
        added, torch.full_like(added, share * 10 ** (-45 / 20)), atol=1e-6, rtol=1e-3
    )


def test_noise_and_gain_of_one_sound_are_drawn_apart() -> None:
    both = amplitude(changed(flat(), "gain", "noise", gain=(1.0,), noise=(0.0,)))
    alone = amplitude(changed(flat(), "gain", gain=(1.0,)))
    torch.testing.assert_close(both, alone)


@pytest.mark.parametrize(
    ("u", "frames"),
    [((0.999, 0.0), FRAMES // 12), ((0.0, 0.999), -(FRAMES // 12)), ((0.7, 0.7), 0)],
)
def test_shifts_go_a_twelfth_either_way(u: tuple[float, float], frames: int) -> None:
    x = flat(0.0)
    x[..., 50] = 3
    moved = changed(x, "shift", shift=u)
    assert int(moved[0, 0].argmax()) == 50 + frames


@pytest.mark.parametrize(("u", "sign"), [(0.49, -1), (0.51, 1)])
def test_half_of_the_chosen_waves_are_turned(u: float, sign: int) -> None:
    phase = changed(flat(), "polarity", polarity=(u,))[:, BINS:]
    torch.testing.assert_close(phase, sign * flat()[:, BINS:])


@pytest.mark.parametrize("kind", AMOUNTS)
def test_numbers_of_kinds_that_are_left_out_change_nothing(kind: str) -> None:
    far = {kind: (0.9, 0.1)[: AMOUNTS[kind]]}
    x = flat()
    x[:, :, 20:], x[:, 10:] = log(0.5), -1.0  # steps in time and in pitch
    others = tuple(other for other in AMOUNTS if other != kind)
    torch.testing.assert_close(changed(x, *others, **far), changed(x, *others))
