"""How good samples are: pure functions on feature arrays (n × d), real first, each an Estimate.

    from sparring.metrics import frechet, kid, prdc

The functions that compare two sets of features, or judge one, are here; what they are made of,
and what needs a known density, lies in the modules. Each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparring.metrics.classes import ModeCoverage, class_score, mode_coverage
    from sparring.metrics.classifier import c2st
    from sparring.metrics.clipped import clipped_density_coverage
    from sparring.metrics.copying import memorization
    from sparring.metrics.diversity import vendi
    from sparring.metrics.estimate import Estimate
    from sparring.metrics.frontiers import mauve
    from sparring.metrics.gaussians import frechet, frechet_difference, frechet_streamed
    from sparring.metrics.kernels import kid, kid_difference, mmd
    from sparring.metrics.likelihoods import feature_likelihood_divergence, relative_kl
    from sparring.metrics.neighbours import nearest, prdc, prdc_baseline
    from sparring.metrics.permutation import two_sample_test
    from sparring.metrics.transport import energy, sliced_wasserstein

_HOME = {
    "Estimate": "estimate",
    "ModeCoverage": "classes",
    "c2st": "classifier",
    "class_score": "classes",
    "clipped_density_coverage": "clipped",
    "energy": "transport",
    "feature_likelihood_divergence": "likelihoods",
    "frechet": "gaussians",
    "frechet_difference": "gaussians",
    "frechet_streamed": "gaussians",
    "kid": "kernels",
    "kid_difference": "kernels",
    "mauve": "frontiers",
    "memorization": "copying",
    "mmd": "kernels",
    "mode_coverage": "classes",
    "nearest": "neighbours",
    "prdc": "neighbours",
    "prdc_baseline": "neighbours",
    "relative_kl": "likelihoods",
    "sliced_wasserstein": "transport",
    "two_sample_test": "permutation",
    "vendi": "diversity",
}

__all__ = [
    "Estimate",
    "ModeCoverage",
    "c2st",
    "class_score",
    "clipped_density_coverage",
    "energy",
    "feature_likelihood_divergence",
    "frechet",
    "frechet_difference",
    "frechet_streamed",
    "kid",
    "kid_difference",
    "mauve",
    "memorization",
    "mmd",
    "mode_coverage",
    "nearest",
    "prdc",
    "prdc_baseline",
    "relative_kl",
    "sliced_wasserstein",
    "two_sample_test",
    "vendi",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"sparring.metrics.{_HOME[name]}"), name)
    raise AttributeError(f"module 'sparring.metrics' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
