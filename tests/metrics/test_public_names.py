"""`sparring.metrics`: what can be imported from it, and the order of arguments everywhere."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import sparring.metrics
from sparring.metrics import Estimate

FUNCTIONS = [name for name in sparring.metrics.__all__ if name.islower()]
OF_TWO_SETS = (
    "c2st",
    "clipped_density_coverage",
    "energy",
    "frechet",
    "frechet_streamed",
    "kid",
    "mauve",
    "mmd",
    "prdc",
    "sliced_wasserstein",
    "two_sample_test",
)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_name_is_a_documented_function(name: str) -> None:
    function = getattr(sparring.metrics, name)
    assert inspect.isfunction(function)
    assert function.__name__ == name
    assert inspect.getdoc(function)


@pytest.mark.parametrize("name", OF_TWO_SETS)
def test_real_comes_first_and_fake_second(name: str) -> None:
    assert list(inspect.signature(getattr(sparring.metrics, name)).parameters)[:2] == [
        "real",
        "fake",
    ]


@pytest.mark.parametrize("name", OF_TWO_SETS)
def test_every_value_lies_in_its_interval_and_says_how_it_was_found(name: str) -> None:
    rng = np.random.default_rng(3)
    real, fake = rng.normal(size=(300, 4)), rng.normal(0.3, 1.1, size=(240, 4))
    sets = ([real], [fake]) if name == "frechet_streamed" else (real, fake)
    found = getattr(sparring.metrics, name)(*sets)
    for one in found.values() if isinstance(found, dict) else [found]:
        assert isinstance(one, Estimate)
        assert one.low <= one.value <= one.high
        assert one.method


@pytest.mark.parametrize("name", OF_TWO_SETS)
def test_rounding_decides_nothing_of_float32_features_far_from_zero(name: str) -> None:
    rng = np.random.default_rng(4)
    real, fake = ((1000 + 0.1 * rng.normal(size=(200, 4))).astype(np.float32) for _ in range(2))
    function, single = getattr(sparring.metrics, name), (real, fake)
    double = real.astype(np.float64), fake.astype(np.float64)
    if name == "frechet_streamed":
        assert function([single[0]], [single[1]]) == function([double[0]], [double[1]])
    else:
        assert function(*single) == function(*double)


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="fid"):
        _ = sparring.metrics.fid


def test_importing_the_package_imports_no_metric() -> None:
    code = "import sys, sparring.metrics; print('sklearn' in sys.modules, 'scipy' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_a_p_value_too_small_to_be_known_is_a_bound() -> None:
    assert str(Estimate(1.0, 0.5, 1.5, 9, "how", p_value=0.0)) == "1 [0.5, 1.5], p < 1e-06"
    assert str(Estimate(1.0, 0.5, 1.5, 9, "how", p_value=0.0123)) == "1 [0.5, 1.5], p = 0.012"
