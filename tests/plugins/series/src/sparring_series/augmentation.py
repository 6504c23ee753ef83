"""Random changes of windows of series: how far they swing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.special import ndtri

from sparring.training.augmentation import Augmentation, Change, RandomAmounts

AMOUNTS: dict[str, int] = {"amplitude": 1}
AMPLITUDE = 0.3  # octaves, standard deviation


@dataclass(frozen=True, kw_only=True)
class SeriesAugmentation(Augmentation):
    """Random changes of standardised windows (n, channels, steps)."""

    amounts_per_kind = AMOUNTS
    batch_ndim = 3
    sample_name = "windows of series"

    def changes(self, amounts: Mapping[str, RandomAmounts], like: Tensor) -> Iterator[Change]:
        """Yield the change of amplitude, of all channels alike."""
        if "amplitude" in self.kinds:
            on, (u,) = amounts["amplitude"]
            factor = (2 ** (AMPLITUDE * on * ndtri(u)))[:, None, None]
            yield lambda x: factor * x
