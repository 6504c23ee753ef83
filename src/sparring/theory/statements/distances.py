"""Rows 14–17 and 22–24: distances that know how far points lie from each other.

The kernels are those of `sparring.metrics.kernels`, the Wasserstein game is that of
`sparring.objectives`, and what metrics estimate from samples is set against the population.

Notation: F and G the distribution functions of p and q, Δm and Δσ the differences of means and
standard deviations.
"""

from math import exp, log, pi, sqrt

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from sparring import objectives
from sparring.metrics import kernels
from sparring.metrics.transport import energy, frames, sliced, sliced_wasserstein
from sparring.theory import finite, gaussian, kernel, quadrature, transport
from sparring.theory.kernel import Kernel
from sparring.theory.quadrature import normal
from sparring.theory.shift import shifted
from sparring.theory.statements.evaluation import expectation, samples
from sparring.theory.statements.statement import Check, Statement

POINTS = torch.tensor([0.0, 1.0, 3.0, 4.0], dtype=torch.float64)
P = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
Q = P.flip(0)
HEIGHTS = torch.linspace(0, 1, 6, dtype=torch.float64)  # of the points on the parallel lines


def of_metric(numeric: kernels.Kernel) -> Kernel:
    """Return a kernel of the metrics as one of tensors."""
    return lambda x, y: torch.from_numpy(numeric(x.numpy(), y.numpy()))


def between_shifted(numeric: kernels.Kernel, mean: float) -> float:
    """Return MMD² of N(0, 1) and N(mean, 1) with a kernel of the metrics, by quadrature."""
    return kernel.mmd_squared(*shifted(mean), of_metric(numeric))


def parallel_lines(theta: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return points (0, z) and (θ, z), and the uniform laws of the first and the second."""
    lines = [torch.stack([torch.full_like(HEIGHTS, x), HEIGHTS], 1) for x in (0.0, theta)]
    points, n = torch.cat(lines), len(HEIGHTS)
    uniform, empty = torch.full_like(HEIGHTS, 1 / n), torch.zeros_like(HEIGHTS)
    if theta == 0:
        return points[:n], uniform, uniform
    return points, torch.cat([uniform, empty]), torch.cat([empty, uniform])


def mean_over_bases(p: tuple[Tensor, float], q: tuple[Tensor, float]) -> float:
    """Return the mean of W2² over projections of N(m, σ²I) on the vectors of an orthonormal basis.

    The projections' W2² is a quadratic form in the direction plus a constant, and an orthonormal
    basis averages those as the whole sphere does.
    """
    d = len(p[0])
    basis = torch.linalg.qr(torch.vander(torch.arange(1.0, d + 1, dtype=torch.float64))).Q
    projected = [
        quadrature.w2_squared(normal(float(p_mean), p[1]), normal(float(q_mean), q[1]))
        for p_mean, q_mean in zip(basis.T @ p[0], basis.T @ q[0], strict=True)
    ]
    return sum(projected) / d


def _w1_on_the_line() -> tuple[Check, ...]:
    def w1(mean: float, sigma: float) -> float:
        return quadrature.w1(normal(0.0, 1.0), normal(mean, sigma))

    pair = gaussian.normal(0.0, 1.0), gaussian.normal(1.0, 2.0)
    folded = sqrt(2 / pi) * exp(-1 / 2) + stats.norm.cdf(1) - stats.norm.cdf(-1)
    return (
        Check("N(0,1), N(1,1): |μ|", 1, w1(1.0, 1.0)),
        Check("N(0,1), N(−2.5,1): |μ|", 2.5, w1(-2.5, 1.0)),
        Check("N(0,1), N(0,4): |σ−1|√(2/π)", sqrt(2 / pi), w1(0.0, 2.0)),
        Check("N(0,1), N(1,4): mean of |N(1,1)|", float(folded), w1(1.0, 2.0)),
        Check("the same in closed form", float(folded), gaussian.w1(*pair), 1e-12),
    )


def _kantorovich_rubinstein() -> tuple[Check, ...]:
    cost = kernel.distances(POINTS[:, None], POINTS[:, None])
    critic = transport.lipschitz_dual(cost, P, Q)
    loss = finite.discriminator_loss(objectives.wasserstein, critic.logits, P, Q)
    steepness = (critic.logits[:, None] - critic.logits) / (cost + torch.eye(len(cost)))
    return (
        Check("primal", 1.4, transport.primal(cost, P, Q).cost),
        Check("dual, 1-Lipschitz critic", 1.4, critic.value),
        Check("∫|F − G|", 1.4, transport.w1_on_line(POINTS, P, Q), 1e-12),
        Check("−E L_D of the Wasserstein game at that critic", 1.4, -float(loss)),
        Check("the critic's Lipschitz constant", 1, float(steepness.max())),
    )


def _w2_and_slices() -> tuple[Check, ...]:
    m, n = torch.tensor([[0.0, 1.0, -1.0], [2.0, 0.5, 1.0]], dtype=torch.float64)
    pair = gaussian.isotropic(m, 1.0), gaussian.isotropic(n, 2.5)
    expected = float((m - n) @ (m - n)) / 3 + 1.5**2
    line = gaussian.normal(0.0, 1.0), gaussian.normal(1.0, 2.0)
    three, two = np.array([[0.0], [1], [2]]), np.array([[0.0], [3]])
    return (
        Check(
            "W2² of N(0,1), N(1,4)", 2, quadrature.w2_squared(normal(0.0, 1.0), normal(1.0, 2.0))
        ),
        Check("the same in closed form", 2, gaussian.w2_squared(*line), 1e-12),
        Check("sliced W2² in ℝ³: ‖Δm‖²/d + Δσ²", expected, mean_over_bases((m, 1.0), (n, 2.5))),
        Check("the same in closed form", expected, gaussian.sliced_w2_squared(*pair), 1e-12),
        Check("`sliced` of samples 3 further along one axis of ℝ³", 3, _sliced_shift(), 1e-12),
        Check("that of {0,1,2} and {0,3}, by levels", 7 / 6, sliced(three, two, np.eye(1)).value),
        Check(
            "its noise taken off: {0,1,10,11} and {0,2,20,22}",
            (0 + 1 + 100 + 121) / 4 - (1 + 4) / 4,
            sliced_wasserstein(np.c_[[0, 1, 10, 11]], np.c_[[0, 2, 20, 22]], directions=1).value,
        ),
    )


def _sliced_shift() -> float:
    """Return the metric between samples and the same ones shifted, over whole frames."""
    x = np.linspace(-1, 2, 15).reshape(5, 3) ** 3
    return sliced(x, x + np.array([0, 3, 0]), frames(3, 6, np.random.default_rng(0))).value


def _parallel_lines() -> tuple[Check, ...]:
    checks = []
    for theta in (-0.7, 0.0, 0.25):
        x, p, q = parallel_lines(theta)
        cost = kernel.distances(x, x)
        jsd = float(finite.jensen_shannon(p, q))
        checks += [
            Check(f"W1, θ = {theta:g}", abs(theta), transport.primal(cost, p, q).cost),
            Check(f"JSD, θ = {theta:g}", log(2) if theta else 0, jsd, 1e-12),
        ]
    return tuple(checks)


def _kid_polynomial() -> tuple[Check, ...]:
    far = np.array([[2.0, 0, 0, 0]] * 4)
    x, y = np.linspace(-1, 1, 10).reshape(5, 2), np.linspace(0, 3, 12).reshape(6, 2)
    repeated = [side.repeat(3, 1) for side in (x, y)]
    return (
        *(
            Check(
                f"μ = {m:g}",
                3 * m**2 + 3 * m**4 + (m**3 + 3 * m) ** 2,
                between_shifted(kernels.cubic, m),
                1e-8,
            )
            for m in (0.5, 1.0, -2.0)
        ),
        Check(
            "`kid` of copies of (2,0,0,0) and of 0: 8 + 1 − 2", 7, kernels.kid(far, 0 * far).value
        ),
        Check(
            "with each feature three times", kernels.kid(x, y).value, kernels.kid(*repeated).value
        ),
    )


def _mmd_rbf() -> tuple[Check, ...]:
    return tuple(
        Check(
            f"μ = {m:g}",
            2 / sqrt(3) * (1 - exp(-(m**2) / 6)),
            between_shifted(kernels.rbf(1.0), m),
            1e-10,
        )
        for m in (0.5, 1.0, -3.0)
    )


def _energy() -> tuple[Check, ...]:
    gap = (P - Q).cumsum(0)[:-1]
    integral = float(2 * gap.square() @ POINTS.diff())
    root = stats.energy_distance(POINTS.numpy(), POINTS.numpy(), P.numpy(), Q.numpy())
    lines = quadrature.energy_distance(normal(0.0, 1.0), normal(1.0, 2.0))
    closed = gaussian.energy_distance(gaussian.normal(0.0, 1.0), gaussian.normal(1.0, 2.0))
    truth, mean = _mean_energy()
    return (
        Check("2∫(F − G)² on {0,1,3,4}", kernel.energy_distance(POINTS, P, Q), integral, 1e-12),
        Check("square of scipy's `energy_distance`", integral, float(root) ** 2, 1e-12),
        Check("2∫(F − G)² of N(0,1), N(1,4)", closed, lines),
        Check("E `energy` over every sample of 4 and 4 of {0,1,3}", truth, mean, 1e-12),
    )


def _mean_energy() -> tuple[float, float]:
    """Return the energy distance of two laws on {0, 1, 3}, and the metric's mean over samples."""
    x, p, q = POINTS[:3], P[:3] / P[:3].sum(), Q[:3] / Q[:3].sum()
    drawn = [[*samples(x.numpy()[:, None], law.numpy(), 4)] for law in (p, q)]
    mean = expectation(lambda real, fake: energy(real, fake).value, *drawn)
    return kernel.energy_distance(x, p, q), mean


STATEMENTS: tuple[Statement, ...] = (
    Statement(
        14,
        "On the line W1 = ∫|F − G|: |μ| for a shift, |σ − 1|√(2/π) for a change of scale, else the "
        "mean of a folded normal",
        "Kantorovich; Vallender 1974",
        _w1_on_the_line,
    ),
    Statement(
        15,
        "Kantorovich–Rubinstein: the cheapest transport costs what the best 1-Lipschitz critic "
        "earns; {0,1,3,4}, p = (.4,.3,.2,.1), q reversed",
        "Villani 2009, theorem 5.10 and remark 6.5",
        _kantorovich_rubinstein,
    ),
    Statement(
        16,
        "W2² of Gaussians on the line is Δm² + Δσ²; sliced W2² of isotropic ones ‖Δm‖²/d + Δσ²",
        "Dowson & Landau 1982; derived",
        _w2_and_slices,
    ),
    Statement(
        17,
        "Parallel lines a distance θ apart: W1 = |θ|, but JSD = ln 2 unless θ = 0",
        "Arjovsky 2017, example 1",
        _parallel_lines,
    ),
    Statement(
        22,
        "KID with k = (xy + 1)³, N(0,1) vs N(μ,1): 3μ² + 3μ⁴ + (μ³ + 3μ)²",
        "derived: the squared differences of the moments, times 3, 3, 1",
        _kid_polynomial,
    ),
    Statement(
        23,
        "MMD² with the radial kernel, σ = 1, N(0,1) vs N(μ,1): (2/√3)(1 − e^(−μ²/6))",
        "derived",
        _mmd_rbf,
    ),
    Statement(
        24,
        "The energy distance 2E|x−y| − E|x−x′| − E|y−y′| is 2∫(F − G)² on the line",
        "Székely 2013",
        _energy,
    ),
)
