"""What is looked at while training."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sparring.api import NullReporter
from sparring.data.labels import labels_in_proportion
from sparring.evaluation import assess
from sparring.features.extractor import Extractors, plain
from sparring.kinds import DataOptions
from sparring.kinds.images.reader import open_data as open_images
from sparring.objectives import non_saturating
from sparring.runs.monitor import Monitor


def test_the_first_labels_stand_for_all_of_data_that_are_sorted_by_class(tmp_path: Path) -> None:
    digits = open_images("digits", DataOptions(labels="yes"), cache=tmp_path)
    assert digits.labels is not None
    by_class = replace(digits, labels=np.sort(digits.labels))
    labels = labels_in_proportion(by_class, 300)
    assert labels is not None
    shares = np.bincount(labels.numpy(), minlength=10) / 300
    np.testing.assert_allclose(shares, 0.1, atol=0.05)


def test_more_labels_than_data_repeat_them(tmp_path: Path) -> None:
    digits = open_images("digits", DataOptions(labels="yes"), cache=tmp_path)
    assert digits.labels is not None
    n = len(digits.train)
    labels = labels_in_proportion(digits, 2 * n)
    assert labels is not None
    twice = 2 * np.bincount(digits.labels[digits.train])
    np.testing.assert_array_equal(np.bincount(labels.numpy()), twice)


def test_data_without_labels_give_none(tmp_path: Path) -> None:
    assert labels_in_proportion(open_images("digits", DataOptions(), cache=tmp_path), 5) is None


class Remembers(nn.Module):
    """A generator of digits that knows which latents it was asked for."""

    latent = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.asked: set[tuple[float, ...]] = set()

    def forward(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        self.asked |= {tuple(latent) for latent in latents.tolist()}
        return (latents.sum(1) + self.weight).sin()[:, None, None, None].expand(-1, 1, 8, 8)


def test_an_evaluation_draws_other_latents_than_looks_which_chose_the_checkpoint(
    tmp_path: Path,
) -> None:
    """A checkpoint chosen by some samples flatters itself if it is judged by the same."""
    digits = open_images("digits", DataOptions(), cache=tmp_path)
    generator = Remembers()
    state: Any = SimpleNamespace(ema=generator, samples_seen=64)
    Monitor(digits, non_saturating, tmp_path)._of_generator(state)
    looked, generator.asked = generator.asked, set()
    assert len(looked) >= 1000
    extractor = plain(digits.items.shape[1:])
    assess.draw_samples(
        generator,
        digits,
        Extractors(extractor, extractor, None),
        assess.EvaluationOptions(n=1000),
        NullReporter(),
    )
    assert len(generator.asked) >= 1000
    assert looked & generator.asked == set()
