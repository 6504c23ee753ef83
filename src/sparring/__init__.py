"""Train generative adversarial networks on your own images, and know what you got.

    import sparring

    run = sparring.train("photos/", size="small", budget="30m")
    images = run.sample(64, seed=0)

The parts are plain values in their modules: `sparring.objectives.hinge`,
`sparring.penalties.r1`, … Everything is imported when it is first used.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from sparring import (
        build,
        draws,
        features,
        metrics,
        networks,
        objectives,
        penalties,
        sampling,
        schedules,
        spec,
        theory,
        training,
    )
    from sparring.api import GAN, Run, load, measure, train
    from sparring.errors import SparringError
    from sparring.kinds.points import densities
    from sparring.recipes import recipe

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
    "measure",
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

_HOME = dict.fromkeys(("GAN", "Run", "load", "measure", "train"), "sparring.api") | {
    "SparringError": "sparring.errors"
}
_MODULES = {  # public modules that lie deeper
    "densities": "sparring.kinds.points.densities",
    "recipe": "sparring.recipes.recipe",
}


class _OldPaths:
    """Finds the modules of version 0.1 where no file is; asked last of all finders."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        if not name.startswith("sparring."):
            return None
        from sparring import moved

        return moved.find_spec(name)


sys.meta_path.append(_OldPaths)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in __all__:
        return import_module(_MODULES.get(name, f"sparring.{name}"))
    raise AttributeError(f"module 'sparring' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
