"""Random changes of spectra of sounds: level, noise, time, pitch, polarity."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import log

import torch
from torch import Tensor
from torch.special import ndtri

from sparring.kinds.sounds.spec import AudioSpec
from sparring.training.augmentation import Augmentation, BilinearSampling, Change, RandomAmounts

AMOUNTS: dict[str, int] = {
    "gain": 1,
    "noise": 1,
    "polarity": 1,
    "shift": 2,
    "speed": 1,
    "pitch": 1,
}
MIN_GAIN_DB, MAX_NOISE_DB = -12.0, -45.0
SHIFT_DIVISOR = 12  # shifts are at most a twelfth of the frames, either way
SPEED, PITCH = 0.07, 0.03  # octaves, standard deviation


@dataclass(frozen=True, kw_only=True)
class SoundAugmentation(Augmentation):
    """Random changes of spectra (n, bins, frames), or with phase (n, 3 bins, frames).

    Reals and fakes are changed alike, so that a change need not be one that nature makes: with
    phase, the parts of each bin move as its level does.
    """

    spec: AudioSpec

    amounts_per_kind = AMOUNTS
    batch_ndim = 3
    sample_name = "sounds' spectra"

    def changes(self, amounts: Mapping[str, RandomAmounts], like: Tensor) -> Iterator[Change]:
        """Yield changes of time and pitch, then of level, noise and polarity."""
        on = {kind: amounts[kind].on * (kind in self.kinds) for kind in amounts}
        if any(kind in self.kinds for kind in ("shift", "speed", "pitch")):
            later, earlier = (amounts["shift"].u * (like.shape[2] // SHIFT_DIVISOR + 1)).long()
            yield partial(
                warp,
                bins=self.spec.framing.bins,
                silence=self._silence(like),
                later=on["shift"] * (later - earlier),
                speed=2 ** (SPEED * on["speed"] * ndtri(amounts["speed"].u[0])),
                pitch=2 ** (PITCH * on["pitch"] * ndtri(amounts["pitch"].u[0])),
            )
        if "gain" in self.kinds or "noise" in self.kinds:
            gain = 10 ** (MIN_GAIN_DB / 20 * on["gain"] * amounts["gain"].u[0])
            max_noise = 10 ** (MAX_NOISE_DB / 20)
            noise = max_noise * on["noise"] * amounts["noise"].u[0] ** 2
            yield partial(self._gain_and_noise, gain=gain, noise=noise)
        if "polarity" in self.kinds and like.shape[1] > self.spec.framing.bins:
            yield partial(
                self._inverted, chosen=(on["polarity"] > 0) & (amounts["polarity"].u[0] < 0.5)
            )

    def _gain_and_noise(self, x: Tensor, gain: Tensor, noise: Tensor) -> Tensor:
        """Multiply the amplitudes by a gain of at most 1, and add noise; both (n,)."""
        mean, scale = self._mean_and_scale(x)
        level, phase = torch.split(x, [len(mean), x.shape[1] - len(mean)], 1)
        gain, noise = gain[:, None, None], noise[:, None, None]
        size = (level * scale + mean).exp()
        mixed = torch.log(gain * size + (1 - gain) * self.spec.floor + noise)
        return torch.cat([(mixed - mean) / scale, phase * gain.sqrt()], 1)

    def _inverted(self, x: Tensor, chosen: Tensor) -> Tensor:
        """Invert the polarity of the chosen waves (n,); their levels stay."""
        bins = self.spec.framing.bins
        sign = (1 - 2 * chosen.to(x))[:, None, None]
        return torch.cat([x[:, :bins], x[:, bins:] * sign], 1)

    def _silence(self, like: Tensor) -> Tensor:
        """Return the value of silence in each channel, (c, 1)."""
        mean, scale = self._mean_and_scale(like)
        quiet = (log(self.spec.floor) - mean) / scale
        return torch.cat([quiet, quiet.new_zeros(like.shape[1] - len(quiet), 1)])

    def _mean_and_scale(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean, scale = (torch.tensor(v).to(like)[:, None] for v in (self.spec.mean, self.spec.scale))
        return mean, scale


def warp(
    x: Tensor, bins: int, silence: Tensor, later: Tensor, speed: Tensor, pitch: Tensor
) -> Tensor:
    """Delay each sound by frames, play it faster from its start, and raise its pitch; all (n,).

    Bilinear; what enters is silence (c, 1). Channels are one or more planes of `bins`.
    """
    n, channels, frames = x.shape
    column = torch.arange(frames, dtype=x.dtype, device=x.device) - later[:, None]
    column = column * speed[:, None]
    row = torch.arange(bins, dtype=x.dtype, device=x.device) / pitch[:, None]
    right = ((column + 0.5) * (2 / frames) - 1)[:, None, :].expand(n, bins, frames)
    down = ((row + 0.5) * (2 / bins) - 1)[:, :, None].expand(n, bins, frames)
    planes = (x - silence).view(n, channels // bins, bins, frames)
    warped: Tensor = BilinearSampling.apply(planes, torch.stack([right, down], -1))  # type: ignore[no-untyped-call]
    is_warped = (later != 0) | (speed != 1) | (pitch != 1)
    return torch.where(is_warped[:, None, None], warped.reshape(x.shape) + silence, x)
