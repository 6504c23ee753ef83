"""Discriminator penalties: functions of a scored batch, one value per sample, summed with weights.

Gradients are taken with respect to the samples; their squares are summed over all dimensions of
a sample, not averaged, so a weight depends on the resolution.

Convention: R1, R2 and their finite-difference forms carry the ½, so that `weight` is the γ of
(γ/2)·E‖∇D‖²; the gradient penalty has no ½ and its `weight` is the λ of Gulrajani 2017.
Every penalty is zero for a discriminator that meets its aim: ∇D = 0, or ‖∇D‖ = 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sparring.draws import Draw
from sparring.schedules import Schedule

Score = Callable[[Tensor], Tensor]  # samples to logits

STEP = 0.01  # σ of the finite differences, in units of the encoded sample


class Scored(NamedTuple):
    """A batch of samples and the logits on it, still joined by the autograd graph.

    Where the discriminator sees them augmented, `score` augments any others in the same way.
    """

    x: Tensor
    logits: Tensor
    score: Score  # gives these logits


def scored(x: Tensor, score: Score) -> Scored:
    """Score a batch."""
    return Scored(x, score(x), score)


PenaltyFn = Callable[[Scored, Scored, Draw], Tensor]  # reals and fakes


@dataclass(frozen=True)
class Penalty:
    """A penalty, its weight as a function of the images seen, and its laziness."""

    fn: PenaltyFn
    weight: Schedule
    every: int = 1  # applied at each `every`-th discriminator update, scaled up to match

    def at(self, update: int, images: int) -> float:
        """Return the factor at this discriminator update; 0 at the updates it skips."""
        return self.every * self.weight(images) if update % self.every == 0 else 0.0


def r1(real: Scored, fake: Scored, draw: Draw) -> Tensor:
    """Return ½‖∇D‖² at the reals (Mescheder 2018, eq. 9)."""
    return _grad_sq_norm(real) / 2


def r2(real: Scored, fake: Scored, draw: Draw) -> Tensor:
    """Return ½‖∇D‖² at the fakes (Mescheder 2018, eq. 10)."""
    return _grad_sq_norm(fake) / 2


def gradient_penalty(real: Scored, fake: Scored, draw: Draw) -> Tensor:
    """Return (‖∇D‖ − 1)² at random points between reals and fakes (Gulrajani 2017, eq. 3).

    The points are scored as the reals are.
    """
    per_sample = (len(real.x),) + (1,) * (real.x.ndim - 1)
    mix = draw.uniform("gradient-penalty", per_sample, like=real.x.detach())
    x = torch.lerp(real.x.detach(), fake.x.detach(), mix).requires_grad_()
    return (_grad_sq_norm(scored(x, real.score)).sqrt() - 1).square()


def finite_difference_r1(real: Scored, fake: Scored, draw: Draw) -> Tensor:
    """Return ½((D(x + σε) − D(x))/σ)² at the reals, ε ~ N(0, I) (Lin 2025, APT).

    Its expectation is ½‖∇D‖² + O(σ²), without differentiating twice.
    """
    return _slope(real, draw, "finite-difference-r1").square() / 2


def finite_difference_r2(real: Scored, fake: Scored, draw: Draw) -> Tensor:
    """Return ½((D(x + σε) − D(x))/σ)² at the fakes; see `finite_difference_r1`."""
    return _slope(fake, draw, "finite-difference-r2").square() / 2


def _grad_sq_norm(batch: Scored) -> Tensor:
    (grad,) = torch.autograd.grad(batch.logits.sum(), batch.x, create_graph=True)
    return grad.flatten(1).square().sum(1)


def _slope(batch: Scored, draw: Draw, purpose: str) -> Tensor:
    x = batch.x.detach()
    noise = draw.normal(purpose, tuple(x.shape), like=x)
    return (batch.score(x + STEP * noise) - batch.logits) / STEP
