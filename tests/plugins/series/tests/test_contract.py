"""The contract that every kind of data keeps, on how warm the Pacific was, month after month."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.datasets import elnino

from sparring.data.options import CommonOptions
from sparring.testing.contract import *  # noqa: F403
from sparring.testing.example import Asked, Example
from sparring_series import SERIES
from sparring_series.windows import held_out_steps

MONTHS = elnino.load_pandas().data.set_index("YEAR").stack()
PACIFIC = pd.DataFrame({"warmth": [*MONTHS], "change": [*MONTHS.diff()]}).iloc[1:]
WINDOW = 8
TIMES = pd.period_range("1950-02", periods=len(PACIFIC), freq="M")


def csv(folder: Path) -> Path:
    PACIFIC.to_csv(folder / "pacific.csv", index=False)
    return folder / "pacific.csv"


def npy(folder: Path) -> Path:
    np.save(folder / "pacific.npy", PACIFIC.to_numpy())
    return folder / "pacific.npy"


def warmer_later(series: Any, _: Any) -> Any:
    """Change the steps that are held out: parts of the series, whatever they hold."""
    warmth = series.copy()
    warmth[held_out_steps(len(series), WINDOW, CommonOptions().held_out) == 1] *= 2
    return warmth


def read_csv(path: Path) -> Any:
    frame = pd.read_csv(path)
    values = frame[["warmth", "change"]].to_numpy(np.float32)
    return values.reshape(frame["series"].nunique(), -1, 2)


def start_near_23(windows: Any) -> bool:
    return bool((abs(windows[:, 0, 0] - 23) < 0.3).all())


EXAMPLES = [
    Example(
        SERIES,
        paths={"csv": csv, "named": lambda folder: "us-macro", "npy": npy},
        values={
            "array": PACIFIC.to_numpy(),
            "several": np.stack([PACIFIC[:300], PACIFIC[300:600]]),
            "frame": PACIFIC,
            "frame of months": PACIFIC.set_index(TIMES),
        },
        changed=warmer_later,
        options={
            "data.kind": "series",
            "data.window": WINDOW,
            "generator.width": 8,
            "discriminator.width": 8,
            "generator.latent": 8,
        },
        requests={"start": Asked(("warmth=23",), start_near_23)},
        read={".csv": read_csv, ".npy": np.load},
        tolerance=1e-4,
        loss=1e-5,
    )
]
