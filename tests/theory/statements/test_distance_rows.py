"""Rows 14–17 and 22–24: that they hold, and that spoilt kernels, games and metrics fail them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sparring import objectives
from sparring.metrics import kernels
from sparring.theory import kernel, quadrature, transport
from sparring.theory.statements import distances

ROWS = {statement.number: statement for statement in distances.STATEMENTS}


def failed(number: int) -> list[str]:
    return [check.what for check in ROWS[number].check() if not check.passed]


def test_the_rows_are_those_of_this_module() -> None:
    assert sorted(ROWS) == [14, 15, 16, 17, 22, 23, 24]


def test_a_wasserstein_game_with_its_sides_swapped_fails_row_15(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoilt = replace(objectives.wasserstein, discriminator=lambda r, f: r - f)
    monkeypatch.setattr(objectives, "wasserstein", spoilt)
    assert failed(15) == ["−E L_D of the Wasserstein game at that critic"]


def test_a_critic_twice_as_steep_fails_row_15(monkeypatch: pytest.MonkeyPatch) -> None:
    right = transport.lipschitz_dual
    monkeypatch.setattr(transport, "lipschitz_dual", lambda c, p, q: right(2 * c, p, q))
    assert len(failed(15)) == 3


def test_squared_distances_for_distances_fail_rows_17_and_24(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = kernel.distances
    monkeypatch.setattr(kernel, "distances", lambda x, y: right(x, y).square())
    assert failed(17)
    assert "2∫(F − G)² on {0,1,3,4}" in failed(24)


def test_a_half_too_few_fails_rows_14_16_and_24(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in ((14, "w1"), (16, "w2_squared"), (24, "energy_distance")):
        right = getattr(quadrature, name)
        monkeypatch.setattr(quadrature, name, lambda p, q, right=right: right(p, q) / 2)
        assert failed(number)


def test_a_kid_kernel_without_its_one_fails_row_22(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "cubic", lambda x, y: (x @ y.T / x.shape[1]) ** 3)
    assert len(failed(22)) == 4


def test_a_radial_kernel_without_its_half_fails_row_23(monkeypatch: pytest.MonkeyPatch) -> None:
    def wider(bandwidth: float) -> kernels.Kernel:
        return lambda x, y: np.exp(-kernels.squared_distances(x, y) / bandwidth**2)

    monkeypatch.setattr(kernels, "rbf", wider)
    assert len(failed(23)) == 3


def test_the_mean_over_an_orthonormal_basis_is_that_over_many_directions() -> None:
    """In the plane, against a hundred directions of the circle."""
    x = torch.tensor([[0.3, -1.0], [1.5, 0.2]], dtype=torch.float64)
    many = [float((u @ (x[1] - x[0])) ** 2) + 0.7**2 for u in transport.circle(100)]
    found = distances.mean_over_bases((x[0], 1.0), (x[1], 1.7))
    assert found == pytest.approx(sum(many) / 100, abs=1e-9)
