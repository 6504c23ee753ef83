"""Texts at equal CPU-seconds: ours, two older kinds of text GAN, and a likelihood model.

python -m benchmarks.text names [--seconds 120] [--seeds 3] [--only "ours;likelihood"]
python -m benchmarks.text lines.txt --seconds 1200 --seeds 1

All generators have about as many numbers. "RelGAN's kind" is a recurrent generator that starts from
likelihood, relativistic loss, five discriminator moves, no penalty (Nie 2019); "SeqGAN's kind" the
same generator, taught by the discriminator's verdict on whole texts as a reward (Yu 2017, without
roll-outs). As many texts are drawn as are held out. A cell is the median of the seeds and, in
brackets, the least and the greatest.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
from torch.optim import Adam

from benchmarks.clock import trained
from benchmarks.quality import print_on_one_thread
from sparring.build import build_generator
from sparring.data.dataset import Dataset, no_progress
from sparring.draws import Draw, permutation
from sparring.kinds import decode
from sparring.kinds.texts import likelihood
from sparring.kinds.texts.baselines import to_units
from sparring.kinds.texts.metrics import CountModel, Text, ngram_js
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.kinds.texts.networks.sequence import SequenceDiscriminator
from sparring.kinds.texts.options import TextOptions
from sparring.kinds.texts.reader import open_data
from sparring.recipes.named import preset
from sparring.recipes.recipe import nested, resolve
from sparring.sampling import sample

RELGAN: dict[str, Any] = {
    "generator.network": "recurrent",
    "generator.width": 256,
    "order": "alternating",
    "discriminator_moves": 5,
    "penalties.r1.weight": "0",
    "penalties.r2.weight": "0",
    "optimizer.lr": "1e-4",
    "optimizer.beta1": 0.9,
    "optimizer.beta2": "0.999",
}
RECURRENT: dict[str, Any] = {  # the default recipe but for the generator and its rate
    "generator.network": "recurrent",
    "generator.width": 256,
    "generator.warm_start": 200_000,
    "optimizer.lr": "1e-4 to 0 linear 50%..100%",
}
ORDER = 5  # of the counted models that score
WARM = 0.4  # of the time, for SeqGAN's kind, by likelihood
SEQGAN_BATCH, SEQGAN_RATE = 64, 1e-4
FORGOTTEN = 0.9  # of the reward's mean at each step
SHOWN = 10


class Written(NamedTuple):
    """Texts that a generator wrote, and how many numbers it has."""

    items: Tensor
    parameters: int


Make = Callable[[Dataset, float, int], Written]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train every recipe with every seed and print the table."""
    parser = argparse.ArgumentParser(description="Texts, beside older kinds and likelihood.")
    parser.add_argument("dataset", help="names, idioms, verses or a file")
    parser.add_argument("--seconds", type=float, default=120.0, help="CPU-seconds of each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default=";".join(MAKES), help="rows, with semicolons")
    parser.add_argument("--units", default="auto", help="characters, words or pieces")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the table's lines as they become known."""
    data = open_data(asked.dataset, TextOptions(units=asked.units), cache=Path("build/benchmarks"))
    mixed = (rows[permutation(0, "benchmark", len(rows))] for rows in (data.train, data.held_out))
    train, held = (to_units(data.items[rows], data.spec) for rows in mixed)
    scorer = CountModel(train, ORDER, len(data.spec.symbols))
    yield f"\n{asked.dataset}: {len(train):,} texts to train on, {len(held):,} held out"
    columns = "CPU-seconds", "JS 2-grams", "JS 4-grams", "bits by real", "bits of real"
    yield f"{'':16}" + "".join(f"{name:>22}" for name in (*columns, "unique", "novel", "numbers"))
    n = len(held)
    natural = judged(train[:n], train, held, scorer)
    yield row("real texts", [(0.0, *natural, 0.0)])
    grams = CountModel(train, 3, len(data.spec.symbols)).draw(n, data.spec.length - 1, 0)
    yield row("3-gram sampler", [(0.0, *judged(grams, train, held, scorer), 0.0)])
    for name in asked.only.split(";"):
        results, shown = [], []
        for seed in range(asked.seeds):
            began = time.process_time()
            result = MAKES[name](data, asked.seconds, seed)
            spent = time.process_time() - began
            texts = to_units(result.items, data.spec)
            results.append((spent, *judged(texts, train, held, scorer), float(result.parameters)))
            shown = [t if isinstance(t, str) else " ".join(t) for t in texts[:SHOWN]]
        yield row(name, results)
        yield f"{'':16}{' · '.join(shown)}"


def judged(
    texts: Sequence[Text], train: Sequence[Text], held: Sequence[Text], scorer: CountModel
) -> tuple[float, ...]:
    """Return divergences, bits both ways, shares of unique and of novel texts."""
    train_texts = set(train)
    divergences = [ngram_js(held, texts, order).value for order in (2, 4)]
    there = scorer.bits(texts).value
    back = CountModel(texts, ORDER, scorer.units).bits(held).value
    unique = len(set(texts)) / len(texts)
    novel = float(np.mean([t not in train_texts for t in texts]))
    return (*divergences, there, back, unique, novel)


def row(name: str, results: Sequence[tuple[float, ...]]) -> str:
    """Return one line."""
    forms = (".3g", ".3f", ".3f", ".3f", ".3f", ".1%", ".1%", ",.0f")
    cells = []
    for values, form in zip(zip(*results, strict=True), forms, strict=True):
        middle, low, high = (f"{x:{form}}" for x in (median(values), min(values), max(values)))
        cells.append(middle if low == high else f"{middle} [{low}, {high}]")
    return f"{name:16}" + "".join(f"{cell:>22}" for cell in cells)


def by_recipe(options: dict[str, Any]) -> Make:
    """Train the default recipe with these options."""

    def make(data: Dataset, seconds: float, seed: int) -> Written:
        found = trained(data, nested(options), seconds, seed)
        n = len(data.held_out)
        drawn = torch.cat([decode(x, data.spec) for x in sample(found.state.ema, n, seed=1)])
        return Written(drawn, sum(p.numel() for p in found.state.generator.parameters()))

    return make


def by_likelihood(data: Dataset, seconds: float, seed: int) -> Written:
    """Train a likelihood model of as many numbers as our generator has."""
    recipe = resolve(preset("default", "small", data.spec), {"generator": {"depth": 4}})
    numbers = sum(p.numel() for p in build_generator(recipe, data.spec).parameters())
    model = likelihood.of_size(data.spec, numbers, seed)
    likelihood.fit(model, data, seconds, no_progress, time.process_time)
    drawn = torch.cat([*likelihood.draw(model, len(data.held_out), 1)])
    return Written(drawn, sum(p.numel() for p in model.parameters()))


def by_rewards(data: Dataset, seconds: float, seed: int) -> Written:
    """Train SeqGAN's kind: likelihood first, then the score function with the verdict as reward."""
    torch.manual_seed(seed)
    model = RecurrentGenerator(data.spec, 1, 256)
    critic = SequenceDiscriminator(data.spec, 64, 4)
    began = time.process_time()
    likelihood.fit(model, data, WARM * seconds, no_progress, time.process_time)
    model.train()
    teachers = Adam(model.parameters(), SEQGAN_RATE), Adam(critic.parameters(), SEQGAN_RATE)
    mean, step = 0.5, 0
    while time.process_time() - began < seconds:
        mean = _round(model, critic, teachers, data, mean, Draw(seed, step * SEQGAN_BATCH))
        step += 1
    drawn = torch.cat([*likelihood.draw(model.eval(), len(data.held_out), 1)])
    return Written(drawn, sum(p.numel() for p in model.parameters()))


def _round(
    model: RecurrentGenerator,
    critic: SequenceDiscriminator,
    teachers: tuple[Adam, Adam],
    data: Dataset,
    mean: float,
    draw: Draw,
) -> float:
    """Let the generator climb its reward over the mean once, the critic follow once."""
    latent = draw.normal("seqgan/latent", (SEQGAN_BATCH, model.latent))
    latent[:, : model.latent_size] = 0
    with torch.no_grad():
        fake = model(latent)
        ends = fake.argmax(1)
        past = (ends == 0).cumsum(1) - (ends == 0).long() > 0
        ends = ends.masked_fill(past, 0)
        one_hots = one_hot(ends, model.symbols).transpose(1, 2).float()
        reward = critic(one_hots).sigmoid()
    of_generator, of_critic = teachers
    of_generator.zero_grad()
    (-(reward - mean) * model.log_likelihood(ends)).mean().backward()
    of_generator.step()
    index = draw.integers("seqgan/real", SEQGAN_BATCH, len(data.train)).numpy()
    items = torch.from_numpy(data.items[data.train[index]]).long()
    real = one_hot(items, model.symbols).transpose(1, 2).float()
    logits = torch.cat([critic(real), critic(one_hots)])
    targets = torch.cat([torch.ones(len(real)), torch.zeros(len(one_hots))])
    of_critic.zero_grad()
    binary_cross_entropy_with_logits(logits, targets).backward()
    of_critic.step()
    return FORGOTTEN * mean + (1 - FORGOTTEN) * float(reward.mean())


MAKES: dict[str, Make] = {
    "ours": by_recipe({}),
    "ours, recurrent": by_recipe(RECURRENT),
    "RelGAN's kind": by_recipe(RELGAN),
    "SeqGAN's kind": by_rewards,
    "likelihood": by_likelihood,
}


if __name__ == "__main__":
    main()
