"""Rankings and near-duplicates against hand-made discriminators, generators and samples."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sparring.api import Silent
from sparring.data.dataset import Dataset
from sparring.kinds import DataOptions, open_data
from sparring.metrics.classifier import auc_estimate
from sparring.metrics.duplicates import near_duplicate_share
from sparring.runs.symptoms import MAX_SCORED, discriminator_aucs


def numbers(count: int) -> Dataset:
    """Return vectors of one coordinate: 0, 1, 2, …, half of them held out."""
    items = np.arange(count, dtype=np.float32)[:, None]
    return open_data(items, DataOptions(held_out=0.5), cache=None, progress=Silent().reading)  # type: ignore[arg-type]


class Remembers(nn.Module):
    """A discriminator of logit 1 on what it remembers and 0 on the rest."""

    def __init__(self, known: Tensor) -> None:
        super().__init__()
        self.known = nn.Parameter(known)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        return (x == self.known.T).any(1).float()


class Spread(nn.Module):
    """A generator that multiplies its latent; in training mode it counts its calls."""

    latent = 1

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((1,), 7.0))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        assert label is None or len(label) == len(z)
        self.calls += self.training
        return self.scale * z


class Pair:
    """As much of a state as a ranking looks at."""

    def __init__(self, discriminator: nn.Module) -> None:
        self.discriminator, self.generator = discriminator, Spread()


def encoded(data: Dataset, index: Any) -> Tensor:
    from sparring.kinds import encode

    return encode(torch.from_numpy(data.items[index]), data.spec)


def test_a_discriminator_that_remembers_every_training_item_has_an_area_of_one() -> None:
    data = numbers(200)
    found = discriminator_aucs(Pair(Remembers(encoded(data, data.train))), data, None)  # type: ignore[arg-type]
    assert found["memory"].value == 1
    assert found["memory"].low > 0.95
    assert found["separation"].value == 0.5  # of held-out items over fakes: it knows neither


def test_one_that_knows_all_reals_separates_without_memory() -> None:
    data = numbers(200)
    everything = encoded(data, np.arange(200))
    found = discriminator_aucs(Pair(Remembers(everything)), data, None)  # type: ignore[arg-type]
    assert found["separation"].value == 1
    assert found["memory"].value == 0.5


def test_a_ranking_leaves_the_players_as_they_are() -> None:
    data, labels = numbers(100), torch.zeros(MAX_SCORED, dtype=torch.int64)
    pair = Pair(Remembers(encoded(data, data.train)))
    discriminator_aucs(pair, data, labels)  # type: ignore[arg-type]
    assert float(pair.generator.calls) == 0
    assert pair.generator.training


def test_without_enough_held_out_items_training_ones_are_compared_with_fakes() -> None:
    data = open_data(
        np.arange(40, dtype=np.float32)[:, None],
        DataOptions(held_out=0),
        cache=None,  # type: ignore[arg-type]
        progress=Silent().reading,
    )
    found = discriminator_aucs(Pair(Remembers(encoded(data, data.train))), data, None)  # type: ignore[arg-type]
    assert list(found) == ["separation"]
    assert found["separation"].value == 1
    few = numbers(20)
    assert discriminator_aucs(Pair(Remembers(encoded(few, few.train))), few, None) == {}  # type: ignore[arg-type]


def test_an_area_is_a_share_of_pairs() -> None:
    assert auc_estimate([1.0, 3.0], [0.0, 2.0]).value == 0.75
    assert auc_estimate([1.0, 1.0], [1.0, 1.0]).value == 0.5
    perfect = auc_estimate(np.ones(50), np.zeros(50))
    assert (perfect.value, perfect.high) == (1.0, 1.0)
    assert 0.97 < perfect.low < 1


def test_one_of_fifty_reals_has_a_twin_by_definition_and_all_of_a_collapsed_generator() -> None:
    x = np.random.default_rng(0).normal(size=(500, 3))
    assert near_duplicate_share(x, x) == pytest.approx(0.02, abs=0.002)
    assert near_duplicate_share(x, np.zeros((500, 3))) == 1
    assert near_duplicate_share(x, 3 * x) < 0.02
    half = np.where(np.arange(500)[:, None] < 250, 0.0, 3 * x)
    assert near_duplicate_share(x, half) == pytest.approx(0.5, abs=0.01)
    assert near_duplicate_share(x[:19], x) is None


def test_repeated_reals_make_repeated_fakes_no_twins() -> None:
    """A healthy generator of a table of few categories was told to have collapsed."""
    x = np.random.default_rng(0).normal(size=(500, 3))
    repeated = np.concatenate([x[:400], x[:100]])  # two fifths have an equal one
    assert near_duplicate_share(repeated, repeated) == pytest.approx(0.02)
    assert near_duplicate_share(repeated, x) == 0
    assert near_duplicate_share(repeated, np.zeros((500, 3))) == 1
    assert near_duplicate_share(x.repeat(2, axis=0)[:500], x) is None  # nothing can be told
