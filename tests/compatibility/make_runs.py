"""Make one tiny run of each kind of data, and record what it draws and how it goes on.

    python tests/compatibility/make_runs.py tests/compatibility/runs-0.1

`runs-0.1` was made so by version 0.1.0. It is never made again: a later version adds a folder of
its own beside it. In `run.json`, where data lie is written relative to the folder.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import wave
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
from palmerpenguins import load_penguins
from records import DATA, MORE, RECORDS, evaluate, place, samples_file, samples_of, state_of
from sklearn.datasets import load_digits

import sparring

ROOT = Path(__file__).parents[2]
SMALL = (
    *("--size", "tiny", "--threads", "1", "--budget", "40-steps"),
    *("--checkpoint.ticks", "2", "--checkpoint.every-ticks", "2", "--checkpoint.keep", "1"),
    *("--checkpoint.samples-every-ticks", "1"),
)


def narrow(generator: int, discriminator: int, latent: int) -> tuple[str, ...]:
    """Return the options of small networks."""
    return (
        *("--generator.width", str(generator), "--generator.latent", str(latent)),
        *("--discriminator.width", str(discriminator)),
    )


SHALLOW = ("--generator.depth", "1", "--discriminator.depth", "1")
RUNS = {  # name -> source and options
    "digits": (
        *("digits", "--labels", "yes", *narrow(8, 8, 8)),
        *("--augment.kinds", "translate", "--augment.probability", "adaptive"),
        *("--augment.horizon", "10k"),
    ),
    "images": (f"{DATA}/images.npz", *narrow(2, 2, 8)),
    "ring": ("ring", *narrow(8, 8, 2)),
    "penguins": (
        *(f"{DATA}/penguins.csv", "--data.held-out", "0.4", "--batch", "32"),
        *narrow(8, 8, 8),
    ),
    "sounds": (f"{DATA}/sounds.zip", *narrow(2, 2, 4), *SHALLOW),
    "words": (f"{DATA}/words.txt", "--data.held-out", "0.4", *narrow(6, 6, 6), *SHALLOW),
}
RATE, SOUND = 2_000, 80  # samples a second, and of a sound
KEPT = ("evaluation.json", "samples/real.txt", "checkpoints/*", "checkpoints/*/*")
KEPT += ("recipe.toml", "run.json", "data.json", "events.jsonl")


def main(folder: Path) -> None:
    """Write data, runs and records into a new folder."""
    (folder / DATA).mkdir(parents=True)
    (folder / RECORDS).mkdir()
    write_data(folder / DATA)
    for name, asked in RUNS.items():
        train = ("train", *asked, *SMALL, "--runs", ".", "--run-name", name)
        subprocess.run([sys.executable, "-m", "sparring", *train], cwd=folder, check=True)
        (path,) = folder.glob(f"0*-{name}")
        evaluate(sparring.load(path), folder / DATA)
        tidy(path)
        record(path, folder / RECORDS)
    shutil.rmtree(folder / "cache")


def write_data(folder: Path) -> None:
    """Write digits twice as large, penguins, points, decaying tones, and words of the licence."""
    digits = np.rint(load_digits().images[:240] * (255 / 16)).astype(np.uint8)
    np.savez_compressed(folder / "images.npz", images=digits.repeat(2, 1).repeat(2, 2))
    penguins = load_penguins()[["species", "body_mass_g", "sex"]][:280]
    penguins.to_csv(folder / "penguins.csv", index=False)
    words = set(re.findall(r"[a-z]+", (ROOT / "LICENSE").read_text().lower()))
    lines = [f"{word}\n" for word in sorted(words) if 3 <= len(word) <= 10]
    (folder / "words.txt").write_text("".join(lines), encoding="utf-8")
    rng = np.random.default_rng(0)
    np.save(folder / "points.npy", rng.normal(size=(200, 2)).astype(np.float32))
    with zipfile.ZipFile(folder / "sounds.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(120):
            pitch, decay = rng.uniform(100, 600), rng.uniform(20, 60)
            at = np.arange(SOUND)
            tone = np.sin(2 * np.pi * pitch * at / RATE) * np.exp(-at / decay)
            archive.writestr(f"{i:03d}.wav", wav(tone))


def wav(tone: np.ndarray) -> bytes:
    """Return a tone within ±1 as a WAV file of 16 bits."""
    file = BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, RATE, 0, "NONE", ""))
        writer.writeframes(np.rint(tone * 30_000).astype("<i2").tobytes())
    return file.getvalue()


def tidy(path: Path) -> None:
    """Drop what can be made again, and write down nothing of the machine's folders."""
    kept = {file for pattern in KEPT for file in path.glob(pattern)}
    for file in path.rglob("*"):
        if file.is_file() and file not in kept:
            file.unlink()
    about = json.loads((path / "run.json").read_text(encoding="utf-8"))
    about["command"] = ["sparring", *about["command"][1:]]
    about["data"]["source"] = re.sub(rf".*/(?={DATA}/)", "", about["data"]["source"])
    (path / "run.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def record(path: Path, records: Path) -> None:
    """Record samples of a run, and what a copy of it comes to after some more steps."""
    with tempfile.TemporaryDirectory() as folder:
        run = place(path.resolve(), Path(folder))
        run.save(samples_of(run), samples_file(records, run))
        run.resume(budget=MORE)
        told = json.dumps(state_of(run), indent=1)
    (records / f"{path.name}.json").write_text(told + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
