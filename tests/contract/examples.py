"""Small real data of each kind that comes with the package, for the contract."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from names import FILES
from palmerpenguins import load_penguins
from PIL import Image
from sklearn.datasets import load_digits

from sparring import kinds
from sparring.kinds import kind_named
from sparring.kinds.sounds.codec import PAUSE_SECONDS, to_wave
from sparring.kinds.tables.codec import encode
from sparring.testing.example import Asked, Example

NARROW = {"generator.width": 8, "discriminator.width": 8, "generator.latent": 8}


def at(change: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """Return what changes some items of an array."""

    def changed(array: Any, index: Any) -> Any:
        copy = array.copy()
        copy[index] = change(array[index])
        return copy

    return changed


# --- images: handwritten digits

DIGITS = load_digits()
FEW = DIGITS.target < 4
PIXELS = np.rint(DIGITS.images[FEW] * (255 / 16)).astype(np.uint8)[:330, :, :, None]
CLASSES = DIGITS.target[FEW][:330]


def pictures(folder: Path) -> Path:
    for i, (pixels, label) in enumerate(zip(PIXELS[:, :, :, 0], CLASSES, strict=True)):
        path = folder / "digits" / str(label) / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder / "digits"


def images_npz(folder: Path) -> Path:
    np.savez(folder / "digits.npz", images=PIXELS, labels=CLASSES)
    return folder / "digits.npz"


def npy(array: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.save(folder / "items.npy", array)
        return folder / "items.npy"

    return write


IMAGES = Example(
    kind_named("image"),
    paths={
        "folder": pictures,
        "npz": images_npz,
        "npy": npy(PIXELS),
        "named": lambda folder: "digits",
    },
    values={"array": PIXELS},
    changed=at(lambda pixels: 255 - pixels),
    options={**NARROW, "data.labels": "none"},
    read={".npz": lambda path: np.load(path)["images"]},
    repeated=np.concatenate([PIXELS, PIXELS[::2], PIXELS[::3]]),
    tolerance=1,
)

# --- points: how long the flippers of penguins are, and how heavy the birds

PENGUINS = load_penguins()
BODIES = PENGUINS[["flipper_length_mm", "body_mass_g"]].dropna().to_numpy()

POINTS = Example(
    kind_named("vector"),
    paths={
        "npy": npy(BODIES),
        "named": lambda folder: "ring",
    },
    values={"array": BODIES},
    changed=at(lambda bodies: 2 * bodies),
    options=NARROW,
    read={
        ".csv": lambda path: np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float32),
        ".npy": np.load,
        ".npz": lambda path: np.load(path)["points"],
    },
    tolerance=1e-4,
    loss=1e-4,
)

# --- tables: penguins, missing cells and all

BIRDS = PENGUINS[["species", "bill_length_mm", "flipper_length_mm", "body_mass_g", "sex"]]


def penguins_csv(folder: Path) -> Path:
    BIRDS.to_csv(folder / "penguins.csv", index=False)
    return folder / "penguins.csv"


def penguins_parquet(folder: Path) -> Path:
    BIRDS.to_parquet(folder / "penguins.parquet", index=False)
    return folder / "penguins.parquet"


def other_birds(birds: Any, index: Any) -> Any:
    """Make some birds larger, and of a species that no other is of."""
    changed = birds.copy()
    rows = changed.index[index]
    numbers = ["bill_length_mm", "flipper_length_mm", "body_mass_g"]
    changed.loc[rows, numbers] = birds.loc[rows, numbers] * 2
    changed.loc[rows, "species"] = "Emperor"
    return changed


TABLES = Example(
    kind_named("table"),
    paths={
        "csv": penguins_csv,
        "parquet": penguins_parquet,
        "named": lambda folder: "penguins",
    },
    values={"frame": BIRDS},
    loss=None,  # a number that few rows share comes back from its cell
    changed=other_birds,
    options={**NARROW, "budget": "80-steps"},  # most of which go by before the game
    generated=lambda items, spec: (
        items[:, : len(spec.learned)] if spec.makes == "cells" else encode(items, spec)
    ),
    judged=114,
    preparation={"generator.warm_start": 1_024},
    requests={
        "where": Asked(
            {"species": "Gentoo"}, holds=lambda rows: bool((rows["species"] == "Gentoo").all())
        ),
        "balance": Asked("sex", holds=lambda rows: rows["sex"].tolist() == ["female", "male"] * 6),
        "complete": Asked(
            BIRDS.head(12).assign(species=None, name=[*"abcdefghijkl"]),
            holds=lambda rows: bool(
                rows["species"].notna().all()
                and rows["name"].tolist() == [*"abcdefghijkl"]
                and rows["bill_length_mm"].dropna().isin(BIRDS["bill_length_mm"]).sum() >= 11
            ),
        ),
    },
    read={
        ".csv": pd.read_csv,
        ".tsv": lambda path: pd.read_csv(path, sep="\t"),
        ".parquet": pd.read_parquet,
        ".xlsx": pd.read_excel,
    },
    tolerance=1e-3,
)

# --- texts: first names of women and men


def first_names(sex: str) -> list[str]:
    lines = Path(FILES[f"first:{sex}"]).read_text(encoding="utf-8").splitlines()
    return [line.split()[0].capitalize() for line in lines[:500]]


SEX_OF = {name: sex for sex in ("female", "male") for name in first_names(sex)}
FIRST_NAMES = sorted(SEX_OF)


def names_txt(folder: Path) -> Path:
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in FIRST_NAMES))
    return folder / "names.txt"


def names_csv(folder: Path) -> str:
    frame = pd.DataFrame({"name": FIRST_NAMES, "sex": map(SEX_OF.get, FIRST_NAMES)})
    frame.to_csv(folder / "names.csv", index=False)
    return f"{folder / 'names.csv'}:name:sex"


def other_names(names: Any, index: Any) -> Any:
    """Write some names with large and small letters exchanged, half of them with one more."""
    strange = {i: names[i].swapcase() + "ß" * (i % 2) for i in index}
    return [strange.get(i, name) for i, name in enumerate(names)]


TEXTS = Example(
    kind_named("text"),
    paths={
        "csv": names_csv,
        "txt": names_txt,
        "named": lambda folder: "first-names",
    },
    values={"list": FIRST_NAMES},
    changed=other_names,
    options=NARROW,
    requests={
        "unique": Asked(True, holds=lambda texts: len({*texts}) == len(texts)),
        "novel": Asked(True, holds=lambda texts: not {*texts} & {*FIRST_NAMES}),
        "like": Asked("A", holds=lambda texts: all(text.startswith("A") for text in texts)),
        "temperature": Asked(0.5),
    },
    read={
        ".txt": lambda path: path.read_text(encoding="utf-8").split("\n")[:-1],
        ".jsonl": lambda path: pd.read_json(path, lines=True)["text"].tolist(),
    },
    judged=300,
    judging={"baseline": False},
    repeated=FIRST_NAMES * 2,
    preparation={"generator.network": "recurrent", "generator.warm_start": 512},
)

# --- sounds: struck strings, each decaying at its own pitch

RATE, LENGTH = 4000, 400


def struck(i: int) -> Any:
    random, time = np.random.default_rng(i), np.arange(LENGTH) / RATE
    pitch, decay = random.uniform(150, 600), random.uniform(10, 40)
    wave = sum(np.sin(2 * np.pi * k * pitch * time) / k**2 for k in (1, 2, 3))
    wave = wave * np.exp(-decay * time) + random.normal(0, 0.01, LENGTH)
    return (0.8 * wave / np.abs(wave).max()).astype(np.float32)


WAVES = np.stack([struck(i) for i in range(300)])


def recordings(folder: Path) -> Path:
    for i, wave in enumerate(WAVES):
        path = folder / "struck" / f"{i:03d}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, wave, RATE, subtype="FLOAT")
    return folder / "struck"


def without_pauses(path: Path) -> Any:
    wave, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    return wave.reshape(-1, LENGTH + round(PAUSE_SECONDS * RATE))[:, :LENGTH]


SOUNDS = Example(
    kind_named("audio"),
    paths={"folder": recordings},
    values={"array": WAVES, "list": [*WAVES]},
    changed=at(lambda waves: waves[:, ::-1] / 3),
    options={**NARROW, "data.rate": RATE},
    requests={"bits": Asked("24")},
    read={".wav": without_pauses, ".npz": lambda path: np.load(path)["sounds"]},
    repeated=np.concatenate([WAVES, WAVES[::2]]),
    tolerance=1e-3,
    loss=None,
    generated=lambda items, spec: (
        kinds.encode(items, spec) if spec.form == "frames" else to_wave(items)
    ),
)


EXAMPLES = [IMAGES, POINTS, TABLES, TEXTS, SOUNDS]
