"""MMD and the energy distance of finite distributions, against loops, scipy and the metrics."""

import pytest
import torch
from scipy.stats import energy_distance
from torch import Tensor

from sparring.errors import SparringError
from sparring.metrics import kernels
from sparring.theory import kernel
from sparring.theory.kernel import Kernel

RANDOM = torch.Generator().manual_seed(1)
X = torch.randn(6, 3, generator=RANDOM, dtype=torch.float64)
LINE = X[:, 0]
P, Q = (s / s.sum() for s in torch.rand(2, 6, generator=RANDOM, dtype=torch.float64))
KERNELS = {"rbf": kernel.rbf(0.8), "cubic": kernel.polynomial(3), "linear": kernel.polynomial(1)}
every_kernel = pytest.mark.parametrize("name", KERNELS)


def mean(k: Kernel, p: Tensor, q: Tensor) -> float:
    pairs = [(i, j) for i in range(6) for j in range(6)]
    return sum(float(p[i] * q[j] * k(X[i : i + 1], X[j : j + 1])) for i, j in pairs)


@every_kernel
def test_mmd_is_what_its_three_means_make(name: str) -> None:
    k = KERNELS[name]
    expected = mean(k, P, P) + mean(k, Q, Q) - 2 * mean(k, P, Q)
    assert kernel.mmd_squared(X, P, Q, k) == pytest.approx(expected, rel=1e-10)


def test_the_kernels_are_those_of_the_metrics() -> None:
    x, y = X.numpy(), X.flip(0).numpy()
    for ours, theirs in (
        (kernel.rbf(0.8), kernels.rbf(0.8)),
        (kernel.polynomial(3), kernels.cubic),
    ):
        torch.testing.assert_close(ours(X, X.flip(0)), torch.from_numpy(theirs(x, y)))


def test_on_empirical_distributions_it_is_the_metrics_biased_estimate() -> None:
    x, y = X[:4], X[4:]
    p, q = torch.tensor([0.25] * 4 + [0.0] * 2), torch.tensor([0.0] * 4 + [0.5] * 2)
    found = kernel.mmd_squared(X, p, q, kernel.rbf(1.3))
    assert found == pytest.approx(kernels.mmd_biased(x.numpy(), y.numpy(), kernels.rbf(1.3)))


def test_a_linear_kernel_sees_the_means_only() -> None:
    gap = (P - Q) @ X
    found = kernel.mmd_squared(X, P, Q, kernel.polynomial(1))
    assert found == pytest.approx(float(gap @ gap) / 3, rel=1e-11)


def test_the_energy_distance_on_the_line_is_the_square_of_scipy_s() -> None:
    found = kernel.energy_distance(LINE, P, Q)
    x = LINE.numpy()
    assert found == pytest.approx(energy_distance(x, x, P.numpy(), Q.numpy()) ** 2, rel=1e-12)
    order = LINE.argsort()
    gap = (P - Q)[order].cumsum(0)[:-1]
    assert found == pytest.approx(float(2 * gap.square() @ LINE[order].diff()), rel=1e-12)


def test_the_energy_distance_in_space_is_a_mmd_with_the_distance_for_a_kernel() -> None:
    found = kernel.energy_distance(X, P, Q)
    assert found > 0
    assert found == pytest.approx(kernel.mmd_squared(X, P, Q, lambda x, y: -torch.cdist(x, y)))


@every_kernel
def test_a_distribution_is_at_no_distance_from_itself(name: str) -> None:
    assert kernel.mmd_squared(X, P, P, KERNELS[name]) == 0
    assert kernel.energy_distance(X, P, P) == 0


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(SparringError, match="bandwidth is 0"):
        kernel.rbf(0)
    with pytest.raises(SparringError, match="degree is 0"):
        kernel.polynomial(0)
    with pytest.raises(SparringError, match="expected \\(6,\\)"):
        kernel.mmd_squared(X, P[:5] / P[:5].sum(), Q, KERNELS["rbf"])
