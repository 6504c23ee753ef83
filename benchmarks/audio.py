"""Sounds at equal CPU-seconds: our networks, and a textbook WaveGAN of equal size.

python -m benchmarks.audio spoken-digits [--seconds 200] [--seeds 3] [--only istft,frames]
python -m benchmarks.audio recordings/

Each generator is asked for as many sounds of each class. They are judged by the Fréchet distance
of 64 components of mel pictures from all real sounds, and by a classifier that was trained on real
ones; a recogniser of speech that knows none of them (pocketsphinx, if installed) hears digits. A
cell is the median of the seeds and, in brackets, the least and the greatest.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.clock import Trained, trained
from benchmarks.quality import print_on_one_thread
from sparring.data.dataset import Dataset
from sparring.draws import permutation
from sparring.features.classifier import train_or_load_classifier
from sparring.kinds import decode
from sparring.kinds.sounds.features.mel import (
    log_mel_components,
    mel_pictures,
    picture_framing,
    pictured,
)
from sparring.kinds.sounds.options import SoundOptions
from sparring.kinds.sounds.reader import open_data
from sparring.kinds.sounds.speech import WORDS
from sparring.metrics.gaussians import frechet
from sparring.recipes.recipe import nested
from sparring.sampling import sample

WAVEGAN: dict[str, Any] = {  # Donahue 2019, appendix D, but for the widths and the batch
    "objective": "wasserstein",
    "order": "alternating",
    "discriminator_moves": 5,
    "penalties.r1.weight": "0",
    "penalties.r2.weight": "0",
    "penalties.gradient.weight": "10",
    "optimizer.lr": "1e-4",
    "optimizer.beta1": 0.5,
    "optimizer.beta2": "0.9",
    "generator.network": "wave",
    "generator.width": 7,
    "generator.latent": 100,
    "discriminator.network": "wave",
    "discriminator.width": 8,
}
RECIPES: dict[str, dict[str, Any]] = {
    "istft": {},
    "frames": {"generator.network": "frames"},
    "wave": {
        "generator.network": "wave",
        "generator.width": 7,
        "discriminator.network": "wave",
        "discriminator.width": 8,
    },
    "WaveGAN": WAVEGAN,
}
SOUNDS = 1_000
HEARD = 300  # by the recogniser, which takes a tenth of a second for each
SILENCE = 0.2  # seconds before and after
Hear = Callable[[NDArray[np.float32], NDArray[np.int64]], float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train every recipe with every seed and print the table."""
    parser = argparse.ArgumentParser(description="Sounds, beside a textbook WaveGAN.")
    parser.add_argument("dataset", help="spoken-digits, drums or a folder")
    parser.add_argument("--seconds", type=float, default=200.0, help="CPU-seconds of each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default=",".join(RECIPES), help="recipes, with commas")
    parser.add_argument("--option", action="append", default=[], help="KEY=VALUE for all")
    parser.add_argument("--keep", type=Path, help="a folder for the sounds that were judged")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the table's lines as they become known."""
    cache = Path("build/benchmarks")
    labels = "yes" if asked.dataset == "spoken-digits" else "auto"
    data = open_data(asked.dataset, SoundOptions(labels=labels), cache=cache)
    extractor = log_mel_components(data)
    class_right = classifier(data, cache)
    real = np.asarray(data.items[permutation(0, "benchmark", len(data.items))])
    reals = extractor.run(real).astype(np.float64)
    options = dict(text.split("=", 1) for text in asked.option)
    yield f"\n{asked.dataset}: {len(data.train):,} sounds to train on; features {extractor.digest}"
    columns = "CPU-seconds", "Fréchet distance", "class right", "recognised", "parameters, M"
    yield f"{'':16}" + "".join(f"{name:>22}" for name in (*columns, "× real time"))
    held = data.held_out[permutation(0, "benchmark/held", len(data.held_out))]
    labels_held = np.asarray([0]) if data.labels is None else data.labels[held]
    waves = data.items[held].astype(np.float32) / 32767
    fresh = frechet(reals, extractor.run(data.items[held]).astype(np.float64)).value
    right, recognised = class_right(waves, labels_held), hear(data)(waves, labels_held)
    yield row("held-out real", [(0.0, fresh, right, recognised, 0.0, 0.0)])
    for name in asked.only.split(","):
        results = []
        for seed in range(asked.seeds):
            began = time.process_time()
            run = trained(data, nested({**RECIPES[name], **options}), asked.seconds, seed)
            spent = time.process_time() - began
            waves, classes, pace = drawn(run)
            if asked.keep:
                asked.keep.mkdir(parents=True, exist_ok=True)
                np.save(asked.keep / f"{name}-{seed}.npy", waves)
            distance = frechet(reals, extractor.run(waves).astype(np.float64)).value
            right, recognised = class_right(waves, classes), hear(data)(waves, classes)
            results.append((spent, distance, right, recognised, parameters(run), pace))
        yield row(name, results)


def row(name: str, results: Sequence[tuple[float, ...]]) -> str:
    """Return one recipe's line."""
    cells = []
    for values, form in zip(
        zip(*results, strict=True), (".3g", ".3g", ".1%", ".1%", ".2f", ".0f"), strict=True
    ):
        middle, low, high = (f"{x:{form}}" for x in (median(values), min(values), max(values)))
        cells.append(middle if low == high else f"{middle} [{low}, {high}]")
    return f"{name:16}" + "".join(f"{cell:>22}" for cell in cells)


def drawn(run: Trained) -> tuple[NDArray[np.float32], NDArray[np.int64], float]:
    """Return waves, the classes they were asked for, and seconds of sound per CPU-second."""
    spec = run.data.spec
    classes = torch.arange(SOUNDS) % max(len(spec.classes), 1)
    began = time.process_time()
    parts = sample(run.state.ema, SOUNDS, labels=classes if spec.classes else None)
    waves = torch.cat([decode(part, spec) for part in parts]).numpy()
    spent = time.process_time() - began
    return waves, classes.numpy(), SOUNDS * spec.framing.seconds / spent


def parameters(run: Trained) -> float:
    """Return the millions of numbers that both networks learn."""
    networks = run.state.generator, run.state.discriminator
    return sum(p.numel() for network in networks for p in network.parameters()) / 1e6


def classifier(data: Dataset, cache: Path) -> Hear:
    """Return the share of waves whose class a classifier of real sounds tells rightly."""
    if data.labels is None:
        return lambda waves, labels: float("nan")
    classifier_of_pictures = train_or_load_classifier(pictured(data), cache)
    framing = picture_framing(data.spec.framing)

    def right(waves: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
        pictures = mel_pictures(waves, framing)
        predicted = classifier_of_pictures.probabilities(pictures).argmax(1)
        return float((predicted == labels).mean())

    return right


def hear(data: Dataset) -> Hear:
    """Return the share of digits that pocketsphinx hears rightly; NaN for other data."""
    if set(data.spec.classes) != set(WORDS) or find_spec("pocketsphinx") is None:
        return lambda waves, labels: float("nan")
    from pocketsphinx import Decoder

    with TemporaryDirectory() as folder:
        grammar = Path(folder, "digits.gram")
        words = " | ".join(WORDS)
        grammar.write_text(f"#JSGF V1.0;\ngrammar digits;\npublic <digit> = {words};\n")
        rate = data.spec.framing.rate
        decoder = Decoder(jsgf=str(grammar), samprate=rate, loglevel="FATAL")
    silence = np.zeros(round(SILENCE * rate), np.float32)

    def word(wave: NDArray[np.float32]) -> str:
        whole = np.concatenate([silence, wave, silence])
        decoder.start_utt()
        decoder.process_raw((whole * 29_000).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr if found else ""

    def share(waves: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
        some = list(zip(waves, labels, strict=True))[:HEARD]
        return float(np.mean([word(wave) == data.spec.classes[label] for wave, label in some]))

    return share


if __name__ == "__main__":
    main()
