"""What one sound is: its framing, and how networks see it."""

from dataclasses import dataclass
from math import prod
from typing import Literal

from sparring.errors import SparringError

Form = Literal["frames", "sound", "wave"]


@dataclass(frozen=True)
class Framing:
    """How a wave of `samples` at `rate` is cut into frames: a periodic Hann window every hop."""

    rate: int
    samples: int
    window: int = 256
    hop: int = 128

    def __post_init__(self) -> None:
        """Refuse what has no inverse."""
        if self.rate < 1 or self.samples < 1 or self.window < 4 or self.hop < 1:
            raise SparringError(f"{self}: rate, samples, window and hop must be larger")
        if self.window % 2 or self.window % self.hop or self.window < 2 * self.hop:
            raise SparringError(
                f"window {self.window} and hop {self.hop}: expected an even window of 2, 3, 4, … "
                "times the hop"
            )

    @property
    def bins(self) -> int:
        """Frequencies that networks see: all but the highest."""
        return self.window // 2

    @property
    def frames(self) -> int:
        """Frames that networks see: all but the last, which lies half beyond the end."""
        return -(-self.samples // self.hop)

    @property
    def seconds(self) -> float:
        """Length of the wave."""
        return self.samples / self.rate


@dataclass(frozen=True)
class AudioSpec:
    """A sound of one length; networks see its spectrum as standardised log-amplitudes.

    The form says what generators make and discriminators see: of `frames`, spectra and spectra; of
    `sound`, waves and their spectra with phase; of `wave`, waves and waves.
    """

    framing: Framing
    mean: tuple[float, ...]  # of log-amplitude, one per bin
    scale: tuple[float, ...]  # what becomes 1, one per bin
    floor_db: float = -80.0  # added to every amplitude before the logarithm
    form: Form = "frames"
    peak: float = 0.0  # that nearly all sounds have; 0 where they differ, and it means something
    classes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample of a generator: (bins, frames) or (samples,)."""
        if self.form == "frames":
            return self.framing.bins, self.framing.frames
        return (self.framing.samples,)

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return prod(self.shape)

    @property
    def floor(self) -> float:
        """The floor as an amplitude."""
        return float(10 ** (self.floor_db / 20))
