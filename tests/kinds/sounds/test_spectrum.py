"""Waves to spectra and back: exact transforms, phase recovery, mel bands and measures."""

import json
from dataclasses import asdict
from itertools import pairwise
from math import log10, pi

import pytest
import torch
from torch import Tensor

from sparring.errors import SparringError
from sparring.kinds.sounds import spectrum
from sparring.kinds.sounds.spectrum import Framing, analyse, fit_spectrum, synthesise

RATE = 8000
FRAMING = Framing(RATE, 8000, 256, 64)
TIME = torch.arange(8000) / RATE


def tone(hertz: float, level: float = 1.0, rate: int = RATE, samples: int = 8000) -> Tensor:
    return level * torch.sin(2 * pi * hertz * torch.arange(samples) / rate)[None]


def noise(rows: int = 1, samples: int = 8000, seed: int = 0) -> Tensor:
    return 0.3 * torch.randn(rows, samples, generator=torch.Generator().manual_seed(seed))


def spectral_convergence_db(wave: Tensor, wanted: Tensor) -> Tensor:
    """Return ‖|S| − wanted‖ / ‖wanted‖ per wave, in dB (n,); lower is nearer."""
    difference = (spectrum.amplitudes(wave, FRAMING) - wanted).flatten(1).norm(dim=1)
    return 20 * torch.log10(difference / wanted.flatten(1).norm(dim=1))


def sounds() -> Tensor:
    """Return a chirp, a falling drum-like sweep, three bursts of noise and a harmonic tone."""
    chirp = 0.8 * torch.sin(2 * pi * (200 * TIME + 1500 * TIME**2)) * torch.sin(pi * TIME)
    phase = 2 * pi * (60 * TIME + 20 * (1 - torch.exp(-20 * TIME)))
    drum = torch.sin(phase) * torch.exp(-6 * TIME) + 0.2 * noise()[0] * torch.exp(-40 * TIME)
    bursts = noise()[0] * torch.exp(-15 * (TIME * 3).frac())
    voice = sum(torch.sin(2 * pi * 150 * k * TIME) / k for k in range(1, 12)) * torch.exp(-3 * TIME)
    return torch.stack([chirp, drum, bursts, 0.3 * voice])


SPEC = fit_spectrum([sounds()], FRAMING)


@pytest.mark.parametrize("samples", [8000, 8001, 8063, 200, 64, 1])
@pytest.mark.parametrize(("window", "hop"), [(256, 64), (256, 128), (1024, 256), (96, 32)])
def test_the_inverse_undoes_the_transform_exactly(samples: int, window: int, hop: int) -> None:
    framing = Framing(RATE, samples, window, hop)
    wave = noise(3, samples)
    back = spectrum.inverse_stft(spectrum.stft(wave, framing), framing)
    torch.testing.assert_close(back, wave, rtol=0, atol=1e-5)


def test_a_frame_is_the_windowed_fourier_sum() -> None:
    wave = noise(1, 1000).double()
    found = spectrum.stft(wave, Framing(RATE, 1000, 16, 8))[0, 3, 5]
    n = torch.arange(16, dtype=torch.float64)
    window = 0.5 - 0.5 * torch.cos(2 * pi * n / 16)
    part = wave[0, 40 - 8 : 40 + 8] * window
    expected = (part * torch.exp(-2j * pi * 3 * n / 16)).sum()
    torch.testing.assert_close(found, expected)


def test_a_full_sine_has_amplitude_one_in_its_bin() -> None:
    seen = spectrum.amplitudes(tone(1000), FRAMING)[0, :, 10:-10]
    torch.testing.assert_close(seen[32], torch.ones_like(seen[32]), rtol=0, atol=1e-3)
    assert (seen.argmax(0) == 32).all()


@pytest.mark.parametrize("samples", [8000, 7999, 8001])
def test_encoded_sounds_have_the_shape_of_their_spec(samples: int) -> None:
    spec = fit_spectrum([noise(2, samples)], Framing(RATE, samples, 256, 128))
    assert spec.shape == (128, 63)
    assert analyse(noise(2, samples), spec).shape == (2, *spec.shape)
    assert synthesise(torch.zeros(2, *spec.shape), spec, iterations=1).shape == (2, samples)


def test_standardised_sounds_have_mean_zero_and_one_spread() -> None:
    spec = fit_spectrum([sounds()[:1], sounds()[1:]], FRAMING)
    x = analyse(sounds(), spec).double()
    axes = (0, 2)
    torch.testing.assert_close(x.mean(axes), torch.zeros_like(x.mean(axes)), rtol=0, atol=1e-4)
    spread = spectrum.SPREAD * x.std(axes, correction=0)
    torch.testing.assert_close(spread, torch.ones_like(spread), rtol=1e-3, atol=0)


def test_a_bin_that_never_changes_is_not_blown_up() -> None:
    spec = fit_spectrum([torch.zeros(2, 8000)], FRAMING)
    assert (analyse(torch.zeros(2, 8000), spec).abs() < 1e-2).all()
    assert set(spec.scale) == {spectrum.MIN_SCALE}


def test_decoding_amplitudes_undoes_encoding() -> None:
    wanted = spectrum.amplitudes(sounds(), FRAMING)
    found = spectrum.target_amplitudes(analyse(sounds(), SPEC), SPEC)
    assert found.shape == wanted.shape
    torch.testing.assert_close(found[:, :-1, :-1], wanted[:, :-1, :-1], rtol=1e-3, atol=1e-6)
    assert (found[:, -1] == 0).all()
    torch.testing.assert_close(found[..., -1], found[..., -2])


def test_silence_stays_finite_both_ways() -> None:
    wave = torch.zeros(1, 8000, requires_grad=True)
    x = analyse(wave, SPEC)
    (gradient,) = torch.autograd.grad(x.sum(), wave)
    assert gradient.isfinite().all()
    assert synthesise(x.detach(), SPEC, iterations=4).abs().max() < 1e-3
    extreme = synthesise(torch.full((1, *SPEC.shape), -30.0), SPEC, iterations=4)
    assert extreme.abs().max() < 1e-6


def test_a_spec_is_plain_numbers() -> None:
    stored = json.loads(json.dumps(asdict(SPEC)))
    framing = Framing(**stored.pop("framing"))
    again = spectrum.AudioSpec(
        framing, tuple(stored["mean"]), tuple(stored["scale"]), stored["floor_db"]
    )
    assert again == SPEC
    assert hash(again) == hash(SPEC)


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(SparringError, match="no sound to measure"):
        fit_spectrum([], FRAMING)


@pytest.mark.parametrize(
    "sizes", [(0, 8, 4, 2), (8, 0, 4, 2), (8, 8, 2, 1), (8, 8, 9, 3), (8, 8, 8, 8), (8, 8, 10, 4)]
)
def test_a_framing_without_an_inverse_is_refused(sizes: tuple[int, int, int, int]) -> None:
    with pytest.raises(SparringError):
        Framing(*sizes)


def test_griffin_lim_comes_nearer_with_every_doubling_and_reaches_minus_23_db() -> None:
    wanted = spectrum.amplitudes(sounds(), FRAMING)
    reached = [
        spectral_convergence_db(spectrum.griffin_lim(wanted, FRAMING, iterations=n), wanted)
        for n in (0, 2, 8, 32, 64)
    ]
    means = [float(one.mean()) for one in reached]
    assert all(later < earlier - 1 for earlier, later in pairwise(means))
    assert float(reached[3].max()) < -15
    assert means[3] < -23


def test_momentum_is_worth_having() -> None:
    wanted = spectrum.amplitudes(sounds(), FRAMING)
    slow, fast = (
        spectral_convergence_db(spectrum.griffin_lim(wanted, FRAMING, momentum=m), wanted).mean()
        for m in (0.0, 0.99)
    )
    assert fast < slow - 2


def test_without_momentum_the_distance_never_grows() -> None:
    """Griffin and Lim 1984: alternating projections, in the norm that both projections share."""
    wanted = spectrum.amplitudes(sounds()[:1].double(), FRAMING)
    last = float("inf")
    for iterations in range(12):
        wave = spectrum.griffin_lim(wanted, FRAMING, iterations=iterations, momentum=0.0)
        distance = float(spectral_convergence_db(wave, wanted))
        assert distance < last + 0.05
        last = distance


def test_a_sound_that_is_analysed_and_synthesised_keeps_its_spectrum() -> None:
    x = analyse(sounds(), SPEC)
    again = analyse(synthesise(x, SPEC, iterations=64), SPEC)
    assert (again - x).abs().mean() < 0.12
    assert (analyse(noise(4), SPEC) - x).abs().mean() > 0.5


def test_a_sound_does_not_depend_on_its_batch() -> None:
    x = analyse(sounds(), SPEC)
    together = synthesise(x, SPEC, iterations=16)
    alone = torch.cat([synthesise(row[None], SPEC, iterations=16) for row in x])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)
    torch.testing.assert_close(analyse(sounds()[2:3], SPEC), x[2:3], rtol=0, atol=1e-4)


def test_the_seed_decides_the_phase() -> None:
    x = analyse(sounds()[:1], SPEC)
    first, same, other = (synthesise(x, SPEC, iterations=2, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.allclose(first, other, atol=1e-2)


def test_gradients_flow_through_the_inverse_transform_and_the_codec() -> None:
    """Checked against differences: from a spectrum to a wave to what a discriminator sees."""
    framing = Framing(RATE, 40, 16, 8)
    spec = spectrum.AudioSpec(framing, (0.1,) * 8, (2.0,) * 8, floor_db=-20.0)
    generator = torch.Generator().manual_seed(0)
    parts = torch.randn(1, 9, 6, 2, dtype=torch.float64, generator=generator).requires_grad_()

    def seen(values: Tensor) -> Tensor:
        return analyse(spectrum.inverse_stft(torch.view_as_complex(values), framing), spec)

    assert torch.autograd.gradcheck(seen, (parts,), eps=1e-6, atol=1e-5)


def test_mel_is_slaneys_and_inverts() -> None:
    hertz = torch.tensor([0.0, 500.0, 1000.0, 6400.0], dtype=torch.float64)
    expected = torch.tensor([0.0, 7.5, 15.0, 42.0], dtype=torch.float64)
    torch.testing.assert_close(spectrum.mel_of(hertz), expected)
    torch.testing.assert_close(spectrum.hertz_of(expected), hertz)


def test_mel_filters_have_area_one_and_peak_at_their_centres() -> None:
    framing = Framing(16_000, 16_000, 4096, 1024)
    filters = spectrum.mel_filters(framing, 40)
    width = framing.rate / framing.window
    torch.testing.assert_close(filters.sum(1) * width, torch.ones(40), rtol=0.02, atol=0)
    ends = spectrum.mel_of(torch.tensor([20.0, 8000.0], dtype=torch.float64))
    centres = spectrum.hertz_of(torch.linspace(*ends.tolist(), 42, dtype=torch.float64))[1:-1]
    assert ((filters.argmax(1) * width - centres).abs() <= width).all()
    assert (filters >= 0).all()
    assert (filters[:, 0] == 0).all()


def test_neighbouring_triangles_meet_at_each_others_centre() -> None:
    framing = Framing(16_000, 16_000, 4096, 1024)
    filters = spectrum.mel_filters(framing, 40)
    shapes = filters / filters.amax(1, keepdim=True)
    inside = slice(400, 1200)  # between the outermost centres
    total = shapes.sum(0)[inside]
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=0.05)


def test_log_mel_finds_the_band_of_a_tone_and_counts_decibels() -> None:
    loud, quiet = (spectrum.log_mel(tone(1000, a), FRAMING, 32)[0, :, 20] for a in (1.0, 0.1))
    assert float(loud.max() - quiet.max()) == pytest.approx(20, abs=0.01)
    centres = spectrum.hertz_of(
        torch.linspace(*spectrum.mel_of(torch.tensor([20.0, 4000.0])).tolist(), 34)
    )[1:-1]
    assert abs(float(centres[loud.argmax()]) - 1000) < 60
    silent = spectrum.log_mel(torch.zeros(1, 8000), FRAMING, 32)
    torch.testing.assert_close(silent, torch.full_like(silent, -80.0))


@pytest.mark.parametrize("hertz", [500.0, 1500.0, 3000.0])
def test_the_centroid_of_a_tone_is_its_frequency(hertz: float) -> None:
    assert float(spectrum.centroid_hz(tone(hertz), FRAMING)) == pytest.approx(hertz, rel=0.02)


def test_the_centroid_of_white_noise_is_the_middle_and_of_silence_zero() -> None:
    assert float(spectrum.centroid_hz(noise(), FRAMING)) == pytest.approx(2000, rel=0.02)
    assert float(spectrum.centroid_hz(torch.zeros(1, 8000), FRAMING)) == 0


@pytest.mark.parametrize(
    ("hertz", "decibels"), [(100, -19.1), (1000, 0), (2500, 1.3), (10000, -2.5)]
)
def test_loudness_follows_the_standard_a_curve(hertz: float, decibels: float) -> None:
    wave = tone(hertz, 0.5, rate=32_000, samples=32_000)
    expected = 20 * log10(0.5) + 10 * log10(0.5) + decibels
    assert float(spectrum.loudness_db(wave, 32_000)) == pytest.approx(expected, abs=0.06)


def test_silence_has_the_lowest_loudness() -> None:
    assert float(spectrum.loudness_db(torch.zeros(1, 99), RATE)) == pytest.approx(-120)


def test_flat_tops_are_counted_and_rounded_ones_are_not() -> None:
    clipped = tone(100, 2.0).clamp(-1, 1)
    found = float(spectrum.clipped_share(clipped))
    assert found == pytest.approx(float((clipped.abs() == 1).float().mean()), abs=1e-6)
    assert found > 0.6
    assert float(spectrum.clipped_share(tone(50))) == 0
    assert float(spectrum.clipped_share(noise())) == 0
    assert float(spectrum.clipped_share(torch.zeros(1, 100))) == 0
    pair = torch.tensor([[0.0, 1.0, 1.0, 0.0, 1.0]])
    assert float(spectrum.clipped_share(pair)) == 0
    assert float(
        spectrum.clipped_share(torch.tensor([[0.0, 1.0, 1.0, 1.0, 0.0]]))
    ) == pytest.approx(0.6)
    assert float(spectrum.clipped_share(torch.tensor([[1.0, 1.0, 0.0, 1.0, 1.0]]))) == 0


def test_the_direct_level_is_the_mean_over_the_peak() -> None:
    level = spectrum.direct_level(torch.tensor([[2.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    torch.testing.assert_close(level, torch.tensor([0.5, 0.0]))


def test_a_click_stands_out_and_an_onset_does_not() -> None:
    smooth = tone(100, 0.5)
    clicked = smooth.clone()
    clicked[0, 4000] += 0.5
    onset = noise() * (TIME > 0.5)
    assert float(spectrum.click_ratio(clicked)) > 10
    assert float(spectrum.click_ratio(smooth)) < 2
    assert float(spectrum.click_ratio(noise())) < 6
    assert float(spectrum.click_ratio(onset)) < 8
    assert float(spectrum.click_ratio(torch.zeros(1, 100))) == 0
    torch.testing.assert_close(spectrum.click_ratio(7 * clicked), spectrum.click_ratio(clicked))


def test_a_tone_hidden_in_noise_is_found_in_its_bin() -> None:
    marked = noise(16) + tone(2000, 0.05)
    found = spectrum.tonal_excess_db(marked, FRAMING).mean(0)
    assert int(found.argmax()) == 64
    assert float(found[64]) > 3
    assert float(spectrum.tonal_excess_db(noise(16), FRAMING).mean(0)[2:-2].max()) < 1


def test_every_measure_treats_each_wave_alone() -> None:
    waves = torch.cat([sounds(), noise(), tone(300, 2.0).clamp(-1, 1)])
    for measure in (
        lambda w: spectrum.centroid_hz(w, FRAMING),
        lambda w: spectrum.loudness_db(w, RATE),
        spectrum.clipped_share,
        spectrum.direct_level,
        spectrum.click_ratio,
        lambda w: spectrum.tonal_excess_db(w, FRAMING),
        lambda w: spectrum.log_mel(w, FRAMING),
    ):
        alone = torch.cat([measure(wave[None]) for wave in waves])
        torch.testing.assert_close(measure(waves), alone, rtol=1e-4, atol=1e-4)
