"""Train generative adversarial networks on your own images, and know what you got.

    import sparring

    run = sparring.train("photos/", size="small", budget="30m")
    images = run.sample(64, seed=0)

The parts are plain values in their modules: `sparring.objectives.hinge`,
`sparring.penalties.r1`, … Everything is imported when it is first used.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparring import (
        build,
        densities,
        draws,
        features,
        metrics,
        networks,
        objectives,
        penalties,
        recipe,
        sampling,
        schedules,
        spec,
        theory,
        training,
    )
    from sparring.api import GAN, Run, load, train
    from sparring.errors import SparringError

__version__ = version("sparring")

__all__ = [
    "GAN",
    "Run",
    "SparringError",
    "__version__",
    "build",
    "densities",
    "draws",
    "features",
    "load",
    "metrics",
    "networks",
    "objectives",
    "penalties",
    "recipe",
    "sampling",
    "schedules",
    "spec",
    "theory",
    "train",
    "training",
]

_HOME = dict.fromkeys(("GAN", "Run", "load", "train"), "sparring.api") | {
    "SparringError": "sparring.errors"
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in __all__:
        return import_module(f"sparring.{name}")
    raise AttributeError(f"module 'sparring' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
