"""Values that change while training, as functions of the images seen (never of steps).

So a batch size does not change what a schedule means.
"""

from collections.abc import Callable
from math import cos, pi

Schedule = Callable[[int], float]  # images seen -> value


def constant(value: float) -> Schedule:
    """Return `value` at all times."""
    return lambda images: value


def linear(start: float, end: float, begin: int, until: int) -> Schedule:
    """Go from `start` to `end` in a straight line between two numbers of images, flat outside."""
    return lambda images: start + (end - start) * _progress(images, begin, until)


def cosine(start: float, end: float, begin: int, until: int) -> Schedule:
    """Go from `start` to `end` by half a cosine between two numbers of images, flat outside."""
    return lambda images: (
        start + (end - start) * (1 - cos(pi * _progress(images, begin, until))) / 2
    )


def ramped(limit: float, share: float) -> Schedule:
    """Return min(limit, share of the images seen): an average must not remember the first steps."""
    return lambda images: min(limit, share * images)


def _progress(images: int, begin: int, until: int) -> float:
    return min(max((images - begin) / max(until - begin, 1), 0.0), 1.0)
