"""The f-GAN table, exhaustively: f* is the conjugate of f, and the fused losses are f*(activation).

The truth for the fused forms is the table as printed in Nowozin 2016, computed to a hundred digits.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from sparring import divergences
from sparring.divergences import Divergence
from sparring.theory.statements.families import DIVERGENCES, fused_gap, young_excess, young_gap

Exact = Callable[[Decimal], Decimal]
HALF, ONE, TWO = Decimal("0.5"), Decimal(1), Decimal(2)


class Printed(NamedTuple):
    """A row of the table: its activation and its conjugate."""

    activation: Exact
    conjugate: Exact


def tanh(v: Decimal) -> Decimal:
    return (1 - (-2 * v).exp()) / (1 + (-2 * v).exp())


def same(t: Decimal) -> Decimal:
    return t


TABLE = {
    "total_variation": Printed(lambda v: HALF * tanh(v), same),
    "kl": Printed(same, lambda t: (t - 1).exp()),
    "reverse_kl": Printed(lambda v: -((-v).exp()), lambda t: -1 - (-t).ln()),
    "pearson": Printed(same, lambda t: t * t / 4 + t),
    "neyman": Printed(lambda v: 1 - (-v).exp(), lambda t: 2 - 2 * (1 - t).sqrt()),
    "squared_hellinger": Printed(lambda v: 1 - (-v).exp(), lambda t: t / (1 - t)),
    "jensen_shannon": Printed(
        lambda v: TWO.ln() - (1 + (-v).exp()).ln(), lambda t: -((2 - t.exp()).ln())
    ),
    "gan": Printed(lambda v: -((1 + (-v).exp()).ln()), lambda t: -((1 - t.exp()).ln())),
}
every_kind = pytest.mark.parametrize("name", DIVERGENCES)
V = torch.linspace(-50, 50, 201, dtype=torch.float64)
U = torch.logspace(-3, 3, 61, dtype=torch.float64)


def printed(name: str, at: Tensor) -> Tensor:
    """Return f*(activation(v)) of the printed table."""
    row = TABLE[name]
    with localcontext() as context:
        context.prec = 100
        values = [float(row.conjugate(row.activation(Decimal(float(v))))) for v in at]
    return torch.tensor(values, dtype=torch.float64)


def test_the_table_holds_every_divergence_of_the_module() -> None:
    declared = {n for n, value in vars(divergences).items() if isinstance(value, Divergence)}
    assert declared == set(DIVERGENCES) == set(TABLE)


@every_kind
def test_the_derivative_is_that_of_f(name: str) -> None:
    kind, u = DIVERGENCES[name], U[U != 1]
    derivative = torch.func.grad(lambda x: kind.f(x).sum())(u)
    torch.testing.assert_close(kind.derivative(u), derivative, rtol=1e-12, atol=1e-12)


@every_kind
def test_f_is_convex_and_zero_at_one_but_for_goodfellow_s_constant(name: str) -> None:
    kind = DIVERGENCES[name]
    assert bool((kind.derivative(U).diff() >= 0).all())
    at_one = kind.f(torch.ones(1, dtype=torch.float64))
    expected = -torch.log(torch.tensor([4.0], dtype=torch.float64)) if name == "gan" else 0 * at_one
    torch.testing.assert_close(at_one, expected, rtol=1e-15, atol=0)


@every_kind
def test_fenchel_and_young_agree_at_the_derivative_and_nowhere_is_ut_less_f_larger(
    name: str,
) -> None:
    """Together: f*(t) is the supremum, at every t = f′(u)."""
    assert young_gap(DIVERGENCES[name]) < 1e-12
    assert young_excess(DIVERGENCES[name]) < 1e-12


def test_the_conjugate_of_total_variation_is_t_between_its_two_slopes_too() -> None:
    kind, t = DIVERGENCES["total_variation"], torch.linspace(-0.5, 0.5, 11, dtype=torch.float64)
    sup = (U * t[:, None] - kind.f(U)).max(1).values
    torch.testing.assert_close(kind.conjugate(t), sup, rtol=0, atol=1e-15)


@every_kind
@pytest.mark.parametrize("other", DIVERGENCES)
def test_the_conjugate_of_another_divergence_is_told_from_the_right_one(
    name: str, other: str
) -> None:
    wrong = replace(DIVERGENCES[name], conjugate=DIVERGENCES[other].conjugate)
    gaps = torch.tensor([young_gap(wrong), young_excess(wrong)])
    assert bool((gaps < 1e-12).all()) == (name == other)


@every_kind
def test_activations_rise_and_reach_both_ends_of_the_domain_and_do_not_leave_it(name: str) -> None:
    kind = DIVERGENCES[name]
    low, high = kind.domain
    t = kind.activation(V)
    assert bool((t >= low).all())
    assert bool((t <= high).all())
    assert bool((kind.activation(V.clamp(-15, 15).unique()).diff() > 0).all())
    for end, reached in ((low, t[0]), (high, t[-1])):
        far = abs(end) == float("inf")
        assert float(reached.abs()) > 49 if far else float(reached) == pytest.approx(end, abs=1e-9)


@every_kind
def test_the_end_of_the_domain_is_the_slope_of_f_at_infinity(name: str) -> None:
    """What a point costs that the generator never makes (`finite.divergence`)."""
    kind = DIVERGENCES[name]
    slope = float(kind.f(torch.tensor(1e12, dtype=torch.float64))) / 1e12
    high = kind.domain[1]
    assert slope > 20 if high == float("inf") else slope == pytest.approx(high, abs=1e-5)


@every_kind
def test_the_fused_loss_equals_the_two_functions_in_turn_in_float64(name: str) -> None:
    assert fused_gap(DIVERGENCES[name]) < 1e-10


@every_kind
def test_the_fused_loss_has_the_digits_of_the_printed_table(name: str) -> None:
    """But for torch's softplus, which above 20 is its argument: 2e-9 less, a ten-billionth."""
    tolerance = 2e-10 if name in ("jensen_shannon", "gan") else 1e-14
    fused = DIVERGENCES[name].conjugate_of_activation(V)
    torch.testing.assert_close(fused, printed(name, V), rtol=tolerance, atol=1e-15)


@every_kind
def test_in_float32_it_stays_finite_and_accurate_to_fifty(name: str) -> None:
    fused = DIVERGENCES[name].conjugate_of_activation(V.float())
    assert bool(fused.isfinite().all())
    torch.testing.assert_close(fused.double(), printed(name, V), rtol=4e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["neyman", "squared_hellinger"])
def test_near_zero_where_it_is_zero_it_keeps_its_digits_in_float32(name: str) -> None:
    tiny = torch.tensor([-1e-3, -1e-6, 1e-9, 1e-4])
    fused = DIVERGENCES[name].conjugate_of_activation(tiny)
    torch.testing.assert_close(fused.double(), printed(name, tiny), rtol=1e-6, atol=0)


@every_kind
def test_the_gradient_of_the_fused_loss_is_finite_in_float32(name: str) -> None:
    kind = DIVERGENCES[name]
    gradient = torch.func.grad(lambda v: kind.conjugate_of_activation(v).sum())(V.float())
    assert bool(gradient.isfinite().all())
    assert bool((gradient >= 0).all()) or name == "pearson"  # its f* falls beneath t = −2


def test_the_two_functions_in_turn_are_what_float32_cannot_do() -> None:
    """Otherwise the fused forms would be there for nothing."""
    kind = DIVERGENCES["gan"]
    assert not bool(kind.conjugate(kind.activation(V.float())).isfinite().all())
