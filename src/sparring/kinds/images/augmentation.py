"""Random changes of images, by given amounts; differentiable twice.

Amounts are those of Karras 2020, appendix B; shifts and the side of a cutout those of DiffAugment
(Zhao 2020). What a change uncovers is filled with black, the low end of the values; DiffAugment
fills with 0, which is mid-grey at −1..1.

Notation: n images of c channels, h × w pixels.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from math import pi

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.special import ndtri

from sparring.kinds.images.spec import ValueRange
from sparring.training.augmentation import Augmentation, BilinearSampling, Change, RandomAmounts

AMOUNTS: dict[str, int] = {
    "flip": 1,
    "rot90": 1,
    "translate": 4,
    "scale": 1,
    "rotate": 1,
    "colour": 3,
    "cutout": 2,
}


@dataclass(frozen=True)
class ImageAugmentation(Augmentation):
    """Random changes of images (n, c, h, w)."""

    value_range: ValueRange = "-1..1"

    amounts_per_kind = AMOUNTS
    batch_ndim = 4
    sample_name = "images"

    def changes(self, amounts: Mapping[str, RandomAmounts], like: Tensor) -> Iterator[Change]:
        """Yield mirrorings, turns, shifts, resampling, colours and cutouts, in this order."""
        h, w = like.shape[2:]
        black, white = (-1.0, 1.0) if self.value_range == "-1..1" else (0.0, 1.0)
        if "flip" in self.kinds:
            yield _any_flip(amounts["flip"])
        if "rot90" in self.kinds:
            yield _any_turn(amounts["rot90"], square=h == w)
        if "translate" in self.kinds:
            yield _any_shift(amounts["translate"], h, w, black)
        if "scale" in self.kinds or "rotate" in self.kinds:
            yield self._any_resampling(amounts["scale"], amounts["rotate"], black)
        if "colour" in self.kinds:
            yield _any_colour(amounts["colour"], white - black)
        if "cutout" in self.kinds:
            yield _any_cutout(amounts["cutout"], h, w, black)

    def _any_resampling(self, scale: RandomAmounts, rotate: RandomAmounts, black: float) -> Change:
        doublings = 0.2 * scale.on * ndtri(scale.u[0]) * ("scale" in self.kinds)
        turns = rotate.on * rotate.u[0] * ("rotate" in self.kinds)
        return partial(resample, scale=2**doublings, angle=2 * pi * turns, black=black)


def flip(x: Tensor, chosen: Tensor) -> Tensor:
    """Mirror the chosen images (n,) left to right."""
    return torch.where(_per_image(chosen), x.flip(3), x)


def rot90(x: Tensor, turns: Tensor) -> Tensor:
    """Turn each image by some quarter turns (n,), 0 to 3, as `torch.rot90` does.

    Images that are not square can make half a turn only: 0 or 2.
    """
    if x.shape[2] == x.shape[3]:
        x = torch.where(_per_image(turns % 2 == 1), x.rot90(1, (2, 3)), x)
    return torch.where(_per_image(turns >= 2), x.rot90(2, (2, 3)), x)


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
    resampled: Tensor = BilinearSampling.apply(x - black, grid)  # type: ignore[no-untyped-call]
    return torch.where(_per_image((scale != 1) | (angle != 0)), resampled + black, x)


def colour(x: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Add to each image, stretch it about its mean, and its channels about their mean, all (n,).

    Saturation takes three channels; other images keep theirs.
    """
    brightness, contrast, saturation = map(_per_image, (brightness, contrast, saturation))
    if x.shape[1] == 3:
        x = saturation * x + (1 - saturation) * x.mean(1, keepdim=True)
    return contrast * x + ((1 - contrast) * x.mean((1, 2, 3), keepdim=True) + brightness)


def cutout(x: Tensor, top: Tensor, left: Tensor, black: float) -> Tensor:
    """Blacken a part of each image, of half its sides, from its upper left pixel (n,) on.

    It may begin or end outside the image, and leave it whole.
    """
    rows, columns = (
        (start[:, None] <= at) & (at < start[:, None] + (size + 1) // 2)
        for start, size in ((top, x.shape[2]), (left, x.shape[3]))
        for at in [torch.arange(size, device=x.device)]
    )
    return torch.where(rows[:, None, :, None] & columns[:, None, None, :], black, x)


def _any_flip(amounts: RandomAmounts) -> Change:
    return partial(flip, chosen=amounts.on & (amounts.u[0] < 0.5))


def _any_turn(amounts: RandomAmounts, square: bool) -> Change:
    turns = (amounts.u[0] * 4).long() if square else (amounts.u[0] * 2).long() * 2
    return partial(rot90, turns=amounts.on * turns)


def _any_shift(amounts: RandomAmounts, h: int, w: int, black: float) -> Change:
    down, up = (amounts.u[:2] * (h // 8 + 1)).long()  # at most an eighth of the side
    right, left = (amounts.u[2:] * (w // 8 + 1)).long()
    on = amounts.on.long()
    return partial(translate, down=on * (down - up), right=on * (right - left), black=black)


def _any_colour(amounts: RandomAmounts, span: float) -> Change:
    brightness, contrast, saturation = amounts.on * ndtri(amounts.u)
    return partial(
        colour,
        brightness=0.1 * span * brightness,
        contrast=2 ** (0.5 * contrast),
        saturation=2**saturation,
    )


def _any_cutout(amounts: RandomAmounts, h: int, w: int, black: float) -> Change:
    row, column = (amounts.u[0] * h).long(), (amounts.u[1] * w).long()  # of its middle
    top = torch.where(amounts.on, row - h // 4, h)  # h is outside: it hides nothing
    return partial(cutout, top=top, left=column - w // 4, black=black)


def _per_image(amount: Tensor) -> Tensor:
    """Shape one number for each image (n,) to act on all its pixels."""
    return amount.view(-1, 1, 1, 1)
