"""Time, memory and values of the neighbour, test and diversity metrics against other libraries.

python -m benchmarks.metrics_neighbours [--peers SITE-PACKAGES] [--samples 10000] [--width 64]

Peers are prdc, vendi-score and mauve-text (with faiss-cpu), installed or in a folder given with
--peers. Without a peer its formula in plain numpy is timed instead, and the row says so. Each turn
is a process of its own with one thread, which reports its CPU time and by how much its peak of
memory rose; contenders take turns, and a ratio compares turns of the same round.
"""

import argparse
import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.special import xlogy
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from sparring.metrics.classifier import c2st
from sparring.metrics.copying import memorization
from sparring.metrics.diversity import vendi
from sparring.metrics.estimate import Estimate
from sparring.metrics.frontiers import mauve, score
from sparring.metrics.neighbours import prdc, prdc_baseline

Samples = NDArray[np.floating]
Values = Mapping[str, float]
Run = Callable[[Samples, Samples], Values]
Nearer = Callable[[Samples, Samples], NDArray[np.bool]]
K = 5
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Contender:
    """One row: whose code it is, and a run that returns what it found."""

    name: str
    run: Run
    peer: str | None = None  # the module that must be there
    instead: str | None = None  # runs only where this module is missing


@dataclass(frozen=True)
class Contest:
    """Ours (the first contender) and what it is compared with."""

    title: str
    contenders: tuple[Contender, ...]
    most: int | None = None  # samples on each side, where a peer takes n³


@dataclass(frozen=True)
class Turn:
    """What one process reports."""

    seconds: float
    megabytes: float
    found: Values


def valued(estimates: Mapping[str, Estimate]) -> Values:
    """Return the values alone."""
    return {name: one.value for name, one in estimates.items()}


# ---- peers, and their formulas


def peer_prdc(real: Samples, fake: Samples) -> Values:
    """Run the prdc package, which prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        found = importlib.import_module("prdc").compute_prdc(real, fake, K)
    return {name: float(value) for name, value in found.items()}


def full_matrices(real: Samples, fake: Samples, nearer: Nearer = np.less) -> Values:
    """Return Naeem 2020, eq. 1 to 4, from full matrices of exact distances."""
    radii = [np.partition(cdist(side, side), K, axis=1)[:, K] for side in (real, fake)]
    between = cdist(real, fake)
    inside = nearer(between, radii[0][:, None])
    return {
        "precision": float(inside.any(0).mean()),
        "recall": float(nearer(between, radii[1]).any(1).mean()),
        "density": float(inside.sum() / K / len(fake)),
        "coverage": float(inside.any(1).mean()),
    }


def cross_validated(real: Samples, fake: Samples) -> Values:
    """Return the accuracy of a logistic regression over three folds, as is usual for tables."""
    pool, labels = np.concatenate([real, fake]), np.repeat([0, 1], [len(real), len(fake)])
    order = np.random.default_rng(0).permutation(len(pool))
    model = make_pipeline(StandardScaler(), LogisticRegression())
    return {"accuracy": float(cross_val_score(model, pool[order], labels[order], cv=3).mean())}


def peer_vendi(real: Samples, fake: Samples) -> Values:
    """Run vendi-score's `score_dual`; its `score_X` ignores the order it is given."""
    module = importlib.import_module("vendi_score.vendi")
    unit = normalize(real.astype(np.float64), axis=1)
    return {"order 1": float(module.score_dual(unit)), "order 2": float(module.score_dual(unit, 2))}


def gram_vendi(real: Samples, fake: Samples) -> Values:
    """Return the plug-in scores from the eigenvalues of K/n, n × n."""
    unit = normalize(real.astype(np.float64), axis=1)
    spectrum = np.linalg.eigvalsh(unit @ unit.T / len(unit)).clip(0)
    entropy = -xlogy(spectrum, spectrum).sum()
    return {"order 1": float(np.exp(entropy)), "order 2": float(1 / (spectrum**2).sum())}


def peer_mauve(real: Samples, fake: Samples) -> Values:
    """Run mauve-text on features, as it comes."""
    found = importlib.import_module("mauve").compute_mauve(real, fake)
    return {"mauve": float(found.mauve)}


def pooled_mauve(real: Samples, fake: Samples) -> Values:
    """Return the score with n/10 clusters of what is counted itself, five starts."""
    pool = normalize(np.concatenate([real, fake]), axis=1)
    buckets = max(2, round(min(len(real), len(fake)) / 10))
    labels = KMeans(buckets, n_init=5, max_iter=500, random_state=0).fit_predict(pool)
    p, q = (np.bincount(part, minlength=buckets) for part in np.split(labels, [len(real)]))
    return {"mauve": score(p / p.sum(), q / q.sum())}


CONTESTS: Mapping[str, Contest] = {
    "prdc": Contest(
        f"precision, recall, density, coverage, k = {K}; goal 2.5x, a quarter of the memory",
        (
            Contender("ours, with intervals", lambda x, y: valued(prdc(x, y, K))),
            Contender("prdc", peer_prdc, "prdc"),
            Contender("full matrices (prdc's formula)", full_matrices, instead="prdc"),
            Contender("ours, p = q", lambda x, y: valued(prdc_baseline(x, len(y), K))),
        ),
    ),
    "c2st": Contest(
        "classifier two-sample test",
        (
            Contender("ours, one split", lambda x, y: valued(c2st(x, y))),
            Contender("logistic regression, three folds", cross_validated),
        ),
    ),
    "vendi": Contest(
        "Vendi score of the reals",
        (
            Contender("ours, order 2", lambda x, y: {"order 2": vendi(x).value}),
            Contender("ours, order 1, extrapolated", lambda x, y: {"order 1": vendi(x, 1).value}),
            Contender("vendi-score, plug-in, d x d", peer_vendi, "vendi_score"),
            Contender("n x n (vendi-score's formula), plug-in", gram_vendi),
        ),
        most=2_000,
    ),
    "mauve": Contest(
        "MAUVE",
        (
            Contender("ours, 999 permutations", lambda x, y: valued(mauve(x, y))),
            Contender("mauve-text", peer_mauve, "mauve"),
            Contender("n/10 pooled clusters (its formula)", pooled_mauve, instead="mauve"),
        ),
        most=2_000,
    ),
    "memorization": Contest(
        "memorisation: half of the reals as training set, half as held out",
        (
            Contender(
                "ours, 999 permutations",
                lambda x, y: valued(memorization(y, x[: len(x) // 2], x[len(x) // 2 :])),
            ),
        ),
    ),
}


def features(samples: int, width: int) -> tuple[Samples, Samples]:
    """Return Gaussian float64 features; the fakes are shifted a little."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(samples, width)), rng.normal(size=(samples, width)) + 0.05


# ---- turns


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description="Neighbour metrics against peers.")
    parser.add_argument("--samples", type=int, default=10_000, help="on each side")
    parser.add_argument("--width", type=int, default=64, help="features")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    parser.add_argument("--contests", default=",".join(CONTESTS))
    parser.add_argument("--peers", type=Path, help="a site-packages that holds peers")
    parser.add_argument("--turn", nargs=2, help=argparse.SUPPRESS)  # a contest and a contender
    options = parser.parse_args(arguments)
    if options.peers:
        sys.path.append(str(options.peers))
    if options.turn:
        print(json.dumps(turn(*options.turn, options.samples, options.width)))
        return
    for name in options.contests.split(","):
        print(*table(name, options), sep="\n", flush=True)
    print(*agreement(options.width), *formulas(options.width), sep="\n")


def turn(contest: str, contender: str, samples: int, width: int) -> Mapping[str, object]:
    """Run one contender in this process and report on it."""
    one = next(c for c in CONTESTS[contest].contenders if c.name == contender)
    real, fake = features(min(samples, CONTESTS[contest].most or samples), width)
    few = 200
    one.run(real[:few], fake[:few])  # imports, and what is made at the first call
    peak, began = peak_megabytes(), time.process_time()
    found = one.run(real, fake)
    spent = time.process_time() - began
    return {"seconds": spent, "megabytes": peak_megabytes() - peak, "found": found}


def peak_megabytes() -> float:
    """Return the most memory this process has held (Linux), or NaN."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peaks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return peaks[0] / 1024 if peaks else float("nan")


def in_process(contest: str, contender: str, options: argparse.Namespace) -> Turn:
    """Give one contender a turn in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.metrics_neighbours", "--turn", contest, contender]
    command += ["--samples", str(options.samples), "--width", str(options.width)]
    command += ["--peers", str(options.peers)] if options.peers else []
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return Turn(**json.loads(done.stdout.splitlines()[-1]))


def present(contest: Contest) -> tuple[list[Contender], list[str]]:
    """Return who can take part, and what is missing."""
    found, missing = [], []
    for one in contest.contenders:
        if one.peer and not find_spec(one.peer):
            missing.append(one.peer)
        elif not (one.instead and find_spec(one.instead)):
            found.append(one)
    return found, missing


def table(name: str, options: argparse.Namespace) -> list[str]:
    """Let all contenders take turns; return the rows: medians, ratios to ours, values."""
    contest = CONTESTS[name]
    contenders, missing = present(contest)
    turns: dict[str, list[Turn]] = {one.name: [] for one in contenders}
    for round_ in range(options.rounds):
        shift = round_ % len(contenders)
        for one in (*contenders[shift:], *contenders[:shift]):
            turns[one.name].append(in_process(name, one.name, options))
    samples = min(options.samples, contest.most or options.samples)
    lines = [f"\n{contest.title}; n = {samples}, d = {options.width}"]
    lines += [f"not installed, so not timed: {peer}" for peer in missing]
    lines += [f"{'':40}{'CPU-s':>8}{'ratio':>9}{'MB':>7}  values"]
    return lines + [row(one.name, turns[one.name], turns[contenders[0].name]) for one in contenders]


def row(name: str, own: Sequence[Turn], ours: Sequence[Turn]) -> str:
    """Return a row of the table."""
    ratio = median(a.seconds / b.seconds for a, b in zip(own, ours, strict=True))
    seconds, megabytes = (
        median(getattr(t, what) for t in own) for what in ("seconds", "megabytes")
    )
    values = ", ".join(f"{key} {value:.5g}" for key, value in own[-1].found.items())
    return f"{name:40}{seconds:8.2f}{ratio:8.2f}x{megabytes:7.0f}  {values}"


# ---- agreement


def cases(width: int, n: int = 1_000) -> Mapping[str, tuple[Samples, Samples]]:
    """Return features on which formulas agree, and some on which rounding decides."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(n, width)), rng.normal(size=(n, width)) * 0.95 + 0.05
    lattice = [rng.integers(0, 3, (n, 6)).astype(float) for _ in range(2)]
    return {
        "Gaussian": (x, y),
        "ReLU": (np.maximum(x, 0), np.maximum(y, 0)),
        "integers, most distances tie": (lattice[0], lattice[1]),
        "float32": (x.astype(np.float32), y.astype(np.float32)),
        "every second fake a copy of a real": (x, np.where(np.arange(n)[:, None] % 2, x, y)),
        "the same, mean 20": (x + 20, np.where(np.arange(n)[:, None] % 2, x, y) + 20),
        "spread 1e-6 around 1": (1 + 1e-6 * x, 1 + 1e-6 * y),
        "spread 1e-8 around 1": (1 + 1e-8 * x, 1 + 1e-8 * y),
    }


def agreement(width: int) -> list[str]:
    """Return how far we and the peer are from the definition, relatively, at the worst of four.

    Where distances tie, anything is right between what all ties outside and all inside give.
    """
    lines = ["\nlargest relative difference from exact distances, n = 1,000"]
    lines += [f"{'':40}{'ours':>12}{'prdc':>12}"]
    for name, (x, y) in cases(width).items():
        pair = x.astype(np.float64), y.astype(np.float64)
        exact = full_matrices(*pair), full_matrices(*pair, np.less_equal)
        shown = [f"{difference(valued(prdc(x, y, K)), *exact):12.1e}"]
        known = find_spec("prdc") is not None
        shown += [f"{difference(peer_prdc(x, y), *exact):12.1e}" if known else f"{'missing':>12}"]
        lines.append(f"{name:40}{''.join(shown)}")
    return lines


def formulas(width: int) -> list[str]:
    """Return how far two peers' formulas are from ours on the same input."""
    rng = np.random.default_rng(2)
    lines = ["\nrelative difference of formulas on the same input"]
    if find_spec("vendi_score"):
        peer, x = importlib.import_module("vendi_score.vendi"), rng.normal(size=(500, width))
        n, mean = len(x), 1 / vendi(x).value  # of k² over pairs; its own n pairs put back:
        plug_in = n**2 / (mean * n * (n - 1) + n)
        lines.append(f"vendi-score, q = 2{abs(float(peer.score_dual(x, 2)) / plug_in - 1):34.1e}")
        same = peer.score_X(x, q=2) == peer.score_X(x, q=1)
        lines.append(f"its score_X gives the same at q = 2 as at q = 1: {same}")
    if find_spec("mauve"):
        module = importlib.import_module("mauve.compute_mauve")
        p, q = rng.dirichlet(np.ones(40)), rng.dirichlet(np.ones(40))
        weights = np.linspace(1e-6, 1 - 1e-6, 25)
        curve = module.get_divergence_curve_for_multinomials(p, q, weights, 5)
        area = -np.trapezoid(*curve[np.argsort(curve[:, 1])].T[::-1])
        lines.append(f"mauve-text, area of the curve{abs(area / score(p, q) - 1):23.1e}")
    return lines if len(lines) > 1 else []


def difference(found: Values, least: Values, most: Values) -> float:
    """Return by how much, relatively, the worst value lies outside of its bounds."""
    return max(
        max(least[name] - value, value - most[name], 0.0) / max(least[name], 1e-300)
        for name, value in found.items()
    )


if __name__ == "__main__":
    main()
