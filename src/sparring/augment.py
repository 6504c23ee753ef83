"""Augmentation: random changes of what the discriminator sees, of reals and fakes alike.

Inside: differentiable changes of encoded images (n, c, h, w) and of sounds' spectra (n, c, frames)
by given amounts, `Augmentation`, which draws the amounts, and how often it applies them. Not
inside: where in a step they act.

Each sample undergoes each kind of change with probability p, on its own. When it does, the amount
follows a law that is uniform on a whole circle of changes (flips, turns: the identity is one of
them), Gaussian, or the difference of two uniforms. Such laws have no negative Fourier coefficient,
so that what they do in the mean never undoes the share 1 − p of unchanged images: the leak
operator is invertible for every p < 1 (Karras 2020, appendix C; `theory.leak`). It is singular at
p = 1, and nearly so close to it, whence a `limit`. Amounts are those of Karras 2020, appendix B;
shifts and the side of a cutout those of DiffAugment (Zhao 2020). What a change uncovers is filled
with black, the low end of the values; DiffAugment fills with 0, which is mid-grey at −1..1.

Notation: n images of c channels, h × w pixels; p the probability of a change.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from math import log, pi
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.special import ndtri

from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.schedules import Schedule
from sparring.spec import AudioSpec, ValueRange

Kind = Literal["flip", "rot90", "translate", "scale", "rotate", "colour", "cutout"]
SoundKind = Literal["gain", "noise", "polarity", "shift", "speed", "pitch"]
Change = Callable[[Tensor], Tensor]  # a batch to one of the same shape

# How many random numbers a sample needs beside its coin, in the order in which changes are applied.
# All are always drawn, so that those of one kind do not depend on which others are chosen.
NUMBERS: dict[str, int] = {
    "flip": 1,
    "rot90": 1,
    "translate": 4,
    "scale": 1,
    "rotate": 1,
    "colour": 3,
    "cutout": 2,
}
SOUND_NUMBERS: dict[str, int] = {
    "gain": 1,
    "noise": 1,
    "polarity": 1,
    "shift": 2,
    "speed": 1,
    "pitch": 1,
}
LOWEST_GAIN_DB = -12.0
LOUDEST_NOISE_DB = -45.0
SHIFTED = 12  # at most a twelfth of the frames, either way
SPEED, PITCH = 0.07, 0.03  # octaves, standard deviation
WINDOW = 4  # discriminator moves between two corrections of an adaptive probability


class Drawn(NamedTuple):
    """The random numbers of one kind of change."""

    on: Tensor  # (n,), whether to change an image at all
    u: Tensor  # (k, n), uniform


@dataclass(frozen=True)
class Adaptive:
    """A probability that holds the mean sign of the reals' logits at a target (Karras 2020).

    A discriminator that remembers its reals is sure of them: the sign nears 1.
    """

    target: float = 0.6
    horizon_images: float = 500_000.0  # in which the probability can go from 0 to 1


@dataclass(frozen=True)
class Augmentation(ABC):
    """Which changes are applied, and how often; of which kind of data, the subclasses say."""

    kinds: tuple[str, ...]
    probability: Schedule | Adaptive
    limit: float = 0.8  # no probability goes beyond it

    numbers: ClassVar[Mapping[str, int]]
    dimensions: ClassVar[int]  # of a batch
    things: ClassVar[str]

    @abstractmethod
    def changes(self, drawn: Mapping[str, Drawn], like: Tensor) -> Iterator[Change]:
        """Yield the chosen changes in their order, by amounts that follow from the numbers."""

    def bind(self, draw: Draw, purpose: str, p: float, like: Tensor) -> Change:
        """Return one random change of batches shaped like this one: at each call the same one.

        Row i of the batch is changed as sample `draw.start + i`, however many rows there are.

        Raises:
            SparringError: `like` is no batch of this kind of data.
        """
        if like.ndim != self.dimensions:
            raise SparringError(
                f"this augmentation is for {self.things}, and a sample has shape "
                f"{tuple(like.shape[1:])}; leave it out"
            )
        if p <= 0:
            return unchanged
        width = len(self.numbers) + sum(self.numbers.values())
        numbers = draw.uniform(purpose, (len(like), width), like=like.detach()).T
        coins, amounts = numbers[: len(self.numbers)] < p, numbers[len(self.numbers) :]
        parts = zip(coins, amounts.split_with_sizes(list(self.numbers.values())), strict=True)
        drawn = {kind: Drawn(*part) for kind, part in zip(self.numbers, parts, strict=True)}
        changes = tuple(self.changes(drawn, like))
        return lambda x: reduce(lambda changed, change: change(changed), changes, x)

    def at(self, images: int, adaptive: float) -> float:
        """Return the probability when so many images have been seen, given the adaptive one."""
        match self.probability:
            case Adaptive():
                return self._limited(adaptive)
            case schedule:
                return self._limited(schedule(images))

    def adapted(self, p: float, sign: float, images: int) -> float:
        """Return what p becomes after images of this mean sign (Karras 2020, section 3)."""
        match self.probability:
            case Adaptive(target, horizon):
                way = (sign > target) - (sign < target)
                return self._limited(p + way * images / horizon)
            case _:
                return p

    def _limited(self, p: float) -> float:
        return min(max(p, 0.0), self.limit)


@dataclass(frozen=True)
class ImageAugmentation(Augmentation):
    """Of images (n, c, h, w)."""

    value_range: ValueRange = "-1..1"

    numbers = NUMBERS
    dimensions = 4
    things = "images"

    def changes(self, drawn: Mapping[str, Drawn], like: Tensor) -> Iterator[Change]:
        """Yield mirrorings, turns, shifts, resampling, colours and cutouts, in this order."""
        h, w = like.shape[2:]
        black, white = (-1.0, 1.0) if self.value_range == "-1..1" else (0.0, 1.0)
        if "flip" in self.kinds:
            yield _any_flip(drawn["flip"])
        if "rot90" in self.kinds:
            yield _any_turn(drawn["rot90"], square=h == w)
        if "translate" in self.kinds:
            yield _any_shift(drawn["translate"], h, w, black)
        if "scale" in self.kinds or "rotate" in self.kinds:
            yield self._any_resampling(drawn["scale"], drawn["rotate"], black)
        if "colour" in self.kinds:
            yield _any_colour(drawn["colour"], white - black)
        if "cutout" in self.kinds:
            yield _any_cutout(drawn["cutout"], h, w, black)

    def _any_resampling(self, scale: Drawn, rotate: Drawn, black: float) -> Change:
        doublings = 0.2 * scale.on * ndtri(scale.u[0]) * ("scale" in self.kinds)
        turns = rotate.on * rotate.u[0] * ("rotate" in self.kinds)
        return partial(resample, scale=2**doublings, angle=2 * pi * turns, black=black)


@dataclass(frozen=True, kw_only=True)
class SoundAugmentation(Augmentation):
    """Of sounds as discriminators see them: (n, bins, frames), or with phase (n, 3 bins, frames).

    Reals and fakes are changed alike, so that a change need not be one that nature makes: with
    phase, the parts of each bin move as its level does.
    """

    spec: AudioSpec

    numbers = SOUND_NUMBERS
    dimensions = 3
    things = "sounds' spectra"

    def changes(self, drawn: Mapping[str, Drawn], like: Tensor) -> Iterator[Change]:
        """Yield changes of time and pitch, then of level, noise and polarity."""
        chosen = {kind: drawn[kind].on * (kind in self.kinds) for kind in drawn}
        if any(kind in self.kinds for kind in ("shift", "speed", "pitch")):
            later, earlier = (drawn["shift"].u * (like.shape[2] // SHIFTED + 1)).long()
            yield partial(
                warp,
                bins=self.spec.framing.bins,
                silence=self._silence(like),
                later=chosen["shift"] * (later - earlier),
                speed=2 ** (SPEED * chosen["speed"] * ndtri(drawn["speed"].u[0])),
                pitch=2 ** (PITCH * chosen["pitch"] * ndtri(drawn["pitch"].u[0])),
            )
        if "gain" in self.kinds or "noise" in self.kinds:
            gain = 10 ** (LOWEST_GAIN_DB / 20 * chosen["gain"] * drawn["gain"].u[0])
            loudest = 10 ** (LOUDEST_NOISE_DB / 20)
            yield partial(
                self._mixed, gain=gain, noise=loudest * chosen["noise"] * drawn["noise"].u[0] ** 2
            )
        if "polarity" in self.kinds and like.shape[1] > self.spec.framing.bins:
            yield partial(
                self._turned, chosen=(chosen["polarity"] > 0) & (drawn["polarity"].u[0] < 0.5)
            )

    def _mixed(self, x: Tensor, gain: Tensor, noise: Tensor) -> Tensor:
        """Multiply the amplitudes by a gain of at most 1, and add noise; both (n,)."""
        mean, scale = self._columns(x)
        level, phase = torch.split(x, [len(mean), x.shape[1] - len(mean)], 1)
        gain, noise = gain[:, None, None], noise[:, None, None]
        size = (level * scale + mean).exp()
        louder = torch.log(gain * size + (1 - gain) * self.spec.floor + noise)
        return torch.cat([(louder - mean) / scale, phase * gain.sqrt()], 1)

    def _turned(self, x: Tensor, chosen: Tensor) -> Tensor:
        """Turn the chosen waves (n,) upside down; their levels stay."""
        bins = self.spec.framing.bins
        sign = (1 - 2 * chosen.to(x))[:, None, None]
        return torch.cat([x[:, :bins], x[:, bins:] * sign], 1)

    def _silence(self, like: Tensor) -> Tensor:
        """Return what silence is in each channel, (c, 1)."""
        mean, scale = self._columns(like)
        quiet = (log(self.spec.floor) - mean) / scale
        return torch.cat([quiet, quiet.new_zeros(like.shape[1] - len(quiet), 1)])

    def _columns(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean, scale = (torch.tensor(v).to(like)[:, None] for v in (self.spec.mean, self.spec.scale))
        return mean, scale


def unchanged(x: Tensor) -> Tensor:
    """Return x itself."""
    return x


def flip(x: Tensor, chosen: Tensor) -> Tensor:
    """Mirror the chosen images (n,) left to right."""
    return torch.where(_each(chosen), x.flip(3), x)


def rot90(x: Tensor, turns: Tensor) -> Tensor:
    """Turn each image by some quarter turns (n,), 0 to 3, as `torch.rot90` does.

    Images that are not square can make half a turn only: 0 or 2.
    """
    if x.shape[2] == x.shape[3]:
        x = torch.where(_each(turns % 2 == 1), x.rot90(1, (2, 3)), x)
    return torch.where(_each(turns >= 2), x.rot90(2, (2, 3)), x)


def translate(x: Tensor, down: Tensor, right: Tensor, black: float) -> Tensor:
    """Shift each image by whole pixels (n,), at most an eighth of its sides either way."""
    h, w = x.shape[2:]
    rows, columns = h // 8, w // 8
    padded = pad(x, (columns, columns, rows, rows), value=black)
    row = torch.arange(rows, rows + h, device=x.device) - down[:, None]
    column = torch.arange(columns, columns + w, device=x.device) - right[:, None]
    source = row[:, :, None] * (w + 2 * columns) + column[:, None, :]
    index = source.view(-1, 1, h * w).expand(-1, x.shape[1], -1)
    return padded.flatten(2).gather(2, index).view(x.shape)


def resample(x: Tensor, scale: Tensor, angle: Tensor, black: float) -> Tensor:
    """Enlarge each image by a factor (n,) and turn it by an angle (n,), counter-clockwise.

    Both about the centre, by bilinear interpolation; images of scale 1 and angle 0 stay exact.
    """
    h, w = x.shape[2:]
    down, right = (
        torch.arange(size, dtype=x.dtype, device=x.device) - (size - 1) / 2 for size in (h, w)
    )
    cos, sin = angle.cos() / scale, angle.sin() / scale
    from_right = cos[:, None, None] * right - (sin[:, None] * down)[:, :, None]
    from_down = sin[:, None, None] * right + (cos[:, None] * down)[:, :, None]
    grid = torch.stack([from_right * (2 / w), from_down * (2 / h)], dim=-1)
    resampled: Tensor = _Sampled.apply(x - black, grid)  # type: ignore[no-untyped-call]
    return torch.where(_each((scale != 1) | (angle != 0)), resampled + black, x)


def colour(x: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Add to each image, stretch it about its mean, and its channels about their mean, all (n,).

    Without three channels there is no saturation.
    """
    brightness, contrast, saturation = map(_each, (brightness, contrast, saturation))
    if x.shape[1] == 3:
        x = saturation * x + (1 - saturation) * x.mean(1, keepdim=True)
    return contrast * x + ((1 - contrast) * x.mean((1, 2, 3), keepdim=True) + brightness)


def cutout(x: Tensor, top: Tensor, left: Tensor, black: float) -> Tensor:
    """Blacken the part of each image whose upper left pixel is given (n,), of half its sides.

    It may begin or end outside the image, and leave it whole.
    """
    rows, columns = (
        (start[:, None] <= at) & (at < start[:, None] + (size + 1) // 2)
        for start, size in ((top, x.shape[2]), (left, x.shape[3]))
        for at in [torch.arange(size, device=x.device)]
    )
    return torch.where(rows[:, None, :, None] & columns[:, None, None, :], black, x)


def warp(
    x: Tensor, bins: int, silence: Tensor, later: Tensor, speed: Tensor, pitch: Tensor
) -> Tensor:
    """Delay each sound by frames, play it faster from its start, and raise its pitch; all (n,).

    Bilinear; what enters is silence (c, 1). Channels are one or more planes of `bins`.
    """
    n, channels, frames = x.shape
    at = (torch.arange(frames, dtype=x.dtype, device=x.device) - later[:, None]) * speed[:, None]
    of = torch.arange(bins, dtype=x.dtype, device=x.device) / pitch[:, None]
    right = ((at + 0.5) * (2 / frames) - 1)[:, None, :].expand(n, bins, frames)
    down = ((of + 0.5) * (2 / bins) - 1)[:, :, None].expand(n, bins, frames)
    planes = (x - silence).view(n, channels // bins, bins, frames)
    warped: Tensor = _Sampled.apply(planes, torch.stack([right, down], -1))  # type: ignore[no-untyped-call]
    moved = (later != 0) | (speed != 1) | (pitch != 1)
    return torch.where(moved[:, None, None], warped.reshape(x.shape) + silence, x)


def _any_flip(drawn: Drawn) -> Change:
    return partial(flip, chosen=drawn.on & (drawn.u[0] < 0.5))


def _any_turn(drawn: Drawn, square: bool) -> Change:
    turns = (drawn.u[0] * 4).long() if square else (drawn.u[0] * 2).long() * 2
    return partial(rot90, turns=drawn.on * turns)


def _any_shift(drawn: Drawn, h: int, w: int, black: float) -> Change:
    down, up = (drawn.u[:2] * (h // 8 + 1)).long()  # at most an eighth of the side
    right, left = (drawn.u[2:] * (w // 8 + 1)).long()
    on = drawn.on.long()
    return partial(translate, down=on * (down - up), right=on * (right - left), black=black)


def _any_colour(drawn: Drawn, span: float) -> Change:
    brightness, contrast, saturation = drawn.on * ndtri(drawn.u)
    return partial(
        colour,
        brightness=0.1 * span * brightness,
        contrast=2 ** (0.5 * contrast),
        saturation=2**saturation,
    )


def _any_cutout(drawn: Drawn, h: int, w: int, black: float) -> Change:
    row, column = (drawn.u[0] * h).long(), (drawn.u[1] * w).long()  # of its middle
    top = torch.where(drawn.on, row - h // 4, h)  # h is outside: it hides nothing
    return partial(cutout, top=top, left=column - w // 4, black=black)


def _each(amount: Tensor) -> Tensor:
    """Shape one number for each image (n,) to act on all its pixels."""
    return amount.view(-1, 1, 1, 1)


class _Sampled(torch.autograd.Function):
    """Images at the points of a grid (n, h, w, 2), 0 outside; linear in the images.

    Torch's own sampling could not be differentiated twice for long, as R1 and R2 ask. But the
    gradient of a linear map is its adjoint, whose gradient is the map again.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        return torch.grid_sampler_2d(x, grid, 0, 0, False)  # bilinear, zeros

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Spread.apply(grad, *ctx.saved_tensors), None  # type: ignore[no-untyped-call]


class _Spread(torch.autograd.Function):
    """The adjoint of `_Sampled`: adds each value to the pixels that it would be read from."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        images_only = [True, False]
        adjoint = torch.ops.aten.grid_sampler_2d_backward
        return adjoint(y.contiguous(), y, grid, 0, 0, False, images_only)[0]  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Sampled.apply(grad, *ctx.saved_tensors), None  # type: ignore[no-untyped-call]
