"""Sound as log-magnitude spectra and back, and what is measured on them.

Inside: the short-time Fourier transform and its inverse, the codec that networks see, fast
Griffin-Lim, mel bands, and measures of level, brightness and artefacts. Everything takes waves
(n, t), treats each row alone, and is differentiable where it is smooth.
Not inside: files and preparation of recordings (`files`, `recording`).

Notation: S is the complex spectrum (n, bins, frames); amplitudes are |S| scaled so that a sine of
amplitude 1 reads about 1 (0 dB) in its bin. Levels in dB are of amplitude.
"""

from collections.abc import Iterable
from functools import lru_cache
from math import log, pi

import torch
from torch import Tensor
from torch.nn import functional

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.kinds.sounds.spec import AudioSpec, Framing

SPREAD = 1.5  # standard deviations that become 1 (clips then lie in about −2 to 2)
MOMENTUM = 0.99  # Perraudin 2013, section 4: the best of those tried
MIN_SCALE = 1e-3  # where nothing ever changes, in nepers
MIN_RELATIVE_SPREAD = 0.5  # of that over all bins: a bin mostly silent is not blown up
ROOT_SCALE = 4.0  # brings roots of amplitudes near 1
MIN_DB = -120.0  # the level of silence
FLAT = 1e-5  # of the peak: samples nearer to it than this are level with it
CLICK_REACH, CLICK_CORE = 64, 2  # samples to either side of a jump: compared with, left out
TONE_REACH, TONE_CORE = 12, 2  # the same for bins beside a tone


def stft(wave: Tensor, framing: Framing) -> Tensor:
    """Return S (n, window/2 + 1, frames + 1) of waves (n, t), zeros beyond both ends."""
    padded = functional.pad(wave, (0, framing.frames * framing.hop - wave.shape[-1]))
    return torch.stft(
        padded,
        framing.window,
        framing.hop,
        window=_hann(framing, padded),
        pad_mode="constant",
        return_complex=True,
    )


def inverse_stft(spectrum: Tensor, framing: Framing) -> Tensor:
    """Return the waves (n, samples) whose spectrum is nearest to S in least squares."""
    window = _hann(framing, spectrum.real)
    return torch.istft(spectrum, framing.window, framing.hop, window=window, length=framing.samples)


def synthesis_basis(framing: Framing) -> tuple[Tensor, Tensor]:
    """Return the inverse transform of real and imaginary parts as one transposed convolution.

    The basis (2 bins, 1, window) has a windowed cosine and sine for each bin that networks see;
    with the hop as stride, and divided by the envelope (samples,) from half a window on, the result
    is `inverse_stft`, in operations that every runtime knows.
    """
    window = torch.hann_window(framing.window, dtype=torch.float64)
    turns = torch.arange(framing.bins)[:, None] * torch.arange(framing.window) / framing.window
    weight = torch.full((framing.bins, 1), 2.0 / framing.window, dtype=torch.float64)
    weight[0] /= 2  # the others stand for their mirror images too
    cosine, sine = torch.cos(2 * pi * turns.double()), -torch.sin(2 * pi * turns.double())
    basis = torch.cat([weight * cosine * window, weight * sine * window])
    frames = torch.ones(1, 1, framing.frames + 1, dtype=torch.float64)
    whole = functional.conv_transpose1d(frames, window.square()[None, None], stride=framing.hop)
    half = framing.window // 2
    return basis[:, None].float(), whole[0, 0, half : half + framing.samples].float()


def amplitudes(wave: Tensor, framing: Framing) -> Tensor:
    """Return scaled |S| (n, window/2 + 1, frames + 1)."""
    return stft(wave, framing).abs() * (4 / framing.window)  # a Hann window sums to window/2


def fit_spectrum(
    waves: Iterable[Tensor],
    framing: Framing,
    *,
    floor_db: float = -80.0,
) -> AudioSpec:
    """Measure mean and spread of each bin's log-amplitude over batches (n, t).

    Raises:
        SparringError: not a single wave is given.
    """
    plain = AudioSpec(framing, (0.0,) * framing.bins, (1.0,) * framing.bins, floor_db)
    count, total = 0, torch.zeros(2, framing.bins, dtype=torch.float64)
    for wave in waves:
        x = analyse(wave, plain).double()
        count += x.shape[0] * x.shape[2]
        total += torch.stack([x.sum((0, 2)), x.square().sum((0, 2))]).cpu()
    if not count:
        raise SparringError("no sound to measure the spectrum of; expected at least one")
    mean, square = total / count
    deviation = (square - mean.square()).clamp_min(0).sqrt()
    min_spread = MIN_RELATIVE_SPREAD * float(deviation.square().mean().sqrt())
    scale = (SPREAD * deviation.clamp_min(min_spread)).clamp_min(MIN_SCALE)
    return AudioSpec(framing, tuple(mean.tolist()), tuple(scale.tolist()), floor_db)


def analyse(wave: Tensor, spec: AudioSpec) -> Tensor:
    """Return standardised log-amplitudes (n, bins, frames) of waves (n, t).

    The floor bounds the gradient: at most 1/floor per unit of amplitude, in silence.
    """
    size = amplitudes(wave, spec.framing)[:, :-1, :-1]
    return (torch.log(size + spec.floor) - _column(spec.mean, size)) / _column(spec.scale, size)


def analyse_with_phase(wave: Tensor, spec: AudioSpec) -> Tensor:
    """Return log-amplitudes as `analyse` does, and S/|S| of it times √|S|, (n, 3 bins, frames).

    The root keeps phase visible where it is quiet, and finite where it is silent.
    """
    scaled = stft(wave, spec.framing)[:, :-1, :-1] * (4 / spec.framing.window)
    size = (scaled.real.square() + scaled.imag.square() + spec.floor**2).sqrt()
    level = (torch.log(size) - _column(spec.mean, size)) / _column(spec.scale, size)
    root = ROOT_SCALE / size.sqrt()
    return torch.cat([level, scaled.real * root, scaled.imag * root], 1)


def target_amplitudes(encoded: Tensor, spec: AudioSpec) -> Tensor:
    """Undo standardisation and logarithm: (n, bins, frames) to (n, window/2 + 1, frames + 1).

    The bin that networks do not see is silent, and the frame they do not see repeats the last.
    """
    logarithm = encoded * _column(spec.scale, encoded) + _column(spec.mean, encoded)
    size = (logarithm.exp() - spec.floor).clamp_min(0)
    return functional.pad(torch.cat([size, size[..., -1:]], dim=-1), (0, 0, 0, 1))


def synthesise(encoded: Tensor, spec: AudioSpec, *, iterations: int = 32, seed: int = 0) -> Tensor:
    """Return waves (n, samples) whose log-amplitudes come near `encoded` (n, bins, frames)."""
    target = target_amplitudes(encoded, spec)
    return griffin_lim(target, spec.framing, iterations=iterations, seed=seed)


def griffin_lim(
    target: Tensor,
    framing: Framing,
    *,
    iterations: int = 32,
    momentum: float = MOMENTUM,
    seed: int = 0,
) -> Tensor:
    """Find waves (n, samples) for amplitudes (n, window/2 + 1, frames + 1), Perraudin 2013, alg. 2.

    Alternates two projections: onto the given amplitudes, and onto spectra that some wave has.
    Every row starts from the same random phase, so that a sound does not depend on its batch.
    """
    turns = Draw(seed).uniform("griffin-lim", (1, *target.shape[1:]), like=target)
    magnitude = target * (framing.window / 4)
    spectrum = magnitude * torch.exp(2j * pi * turns)
    previous = torch.zeros_like(spectrum)
    for _ in range(iterations):
        consistent = stft(inverse_stft(spectrum, framing), framing)
        spectrum = _with_magnitude(consistent + momentum * (consistent - previous), magnitude)
        previous = consistent
    return inverse_stft(spectrum, framing)


def mel_of(hertz: Tensor) -> Tensor:
    """Return Slaney's mel of frequencies: 3/200 per Hz up to 1 kHz, logarithmic above."""
    above = 15 + 27 * torch.log(hertz.clamp_min(1000) / 1000) / log(6.4)
    return torch.where(hertz < 1000, hertz * 3 / 200, above)


def hertz_of(mel: Tensor) -> Tensor:
    """Undo `mel_of`."""
    above = 1000 * torch.exp((mel.clamp_min(15) - 15) * log(6.4) / 27)
    return torch.where(mel < 15, mel * 200 / 3, above)


def mel_filters(framing: Framing, bands: int, low_hz: float = 20.0) -> Tensor:
    """Return triangles (bands, window/2 + 1) up to half the rate, each of area 1 in Hz.

    Slaney 1998 (Auditory Toolbox), as librosa's default. A triangle narrower than the bins may
    hold none of them and is then zero: choose fewer bands or a longer window.
    """
    ends = torch.tensor([low_hz, framing.rate / 2], dtype=torch.float64)
    low, high = mel_of(ends).tolist()
    edges = hertz_of(torch.linspace(low, high, bands + 2, dtype=torch.float64))
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hertz = _frequencies(framing)
    rising, falling = (hertz - left) / (centre - left), (right - hertz) / (right - centre)
    return (torch.minimum(rising, falling).clamp_min(0) * 2 / (right - left)).float()


def log_mel(wave: Tensor, framing: Framing, bands: int = 64, floor_db: float = -80.0) -> Tensor:
    """Return the power in mel bands (n, bands, frames + 1), dB; a full-scale tone gives about 0."""
    filters = mel_filters(framing, bands).to(wave) * (framing.rate / framing.window)
    power = torch.matmul(filters, amplitudes(wave, framing).square())
    return 10 * torch.log10(power + 10 ** (floor_db / 10))


def centroid_hz(wave: Tensor, framing: Framing) -> Tensor:
    """Return the mean frequency of each wave, weighted by amplitude (n,); 0 for silence."""
    total = amplitudes(wave, framing).sum(-1)
    weighted = (total * _frequencies(framing).to(wave)).sum(-1)
    return weighted / total.sum(-1).clamp_min(torch.finfo(wave.dtype).tiny)


def a_weight(hertz: Tensor) -> Tensor:
    """Return the factor on amplitude that the ear's A curve gives, 1 at 1 kHz (IEC 61672)."""

    def response(f: Tensor) -> Tensor:
        square = f.square()
        middle = ((square + 107.7**2) * (square + 737.9**2)).sqrt()
        return 12194**2 * square.square() / ((square + 20.6**2) * middle * (square + 12194**2))

    return response(hertz) / response(torch.full_like(hertz[:1], 1000.0))


def loudness_db(wave: Tensor, rate: int) -> Tensor:
    """Return the A-weighted root mean square over the whole of each wave, dB (n,).

    A sine of amplitude 1 at 1 kHz has −3.0; silence has −120.
    """
    samples = wave.shape[-1]
    hertz = torch.fft.rfftfreq(samples, 1 / rate, dtype=torch.float64)
    weighted = torch.fft.rfft(wave) * a_weight(hertz).to(wave)
    power = torch.fft.irfft(weighted, n=samples).square().mean(-1)
    return 10 * torch.log10(power + 10 ** (MIN_DB / 10))


def seconds_heard(wave: Tensor, rate: int, below_db: float = -40.0) -> Tensor:
    """Return the time of each wave (n,) up to its last sample within 40 dB of its peak."""
    size = wave.abs()
    loud = size >= size.amax(-1, keepdim=True) * 10 ** (below_db / 20)
    at = torch.arange(1, wave.shape[-1] + 1, device=wave.device)
    return (loud * at).amax(-1) / rate


def clipped_share(wave: Tensor) -> Tensor:
    """Return the share of samples (n,) in flat tops: three or more in a row at the wave's peak."""
    size = wave.abs()
    peak = size.amax(-1, keepdim=True)
    flat = ((size >= (1 - FLAT) * peak) & (peak > 0)).to(wave)[:, None]
    whole = -functional.max_pool1d(-functional.pad(flat, (1, 1)), 3, stride=1)  # middles of runs
    return functional.max_pool1d(whole, 3, stride=1, padding=1).mean((1, 2))


def direct_level(wave: Tensor) -> Tensor:
    """Return the mean of each wave over its peak (n,), from −1 to 1."""
    return wave.mean(-1) / wave.abs().amax(-1).clamp_min(torch.finfo(wave.dtype).tiny)


def click_ratio(wave: Tensor) -> Tensor:
    """Return the largest jump between two samples over the jumps around it (n,).

    White noise gives about 4, an isolated click a hundred. Near silence jumps count against
    −60 dB of the wave's peak.
    """
    jumps = functional.pad(wave.diff(dim=-1), (1, 0))
    around = _mean_beside(jumps.square(), CLICK_REACH, CLICK_CORE).sqrt()
    floor = 1e-3 * wave.abs().amax(-1, keepdim=True) + torch.finfo(wave.dtype).tiny
    return (jumps.abs() / torch.maximum(around, floor)).amax(-1)


def tonal_excess_db(wave: Tensor, framing: Framing) -> Tensor:
    """Return how far each frequency stands above its neighbours over time (n, window/2 + 1), dB.

    One clear tone in one sound is music; averaged over many sounds, a bin that stays high is the
    mark of upsampling (checkerboard tones).
    """
    power = amplitudes(wave, framing).square().mean(-1)
    level = torch.log10(power + 10 ** (MIN_DB / 10))
    return 10 * (level - _mean_beside(level, TONE_REACH, TONE_CORE))


def _mean_beside(values: Tensor, reach: int, core: int) -> Tensor:
    """Return the mean of the values (n, t) up to `reach` away but more than `core`, within t."""
    padding = values.new_ones(1, 1, 2 * reach + 1)
    padding[..., reach - core : reach + core + 1] = 0
    total = functional.conv1d(values[:, None], padding, padding=reach)
    count = functional.conv1d(torch.ones_like(values[:1, None]), padding, padding=reach)
    return (total / count.clamp_min(1))[:, 0]


def _with_magnitude(spectrum: Tensor, magnitude: Tensor) -> Tensor:
    return spectrum * (magnitude / spectrum.abs().clamp_min(1e-12))


def _frequencies(framing: Framing) -> Tensor:
    return torch.arange(framing.bins + 1, dtype=torch.float64) * (framing.rate / framing.window)


def _hann(framing: Framing, like: Tensor) -> Tensor:
    return torch.hann_window(framing.window, dtype=like.dtype, device=like.device)


def _column(values: tuple[float, ...], like: Tensor) -> Tensor:
    return _tensor(values).to(like)[:, None]


@lru_cache(maxsize=16)
def _tensor(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
