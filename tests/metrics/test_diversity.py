"""The Vendi score: exact expectations on a finite space, eigenvalues, and what is refused."""

from collections.abc import Iterator
from math import exp, factorial, prod

import numpy as np
import pytest
import torch
from scipy.stats import kurtosis, t

from sparring.errors import SparringError
from sparring.metrics.diversity import pairs_variance, vendi

RNG = np.random.default_rng(0)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def eigenvalues(x: np.ndarray) -> np.ndarray:
    """Return those of K/n, which the score is defined by."""
    u = unit(x)
    found = np.linalg.eigvalsh(u @ u.T / len(u))
    return found[found > 1e-14]


def outcomes(p: np.ndarray, n: int) -> Iterator[tuple[float, list[int]]]:
    """Yield every way for n draws to fall on the points of a space, with its probability."""
    for first in range(n + 1):
        for second in range(n - first + 1):
            counts = [first, second, n - first - second]
            ways = factorial(n) / prod(map(factorial, counts))
            yield ways * float(np.prod(p**counts)), counts


@pytest.mark.parametrize("shape", [(40, 7), (17, 30)])
def test_order_two_is_the_mean_over_pairs_and_close_to_the_eigenvalues_score(shape) -> None:
    x = RNG.normal(size=shape) + 0.3
    n = len(x)
    squares = np.square(unit(x) @ unit(x).T)
    mean = (squares.sum() - n) / (n * (n - 1))
    assert vendi(x).value == pytest.approx(1 / mean)
    assert (eigenvalues(x) ** 2).sum() == pytest.approx((mean * n * (n - 1) + n) / n**2)


def test_order_two_is_exactly_unbiased_and_so_is_its_variance() -> None:
    """Over all samples of 16 from a space of three directions."""
    points, p = np.array([[1.0, 0.2], [0.9, 1.0], [-0.3, 1.0]]), np.array([0.5, 0.3, 0.2])
    truth = p @ np.square(unit(points) @ unit(points).T) @ p
    mean = square = variance = 0.0
    for chance, counts in outcomes(p, 16):
        squares = np.square(unit(points) @ unit(points).T).repeat(counts, 0).repeat(counts, 1)
        rows = (squares.sum(0) - 1) / 15
        spread = (np.square(squares).sum() - 16) / 240 - rows.mean() ** 2
        stated = pairs_variance(rows, spread)
        found = vendi(points.repeat(counts, axis=0))
        less = np.array([np.delete(np.delete(squares, i, 0), i, 1).sum() - 15 for i in range(16)])
        jackknife = 15 / 16 * np.square(less - less.mean()).sum() / 210**2
        middle = (max(stated, 2 * spread / 240, 0) + jackknife) / 2
        expected = np.sqrt(middle) * found.value**2
        varied = np.ptp(rows) > 1e-9
        freedom = 32 / max(kurtosis(rows, fisher=False) - 1, 2) if varied else 16
        assert found.high - found.value == pytest.approx(t.ppf(0.975, freedom) * expected, abs=1e-6)
        mean += chance / found.value
        square += chance / found.value**2
        variance += chance * stated
    assert mean == pytest.approx(truth, rel=1e-12)
    assert variance == pytest.approx(square - mean**2, rel=1e-10)


def test_the_interval_of_isotropic_samples_is_not_blown_up() -> None:
    """There the row means do not vary (ζ₁ = 0); only the second-order part is left."""
    d, n = 12, 200
    found = [vendi(RNG.normal(size=(n, d))) for _ in range(40)]
    spread = np.std([one.value for one in found]) / d
    stated = np.mean([(one.high - one.value) / 1.959964 for one in found]) / d
    assert spread < stated < 1.45 * spread
    # Var k² = 2(d − 1)/(d²(d + 2)) on the sphere, twice that over n², and U = 1/d
    exact = np.sqrt(2 * 2 * (d - 1) / (d + 2)) / n
    assert exact < stated < 1.3 * exact


def test_the_variance_from_some_pairs_is_that_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    x = RNG.normal(size=(300, 5))
    full = vendi(x)
    monkeypatch.setattr("sparring.metrics.diversity.MAX_PARTNERS", 60)
    assert vendi(x).high == pytest.approx(full.high, rel=0.01)
    assert vendi(x).value == full.value


def test_order_one_undoes_the_bias_of_the_eigenvalues() -> None:
    """For isotropic samples the truth is d; the plug-in is 12 % below."""
    x = RNG.normal(size=(250, 64))
    spectrum = eigenvalues(x)
    plug_in = exp(-(spectrum * np.log(spectrum)).sum())
    found = vendi(x, 1)
    assert plug_in < 0.9 * 64
    assert found.low < 64 < found.high
    assert abs(found.value - 64) < 0.02 * 64
    assert "warning" in found.method


def test_order_one_of_a_finite_space_is_the_score_of_its_probabilities() -> None:
    p = np.array([0.4, 0.3, 0.2, 0.1])
    found = vendi(np.eye(4)[RNG.choice(4, 400, p=p)], 1)
    assert found.low < exp(-(p * np.log(p)).sum()) < found.high
    assert found.high - found.low < 0.5
    copies = vendi(np.ones((40, 3)), 1)
    assert (copies.value, copies.low) == pytest.approx((1, 1))


@pytest.mark.parametrize("order", [1, 2])
def test_lengths_do_not_count_and_copies_do_not_add(order: int) -> None:
    x = RNG.normal(size=(120, 4))
    found = vendi(x, order)
    longer = vendi(x * RNG.uniform(0.1, 10, (120, 1)), order)
    assert longer.value == pytest.approx(found.value, rel=1e-9)
    assert vendi(torch.from_numpy(x), order) == found
    assert 1 < found.value < 4.4
    assert vendi(x, order, level=0.8).high < found.high
    assert {type(v) for v in (found.value, found.low, found.high)} == {float}


def test_one_direction_is_worth_one_sample() -> None:
    found = vendi(np.ones((30, 3)))
    assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: vendi(np.ones((15, 2))), "x has 15 samples; this metric needs at least 16"),
        (lambda: vendi(np.ones((20, 2)), 3), "order is 3; expected 1 or 2"),
        (lambda: vendi(np.eye(20, 3)), "17 of 20 samples are zero"),
        (lambda: vendi(np.eye(20)), "all samples are orthogonal"),
        (lambda: vendi(np.full((20, 2), np.inf)), "NaN or infinity"),
        (lambda: vendi(np.ones(20)), r"shape \(20,\)"),
        (lambda: vendi(np.ones((20, 2)), level=-1), "level is -1"),
        (lambda: vendi(RNG.normal(size=(40, 60)), 1), "expected at least twice as many samples"),
    ],
)
def test_what_has_no_score_is_refused(call, told: str) -> None:
    with pytest.raises(SparringError, match=told):
        call()
