"""Time and value of the distances against other libraries' own code, in turns, on one thread.

python -m benchmarks.metrics_distances [--peers SITE-PACKAGES] [--width 2048] [--samples 10000]

Peers are pytorch-fid, torch-fidelity and clean-fid. Their functions are taken out of their source
files, wherever these are found (installed, or unpacked anywhere: --peers), because the packages
themselves want torchvision. Without a peer the same formula is timed instead, and the row says
so. CPU time; a ratio compares turns of the same round, so that a busy machine disturbs little.
"""

import argparse
import ast
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import scipy.linalg
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sparring.metrics.estimate import Estimate
from sparring.metrics.gaussians import frechet, frechet_distance, frechet_plug_in
from sparring.metrics.kernels import kid
from sparring.metrics.moments import moments

Array = NDArray[np.floating]
Source = dict[str, Callable]

SUBSETS, SUBSET = 100, 1000  # what others take of a set
KID_OPTIONS = {
    "kid_subsets": SUBSETS,
    "kid_subset_size": SUBSET,
    "kid_kernel": "poly",
    "kid_kernel_poly_degree": 3,
    "kid_kernel_poly_gamma": None,
    "kid_kernel_poly_coef0": 1,
    "rng_seed": 2020,
    "verbose": False,
}


@dataclass(frozen=True)
class Contender:
    """One row: whose code it is, and a run that returns what it found."""

    name: str
    run: Callable[[], float | Estimate]


@dataclass(frozen=True)
class Contest:
    """Ours (the first contender) and what it is compared with."""

    title: str
    contenders: tuple[Contender, ...]
    memory: bool = False  # is the peak of what is allocated of interest?


@dataclass(frozen=True)
class Turns:
    """What one contender's turns came to."""

    seconds: list[float]
    found: float | Estimate
    megabytes: float | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description="Time and value of distances against peers.")
    parser.add_argument("--width", type=int, default=2048, help="features")
    parser.add_argument("--samples", type=int, default=10_000, help="on each side")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    parser.add_argument("--peers", type=Path, help="a site-packages that holds peers")
    options = parser.parse_args(arguments)
    real, fake = features(options.samples, options.width)
    with threadpool_limits(1):
        for contest in (
            from_moments(real, fake, options.peers),
            from_features(real, fake, options.peers),
            few_samples(real, options.peers),
            kernel_distance(real, fake, options.peers),
        ):
            turns = measure(contest, options.rounds)
            print(*table(contest, turns), sep="\n", flush=True)


def features(samples: int, width: int) -> tuple[Array, Array]:
    """Return float32 features as of a ReLU layer, with a falling spectrum; the fakes differ."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(width, width)) / np.sqrt(width)
    other = mixing + 0.1 * rng.normal(size=(width, width)) / np.sqrt(width)
    spread = 4 / np.sqrt(np.arange(1, width + 1))
    real, fake = (
        np.maximum(rng.normal(size=(samples, width)) * spread @ how + offset, 0)
        for how, offset in ((mixing, 0.1), (other, 0.12))
    )
    return real.astype(np.float32), fake.astype(np.float32)


# ---- contests


def from_moments(real: Array, fake: Array, peers: Path | None) -> Contest:
    """Set our trace term against the square root and the eigenvalues of a product."""
    ours = moments(real), moments(fake)
    given = tuple((one.mean, one.covariance) for one in ours)
    title = f"Fréchet distance of given moments, d = {real.shape[1]}; goal 7x and 2x"
    rows = [Contender("ours", lambda: frechet_distance(*ours))]
    rows += [Contender(name, lambda of=of: of(*given)) for name, of in distances(peers).items()]
    return Contest(title, tuple(rows))


def from_features(real: Array, fake: Array, peers: Path | None) -> Contest:
    """Set the way from features to a distance against the same with numpy's moments."""
    n, width = real.shape

    def theirs(of: Callable[..., float]) -> float:
        return of(*((s.mean(0), np.cov(s, rowvar=False)) for s in (real, fake)))

    rows = [
        Contender("ours, plug-in", lambda: frechet_plug_in(real, fake)),
        Contender("ours, without bias, with interval", lambda: frechet(real, fake)),
    ]
    first = next(iter(distances(peers).items()))
    rows.append(Contender(first[0], lambda: theirs(first[1])))
    return Contest(f"Fréchet distance of features, n = {n}, d = {width}", tuple(rows), memory=True)


def few_samples(real: Array, peers: Path | None) -> Contest:
    """Set all against a truth of 0 where there are fewer samples than features."""
    width = min(real.shape[1], 1024)
    few = real[: width // 2, :width].astype(np.float64)
    given = few.mean(0), np.cov(few, rowvar=False)
    rows = [Contender("ours", lambda: frechet_plug_in(few, few))]
    rows += [
        Contender(name, lambda of=of: of(given, given)) for name, of in distances(peers).items()
    ]
    title = f"Fréchet distance of a set from itself, n = {len(few)}, d = {width}: 0"
    return Contest(title, tuple(rows), memory=True)


def kernel_distance(real: Array, fake: Array, peers: Path | None) -> Contest:
    """Set all pairs with an interval against means over random subsets."""
    n, width = real.shape
    rows = [Contender("ours, all pairs, with interval", lambda: kid(real, fake))]
    rows += subset_kids(real, fake, peers)
    title = f"KID, n = {n}, d = {width}; others: {SUBSETS} subsets of {min(SUBSET, n)}; goal 1x"
    return Contest(title, tuple(rows), memory=True)


# ---- peers, or their formulas


def distances(peers: Path | None) -> dict[str, Callable[..., float]]:
    """Return by name how others compute the distance of ((μ₁, S₁), (μ₂, S₂))."""
    found: dict[str, Callable[..., float]] = {}
    numerics = {"np": np, "linalg": scipy.linalg}
    fid = taken("pytorch_fid/fid_score.py", ["calculate_frechet_distance"], numerics, peers)
    clean = taken("cleanfid/fid.py", ["frechet_distance"], numerics, peers)
    fidelity = taken(
        "torch_fidelity/metric_fid.py",
        ["fid_statistics_to_metric"],
        {"np": np, "KEY_METRIC_FID": "fid", "vprint": lambda verbose, message: None},
        peers,
    )
    if fid:
        square_root = fid["calculate_frechet_distance"]
        found["pytorch-fid"] = lambda a, b: square_root(*a, *b)
    else:
        found["sqrtm (pytorch-fid's formula)"] = by_square_root
    if clean:
        again = clean["frechet_distance"]
        found["clean-fid"] = lambda a, b: again(*a, *b)
    if fidelity:
        eigenvalues = fidelity["fid_statistics_to_metric"]
        found["torch-fidelity"] = lambda a, b: eigenvalues(
            *({"mu": mu, "sigma": sigma} for mu, sigma in (a, b)), False
        )["fid"]
    else:
        found["eigvals (torch-fidelity's formula)"] = by_eigenvalues
    return found


def by_square_root(a: tuple[Array, Array], b: tuple[Array, Array]) -> float:
    """Return the distance by way of (S₁S₂)^½."""
    step = a[0] - b[0]
    return float(step @ step + np.trace(a[1] + b[1] - 2 * scipy.linalg.sqrtm(a[1] @ b[1]).real))


def by_eigenvalues(a: tuple[Array, Array], b: tuple[Array, Array]) -> float:
    """Return the distance by way of the eigenvalues of S₁S₂, which is not symmetric."""
    step = a[0] - b[0]
    roots = np.sqrt(np.linalg.eigvals(a[1] @ b[1]).astype(complex)).real
    return float(step @ step + np.trace(a[1] + b[1]) - 2 * roots.sum())


def subset_kids(real: Array, fake: Array, peers: Path | None) -> list[Contender]:
    """Return how others estimate KID: the mean over random subsets."""
    options = KID_OPTIONS | {"kid_subset_size": min(SUBSET, len(real), len(fake))}
    names = ["mmd2", "kernel_poly", "kernel_rbf", "kernel_mmd", "kid_features_to_metric"]
    around = {
        "np": np,
        "torch": torch,
        "tqdm": lambda steps, **ignored: steps,
        "get_kwarg": lambda name, given: given[name],
        "vassert": lambda truth, message: None,
        "vprint": lambda verbose, message: None,
        "KEY_METRIC_KID_MEAN": "mean",
        "KEY_METRIC_KID_STD": "std",
    }
    fidelity = taken("torch_fidelity/metric_kid.py", names, around, peers)
    clean = taken("cleanfid/fid.py", ["kernel_distance"], {"np": np}, peers)
    rows = []
    if fidelity:
        tensors = torch.from_numpy(real), torch.from_numpy(fake)

        def by_fidelity() -> float:
            return fidelity["kid_features_to_metric"](*tensors, **options)["mean"]

        rows.append(Contender("torch-fidelity", by_fidelity))
        rows.append(
            Contender(
                "torch-fidelity's formula on all pairs",
                lambda: float(fidelity["kernel_mmd"](real, fake, **options)),
            )
        )
    if clean:
        rows.append(Contender("clean-fid", lambda: clean["kernel_distance"](fake, real)))
    if not rows:
        rows.append(Contender("subsets (torch-fidelity's formula)", lambda: subsets(real, fake)))
    return rows


def subsets(real: Array, fake: Array) -> float:
    """Return the mean of KID over random subsets, their kernel matrices in full."""
    size, rng = min(SUBSET, len(real), len(fake)), np.random.default_rng(0)
    found = []
    for _ in range(SUBSETS):
        x, y = (s[rng.choice(len(s), size, replace=False)] for s in (real, fake))
        xx, yy, xy = ((a @ b.T / a.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
        own = xx.sum() + yy.sum() - np.trace(xx) - np.trace(yy)
        found.append(own / (size * (size - 1)) - 2 * xy.mean())
    return float(np.mean(found))


def taken(
    path: str, names: Sequence[str], around: Mapping[str, object], peers: Path | None
) -> Source | None:
    """Return functions out of a peer's source file, or None if the file is not to be found."""
    package = path.split("/")[0]
    spec = find_spec(package)
    roots = [peers] if peers else []
    roots += [Path(spec.origin).parents[1]] if spec and spec.origin else []
    files = [root / path for root in roots if (root / path).is_file()]
    if not files:
        return None
    tree = ast.parse(files[0].read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if getattr(node, "name", None) in names]
    namespace = dict(around)
    exec(compile(tree, str(files[0]), "exec"), namespace)
    return {name: namespace[name] for name in names}  # type: ignore[misc]


# ---- turns


def measure(contest: Contest, rounds: int) -> list[Turns]:
    """Let all contenders take turns, in another order each round."""
    contenders = contest.contenders
    seconds: list[list[float]] = [[] for _ in contenders]
    found: list[float | Estimate] = [0.0 for _ in contenders]
    for turn in range(rounds):
        order = [(turn + i) % len(contenders) for i in range(len(contenders))]
        for which in order:
            began = time.process_time()
            found[which] = contenders[which].run()
            seconds[which].append(time.process_time() - began)
    peaks = [allocated(one.run) if contest.memory else None for one in contenders]
    return [Turns(*each) for each in zip(seconds, found, peaks, strict=True)]


def allocated(run: Callable[[], object]) -> float:
    """Return the most that a run holds at a time beyond its arguments, in MB."""
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def table(contest: Contest, turns: Sequence[Turns]) -> list[str]:
    """Return the rows: median time, the ratio to ours in the same rounds, memory, the value."""
    lines = [f"\n{contest.title}", f"{'':38}{'CPU-s':>8}{'ratio':>8}{'MB':>7}  value"]
    for one, own in zip(contest.contenders, turns, strict=True):
        ratios = [a / b for a, b in zip(own.seconds, turns[0].seconds, strict=True)]
        megabytes = "" if own.megabytes is None else f"{own.megabytes:.0f}"
        lines.append(
            f"{one.name:38}{median(own.seconds):8.2f}{median(ratios):7.2f}x{megabytes:>7}"
            f"  {shown(own.found)}"
        )
    return lines


def shown(found: float | Estimate) -> str:
    """Return a value in full, or an estimate with its interval."""
    return f"{found:.12g}" if isinstance(found, float) else str(found)


if __name__ == "__main__":
    main()
