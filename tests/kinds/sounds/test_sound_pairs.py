"""The pairs for sounds: shapes at any rate, the inverse transform, phase shuffle, penalties."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.sounds.networks.frames import (
    FramesDiscriminator,
    FramesGenerator,
    InverseSTFTGenerator,
)
from sparring.kinds.sounds.networks.wave import (
    MAX_SHIFT,
    WaveDiscriminator,
    WaveGenerator,
    shuffle_phase,
)
from sparring.kinds.sounds.spec import AudioSpec, Form, Framing
from sparring.kinds.sounds.spectrum import analyse, analyse_with_phase, inverse_stft
from sparring.networks.conv1d import ResidualBlock
from sparring.penalties import r1, scored

GENERATORS: dict[Form, Any] = {
    "frames": lambda spec: FramesGenerator(spec, 8, 16, 1),
    "sound": lambda spec: InverseSTFTGenerator(spec, 8, 16, 1),
    "wave": lambda spec: WaveGenerator(spec, 8, 2),
}
DISCRIMINATORS: dict[Form, Any] = {
    "frames": lambda spec: FramesDiscriminator(spec, 16, 2),
    "sound": lambda spec: FramesDiscriminator(spec, 16, 2),
    "wave": lambda spec: WaveDiscriminator(spec, 2),
}
SIZES = [(8000, 1600, 64, 32), (16000, 8193, 256, 128), (44100, 11111, 1024, 256)]
each_form = pytest.mark.parametrize("form", GENERATORS)


def spec_of(form: Form, size: tuple[int, ...] = SIZES[0], classes: tuple[str, ...] = ()) -> Any:
    framing = Framing(*size)
    mean = tuple(-5 - 0.01 * k for k in range(framing.bins))
    return AudioSpec(framing, mean, (1.5,) * framing.bins, form=form, classes=classes)


def latents(n: int, width: int = 8, seed: int = 0) -> Tensor:
    return Draw(seed).normal("test", (n, width))


def seen(made: Tensor, spec: AudioSpec) -> Tensor:
    return analyse_with_phase(made, spec) if spec.form == "sound" else made


@each_form
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [(), ("a", "b", "c")])
def test_any_rate_and_length_with_and_without_classes(
    form: Form, size: tuple[int, ...], classes: tuple[str, ...]
) -> None:
    torch.manual_seed(0)
    spec = spec_of(form, size, classes)
    label = torch.tensor([0, 2]) if classes else None
    made = GENERATORS[form](spec)(latents(2), label)
    assert made.shape == (2, *spec.shape)
    assert made.isfinite().all()
    logits = DISCRIMINATORS[form](spec)(seen(made, spec), label)
    assert logits.shape == (2,)


@each_form
def test_a_sound_is_a_function_of_its_own_latent(form: Form) -> None:
    torch.manual_seed(0)
    generator = GENERATORS[form](spec_of(form)).eval()
    several = generator(latents(6))
    torch.testing.assert_close(generator(latents(6)[2:3]), several[2:3], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(several[0], several[1])


@each_form
def test_the_label_decides_too(form: Form) -> None:
    torch.manual_seed(0)
    spec = spec_of(form, classes=("a", "b"))
    generator, discriminator = GENERATORS[form](spec), DISCRIMINATORS[form](spec).eval()
    nn.init.normal_(discriminator.head.embed.weight)
    same = latents(1).repeat(2, 1)
    made = generator(same, torch.tensor([0, 1]))
    assert not torch.allclose(made[0], made[1])
    twice = torch.cat([seen(made, spec)[:1]] * 2)
    a, b = discriminator(twice, torch.tensor([0, 1]))
    assert a != b


def test_residual_branches_start_at_zero() -> None:
    x = torch.randn(2, 16, 20)
    assert torch.equal(ResidualBlock(16, 3)(x), x)


def test_the_wave_is_the_inverse_transform_of_level_and_phase() -> None:
    """Bins that are all loud and in phase at each frame's middle: a click at each of them."""
    spec = spec_of("sound")
    generator = InverseSTFTGenerator(spec, 8, 16, 1)
    with torch.no_grad():
        for parameter in generator.head.parameters():
            parameter.zero_()
        generator.head.bias[spec.framing.bins : 2 * spec.framing.bins] = 1.0  # p: phase 0
        wave = generator(latents(1))
    size = torch.tensor(spec.mean).exp() * (spec.framing.window / 4) / (1 + 1e-3) ** 0.5
    spectrum = size[:, None].repeat(1, spec.framing.frames + 1) + 0j
    spectrum = torch.cat([spectrum, spectrum.new_zeros(1, spectrum.shape[1])])[None]
    torch.testing.assert_close(wave, inverse_stft(spectrum, spec.framing))


def test_a_level_beyond_all_bounds_stays_finite() -> None:
    spec = spec_of("sound")
    generator = InverseSTFTGenerator(spec, 8, 16, 1)
    with torch.no_grad():
        generator.head.bias += 1e4
    assert generator(latents(2)).isfinite().all()


@each_form
def test_r1_reaches_every_weight_of_the_discriminator(form: Form) -> None:
    torch.manual_seed(0)
    spec = spec_of(form)
    discriminator = DISCRIMINATORS[form](spec)
    wave = 0.3 * torch.randn(3, spec.framing.samples)
    x = wave if form == "wave" else analyse(wave, spec) if form == "frames" else seen(wave, spec)
    real = scored(x.requires_grad_(), discriminator)
    r1(real, real, Draw(0)).mean().backward()
    weights = [p for n, p in discriminator.named_parameters() if p.ndim > 1]
    missing = sum(p.grad is None or not p.grad.any() for p in weights)
    blocks = sum(isinstance(module, ResidualBlock) for module in discriminator.modules())
    assert missing == blocks  # whose second convolution starts at zero


def test_phase_shuffle_shifts_by_two_at_most() -> None:
    maps = torch.arange(40.0).repeat(50, 3, 1)
    shifts = shuffle_phase(maps, Draw(0), 0)[:, 0, 10] - 10
    assert set(shifts.tolist()) == set(range(-MAX_SHIFT, MAX_SHIFT + 1))


def test_phases_are_shuffled_only_while_training_and_by_the_batch_alone() -> None:
    torch.manual_seed(0)
    discriminator = WaveDiscriminator(spec_of("wave"), 2)
    wave, other = torch.randn(4, 1600), torch.randn(4, 1600)
    first = discriminator(wave)
    assert torch.equal(discriminator(wave), first)
    elsewhere = torch.cat([wave[:3], other[3:]])
    assert not torch.allclose(discriminator(elsewhere)[:3], first[:3])
    discriminator.eval()
    torch.testing.assert_close(discriminator(elsewhere)[:3], discriminator(wave)[:3])


def test_forms_follow_from_the_networks() -> None:
    from sparring.build import with_depths, with_representation
    from sparring.data.dataset import Dataset
    from sparring.recipes.named import preset
    from sparring.recipes.recipe import nested, resolve

    spec = spec_of("frames")
    nothing: Any = None
    data = Dataset("x", spec, nothing, None, nothing, nothing, (), (), "")
    for generator, discriminator, form in (
        ("frames", "frames", "frames"),
        ("istft", "frames", "sound"),
        ("wave", "frames", "sound"),
        ("wave", "wave", "wave"),
    ):
        asked = {"generator.network": generator, "discriminator.network": discriminator}
        recipe = with_depths(resolve(preset("default", "tiny", spec), nested(asked)), spec)
        assert with_representation(data, recipe).spec == replace(spec, form=form)
    wrong = {"generator.network": "frames", "discriminator.network": "wave"}
    with pytest.raises(SparringError, match="does not go with the discriminator wave"):
        with_representation(data, resolve(preset("default", "tiny", spec), nested(wrong)))
