"""Changes of sounds' spectra: exact where they can be, gentle, differentiable twice."""

from typing import Any

import pytest
import torch
from torch import Tensor

from sparring.build import build_augmentation
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.sounds.augmentation import AMOUNTS, SoundAugmentation, warp
from sparring.kinds.sounds.spec import AudioSpec, Form, Framing
from sparring.kinds.sounds.spectrum import analyse, analyse_with_phase
from sparring.recipes.named import preset
from sparring.recipes.recipe import nested, resolve
from sparring.schedules import constant

FRAMING = Framing(8000, 3200, 64, 32)
BINS = FRAMING.bins


def spec_of(form: Form = "frames") -> AudioSpec:
    return AudioSpec(FRAMING, (-4.0,) * BINS, (1.5,) * BINS, form=form)


def waves(n: int = 6) -> Tensor:
    time = torch.arange(3200) / 8000
    rows = [torch.sin(2 * torch.pi * 300 * (k + 1) * time) * torch.exp(-6 * time) for k in range(n)]
    return 0.5 * torch.stack(rows)


def bound(kinds: tuple[str, ...], form: Form = "frames", p: float = 0.8, n: int = 6) -> Any:
    augmentation = SoundAugmentation(kinds, constant(p), spec=spec_of(form))
    like = seen(waves(n), form)
    return augmentation.bind(Draw(3), "test", p, like), like


def seen(wave: Tensor, form: Form) -> Tensor:
    return (analyse if form == "frames" else analyse_with_phase)(wave, spec_of(form))


@pytest.mark.parametrize("form", ["frames", "sound"])
def test_without_probability_nothing_changes(form: Form) -> None:
    change, x = bound(tuple(AMOUNTS), form, p=0.0)
    assert change(x) is x


@pytest.mark.parametrize("kind", AMOUNTS)
def test_each_kind_changes_some_and_the_same_way_at_each_call(kind: str) -> None:
    change, x = bound((kind,), "sound", n=40)
    once = change(x)
    assert torch.equal(once, change(x))
    changed = (once - x).abs().amax((1, 2)) > 1e-6
    assert 0 < int(changed.sum()) < 40


def test_a_gain_is_the_spectrum_of_a_quieter_wave() -> None:
    augmentation = SoundAugmentation(("gain",), constant(0.8), spec=spec_of("sound"))
    gain = torch.linspace(0.25, 1, 6)
    changed = augmentation._gain_and_noise(seen(waves(), "frames"), gain, torch.zeros(6))
    torch.testing.assert_close(changed, seen(gain[:, None] * waves(), "frames"), atol=2e-3, rtol=0)
    with_phase = augmentation._gain_and_noise(seen(waves(), "sound"), gain, torch.zeros(6))[
        :, BINS:
    ]
    loud = seen(waves(), "sound")[:, BINS:]
    torch.testing.assert_close(with_phase, loud * gain.sqrt()[:, None, None])


def test_polarity_turns_the_phase_and_leaves_the_level() -> None:
    augmentation = SoundAugmentation(("polarity",), constant(0.8), spec=spec_of("sound"))
    x = seen(waves(), "sound")
    turned = augmentation._inverted(x, torch.tensor([True] * 3 + [False] * 3))
    torch.testing.assert_close(turned[:3], seen(-waves()[:3], "sound"))
    assert torch.equal(turned[3:], x[3:])


def test_a_delay_moves_frames_and_lets_silence_in() -> None:
    x = seen(waves(2), "frames")
    silence = torch.full((BINS, 1), -3.5)
    still = torch.ones(2)
    later = warp(x, BINS, silence, torch.tensor([2, -3]), still, still)
    torch.testing.assert_close(later[0, :, 2:], x[0, :, :-2], atol=1e-4, rtol=0)
    torch.testing.assert_close(later[0, :, :2], silence.expand(BINS, 2))
    torch.testing.assert_close(later[1, :, :-3], x[1, :, 3:], atol=1e-4, rtol=0)
    torch.testing.assert_close(later[1, :, -3:], silence.expand(BINS, 3))


def test_neutral_amounts_leave_every_number() -> None:
    x = seen(waves(2), "sound")
    one = torch.ones(2)
    assert torch.equal(warp(x, BINS, torch.zeros(3 * BINS, 1), torch.zeros(2), one, one), x)


def test_a_higher_pitch_moves_the_loudest_bin_up() -> None:
    x = seen(waves(3), "frames")
    loudest = x[:, :, 5].argmax(1)
    up = warp(
        x, BINS, torch.full((BINS, 1), -3.5), torch.zeros(3), torch.ones(3), torch.tensor([2.0] * 3)
    )
    assert (up[:, :, 5].argmax(1) - 2 * loudest).abs().max() <= 1


def test_a_faster_sound_ends_earlier() -> None:
    x = torch.zeros(1, BINS, 100)
    x[..., 60] = 1
    fast = warp(x, BINS, torch.zeros(BINS, 1), torch.zeros(1), torch.tensor([1.5]), torch.ones(1))
    assert int(fast[0, 0].argmax()) == 40


def test_r1_passes_through_every_change() -> None:
    change, x = bound(tuple(AMOUNTS), "sound")
    x = x.double().requires_grad_()
    weight = torch.randn(x.shape[1], x.shape[2], dtype=torch.float64, requires_grad=True)
    logits = (change(x) ** 2 * weight).sum()
    (gradient,) = torch.autograd.grad(logits, x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), weight)
    assert second.isfinite().all()
    assert second.any()


def test_the_changes_do_not_depend_on_the_batch() -> None:
    augmentation = SoundAugmentation(tuple(AMOUNTS), constant(0.8), spec=spec_of())
    x = seen(waves(), "frames")
    whole = augmentation.bind(Draw(3), "test", 0.8, x)(x)
    part = augmentation.bind(Draw(3, 4), "test", 0.8, x[4:])(x[4:])
    torch.testing.assert_close(whole[4:], part)


def test_kinds_of_other_data_are_refused_in_a_line() -> None:
    recipe = resolve(preset("default", "tiny", spec_of()), nested({"augment.kinds": "flip gain"}))
    with pytest.raises(SparringError, match="'flip' is for images; use some of 'gain noise"):
        build_augmentation(recipe, spec_of())
    only = resolve(preset("default", "tiny", spec_of()), nested({"augment.kinds": "gain"}))
    with pytest.raises(SparringError, match="is not for sounds as this discriminator sees them"):
        build_augmentation(only, spec_of("wave"))


def test_few_recordings_are_augmented_and_many_are_not() -> None:
    few = resolve(preset("default", "small", spec_of(), 100))
    assert few.augment.kinds == "gain shift speed pitch"
    assert resolve(preset("default", "small", spec_of(), 10_000)).augment.kinds == ""
