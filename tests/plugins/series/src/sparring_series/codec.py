"""Windows and what they become: standardised channels for networks, values for people."""

import torch
from torch import Tensor

from sparring_series.spec import SeriesSpec


def encode(items: Tensor, spec: SeriesSpec) -> Tensor:
    """Turn windows (n, steps, channels) into samples (n, channels, steps), float32."""
    standard = (items.double() - _like(spec.mean, items)) / _like(spec.scale, items)
    return standard.transpose(1, 2).float().contiguous()


def decode(samples: Tensor, spec: SeriesSpec) -> Tensor:
    """Turn samples (n, channels, steps) into windows (n, steps, channels), float32."""
    values = samples.double().transpose(1, 2)
    return (values * _like(spec.scale, samples) + _like(spec.mean, samples)).float().contiguous()


def view(samples: Tensor, spec: SeriesSpec) -> Tensor:
    """Return what a discriminator sees: the samples."""
    return samples


def to_user_type(items: Tensor, spec: SeriesSpec) -> Tensor:
    """Return the windows, (n, steps, channels)."""
    return items


def describe(spec: SeriesSpec) -> str:
    """Say in a few words what one window is."""
    return f"{spec.steps:,} steps of {_counted(spec)}"


def facts(spec: SeriesSpec) -> list[tuple[str, str]]:
    """Return the shape and the channels' names."""
    return [("Shape", describe(spec)), ("Channels", ", ".join(spec.channels))]


def _counted(spec: SeriesSpec) -> str:
    return f"{len(spec.channels):,} channel{'s' * (len(spec.channels) != 1)}"


def _like(values: tuple[float, ...], tensor: Tensor) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, device=tensor.device)
