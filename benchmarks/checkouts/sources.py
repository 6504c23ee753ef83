"""Small seeded data of every kind, written once and read by both checkouts."""

import csv
import json
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 32
RATE = 8_000
SYLLABLES = ("an", "be", "cor", "da", "el", "fi", "go", "ha", "in", "ka", "lo", "mi", "ne", "or")
Random = np.random.Generator


def write_sources(folder: Path) -> None:
    """Write all data below a folder; the same bytes each time."""
    for number, write in enumerate(WRITERS):
        write(folder, np.random.default_rng(number))


def _images(folder: Path, random: Random) -> None:
    """Three classes of coloured patches, and the same as arrays and as an archive."""
    pictures = [_patch(random, i % 3, SIDE, SIDE, 3) for i in range(120)]
    for i, pixels in enumerate(pictures):
        _save(pixels, folder / "images" / ("red", "green", "blue")[i % 3] / f"{i:03d}.png")
    stack, labels = np.stack(pictures), np.arange(len(pictures)) % 3
    np.save(folder / "images.npy", stack)
    np.savez(folder / "images.npz", images=stack, labels=labels)
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for path in sorted((folder / "images").rglob("*.png")):
            archive.write(path, path.relative_to(folder))


def _patch(random: Random, kind: int, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    pixels = random.integers(0, 60, (height, width, channels), dtype=np.uint8)
    top, left = random.integers(0, height // 2), random.integers(0, width // 2)
    at = slice(top, top + height // 2), slice(left, left + width // 2), kind % channels
    pixels[at] = random.integers(150, 255)
    return pixels


def _odd_images(folder: Path, random: Random) -> None:
    """Other shapes, modes and formats, a table of labels, and files that must be skipped."""
    odd = folder / "odd-images"
    for i in range(30):
        _save(_patch(random, 0, 20, 30, (1, 3, 4)[i % 3]), odd / f"{i:02d}.png")
    for i in range(6):
        _save(_patch(random, i, 40, 24, 3), odd / f"jpeg-{i}.jpg")
    (odd / "broken.png").write_bytes(b"no picture")
    (odd / "empty.png").write_bytes(b"")
    (odd / "notes.txt").write_text("not an image\n")
    rows = [f"{path.name},{'ab'[i % 2]}" for i, path in enumerate(sorted(odd.glob("*.png")))]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)


def _points(folder: Path, random: Random) -> None:
    """Points of the plane, of space, and beyond what is drawn; some that cannot be used."""
    plane = random.normal(size=(400, 2)) + 3 * random.integers(-1, 2, (400, 2))
    np.save(folder / "plane.npy", plane.astype(np.float32))
    np.save(folder / "space.npy", random.normal(size=(300, 3)) * [1, 10, 0.1] + [0, 5, -2])
    np.save(folder / "many.npy", random.normal(size=(200, 80)))
    np.save(folder / "broken-points.npy", np.where(plane > 3, np.nan, plane))
    np.save(folder / "few-points.npy", plane[:3])
    np.savez(folder / "points.npz", points=plane)


def _table(folder: Path, random: Random) -> None:
    """Columns of every type, with missing cells; and tables that cannot be used."""
    n = 300
    weights = np.where(random.random(n) < 0.1, "", np.round(random.gamma(2, 3, n), 2).astype(str))
    days = np.datetime64("2021-03-01") + random.integers(0, 900, n)
    columns = {
        "id": [f"row-{i:05d}" for i in range(1, n + 1)],
        "day": days.astype(str),
        "moment": [f"{d} {i % 24:02d}:{i % 60:02d}:00" for i, d in enumerate(days)],
        "weight": weights,
        "count": random.poisson(20, n),
        "price": np.round(random.lognormal(3, 1, n), 2),
        "signal": random.normal(size=n),
        "grade": random.choice(["low", "middle", "high", ""], n, p=[0.5, 0.3, 0.15, 0.05]),
        "city": [f"city {i}" for i in random.zipf(1.5, n) % 150],
        "member": random.choice(["yes", "no"], n),
        "level": random.integers(1, 5, n),
        "country": ["here"] * n,
        "grade again": [""] * n,
        "remark": [" ".join(random.choice(SYLLABLES, 8)) for _ in range(n)],
        "nothing": [""] * n,
    }
    columns["grade again"] = columns["grade"]
    _write_csv(folder / "table.csv", list(columns), list(zip(*columns.values(), strict=True)))
    _write_csv(folder / "few-rows.csv", ["a", "b"], [(1, 2), (3, 4)])
    _write_csv(folder / "constant.csv", ["a", "b"], [(1, "x")] * 100)
    (folder / "semicolons.csv").write_text("a;b\n" + "".join(f"{i},5;{i % 7}\n" for i in range(99)))
    (folder / "latin.csv").write_bytes("größe,b\n".encode("latin-1") + b"1,2\n" * 50)


def _write_csv(path: Path, header: list[str], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _sounds(folder: Path, random: Random) -> None:
    """Two classes of decaying tones; a few of other lengths, rates and channels, and silence."""
    for i in range(130):
        name = ("high", "low")[i % 2]
        _write_wave(folder / "sounds" / name / f"{i:02d}.wav", _tone(random, (900, 200)[i % 2]))
    odd = folder / "odd-sounds"
    for i in range(24):
        _write_wave(odd / f"{i:02d}.wav", _tone(random, 300, 0.1 + 0.02 * i), RATE * (1 + i % 2))
    stereo = np.stack([_tone(random, 400), _tone(random, 500)], axis=1)
    _write_wave(odd / "stereo.wav", stereo)
    _write_wave(odd / "silent.wav", np.zeros(RATE // 4))
    _write_wave(odd / "clipped.wav", np.clip(3 * _tone(random, 300), -1, 1))
    (odd / "broken.wav").write_bytes(b"RIFF no sound")
    np.save(folder / "waves.npy", np.stack([_tone(random, 440) for _ in range(40)]))


def _tone(random: Random, hertz: float, seconds: float = 0.25) -> NDArray[np.float64]:
    t = np.arange(round(RATE * seconds)) / RATE
    pitch = hertz * random.uniform(0.8, 1.25)
    return random.uniform(0.3, 0.9) * np.exp(-t * random.uniform(5, 20)) * np.sin(6.283 * pitch * t)


def _write_wave(path: Path, samples: NDArray[np.float64], rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def _texts(folder: Path, random: Random) -> None:
    """Invented names, plain, labelled in three formats, and sentences."""
    names = [_word(random, 2 + i % 3) for i in range(500)]
    endings = ["long" if len(name) > 7 else "short" for name in names]
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    _write_csv(folder / "names.csv", ["name", "sort"], list(zip(names, endings, strict=True)))
    objects = [{"name": n, "sort": s} for n, s in zip(names, endings, strict=True)]
    (folder / "names.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in objects))
    for sort in ("long", "short"):
        lines = [n for n, s in zip(names, endings, strict=True) if s == sort]
        (folder / "sorts").mkdir(exist_ok=True)
        (folder / "sorts" / f"{sort}.txt").write_text("".join(f"{line}\n" for line in lines))
    words = [_word(random, 2) for _ in range(40)]
    sentences = [" ".join(random.choice(words, random.integers(8, 20))) for _ in range(200)]
    (folder / "sentences.txt").write_text("".join(f"{line}\n" for line in sentences))
    odd = [*names[:60], "", "Ünï-cödé", "x" * 300, names[0], "\x00nul"]
    (folder / "odd.txt").write_bytes("\n".join(odd).encode() + b"\n\xff\xfe not UTF-8\n")


def _word(random: Random, syllables: int) -> str:
    return "".join(random.choice(SYLLABLES, syllables))


WRITERS: tuple[Callable[[Path, Random], None], ...] = (
    _images,
    _odd_images,
    _points,
    _table,
    _sounds,
    _texts,
)
