"""Runs that were kept, and what was recorded of them: found, placed in a folder, told in numbers.

Inside: what `make_runs.py`, which made them, and the tests, which use them, must do alike.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

import sparring

HERE = Path(__file__).parent
RECORDS = "records"  # of each run: samples, and what it came to after a resume
DATA = "data"
SEED = 0
MORE = "+8-steps"  # that the resumed run has gone on for
SAMPLES = {"vector": ".npy", "image": ".npz", "audio": ".npz", "table": ".csv", "text": ".txt"}
COUNTS = {"table": 40, "text": 40}  # of samples recorded; of others a few
FEW = 4
EVALUATED = 200  # samples


def place(kept: Path, folder: Path) -> sparring.Run:
    """Copy a run into a folder, and have it find its data where they are kept."""
    path = Path(shutil.copytree(kept, folder / kept.name))
    (path / "samples").mkdir(exist_ok=True)  # not kept where it would be empty
    about = json.loads((path / "run.json").read_text(encoding="utf-8"))
    source = about["data"]["source"]
    if source.startswith(f"{DATA}/"):
        about["data"]["source"] = str(kept.parent / source)
    (path / "run.json").write_text(json.dumps(about), encoding="utf-8")
    return sparring.load(path)


def kind_of(run: sparring.Run) -> str:
    """Return the kind of a run's data."""
    return str(json.loads((run.path / "data.json").read_text(encoding="utf-8"))["kind"])


def samples_of(run: sparring.Run) -> Any:
    """Draw the samples that are recorded."""
    return run.sample(COUNTS.get(kind_of(run), FEW), seed=SEED)


def evaluate(run: sparring.Run, data: Path) -> Any:
    """Evaluate a run in a few seconds: of some, not by the best judge, or by other data."""
    match run.path.name.split("-")[1]:
        case "digits":
            return run.evaluate(n=EVALUATED, extractor="pixel-pca")
        case "ring":
            return run.evaluate(data / "points.npy", n=EVALUATED)
    return run.evaluate(n=EVALUATED)


def samples_file(records: Path, run: sparring.Run) -> Path:
    """Return where a run's samples are recorded."""
    return records / f"{run.path.name}{SAMPLES[kind_of(run)]}"


def read_samples(path: Path) -> Any:
    """Return recorded samples: an array, a data frame or a list of texts."""
    match path.suffix:
        case ".npz":
            with np.load(path, allow_pickle=False) as archive:
                return archive[next(name for name in archive.files if name != "labels")]
        case ".npy":
            return np.load(path, allow_pickle=False)
        case ".csv":
            return pd.read_csv(path)
    return path.read_text(encoding="utf-8").splitlines()


def state_of(run: sparring.Run) -> dict[str, Any]:
    """Tell a run's last checkpoint: its counters, and the networks' tensors as mean and size."""
    folder = run.path / "checkpoints"
    last = folder / (folder / "latest").read_text(encoding="utf-8").strip()
    tensors = {
        f"{file.stem}/{name}": [
            _rounded(values.mean()),
            _rounded(np.sqrt(np.square(values).mean())),
        ]
        for file in sorted(last.glob("*.safetensors"))
        for name, values in sorted(_in_double(file).items())
        if "_optimizer." not in name
    }
    counters = json.loads((last / "state.json").read_text(encoding="utf-8"))
    return {"counters": counters, "tensors": tensors}


def _in_double(file: Path) -> dict[str, Any]:
    return {name: values.astype(np.float64) for name, values in load_file(file).items()}


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")
