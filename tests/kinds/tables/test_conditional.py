"""Rows on conditions: all satisfy them, the rest follows, and the impossible ends quickly."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from sparring.errors import SparringError
from sparring.kinds.tables.codec import frame_of
from sparring.kinds.tables.output import PROPOSED, sample_where
from sparring.kinds.tables.spec import TableSpec
from sparring.kinds.tables.types import infer

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "kind": np.repeat(["a", "b"], [900, 100]),
        "x": np.concatenate([RNG.normal(0, 1, 900), RNG.normal(5, 1, 100)]),
        "y": RNG.normal(size=1000),
    }
)
SPEC = TableSpec(infer(FRAME))


class Perfect(nn.Module):
    """Draws rows of the frame, of those that have the revealed kind; y is revealed as it is."""

    latent = 1

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        from coding import encode

        self.rows = torch.from_numpy(encode(FRAME, SPEC.columns))

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        u = torch.special.ndtr(latent[:, 0].double())
        low, count = torch.zeros(len(u)), torch.full((len(u),), 1000.0)
        out = self.rows[(u * 1000).long().clamp(max=999)].clone()
        if label is None:
            return out
        values, mask = label[:, : SPEC.size], label[:, SPEC.size :]
        low = torch.where((mask[:, 0] > 0) & (values[:, 1] > 0), 900.0, low)
        count = torch.where(mask[:, 0] > 0, torch.where(values[:, 1] > 0, 100.0, 900.0), count)
        out = self.rows[(low + (u * count).floor().clamp(max=999)).long()].clone()
        return torch.where(mask[:, SPEC.owners] > 0, values, out)


def drawn(*texts: str, n: int = 500, seed: int = 0) -> Any:
    return frame_of(sample_where(Perfect(), SPEC, texts, n, seed=seed).numpy(), SPEC)


def test_a_rare_category_is_revealed_and_the_rest_follows() -> None:
    frame = drawn("kind=b")
    assert (frame["kind"] == "b").all()
    assert frame["x"].mean() == pytest.approx(FRAME["x"].tail(100).mean(), abs=0.2)


def test_one_range_is_revealed_by_its_own_law() -> None:
    frame = drawn("y>1", n=1000)
    assert (frame["y"] > 1).all()
    assert frame["y"].mean() == pytest.approx(FRAME["y"][FRAME["y"] > 1].mean(), abs=0.05)


def test_a_range_beside_a_category_is_left_to_the_generator() -> None:
    frame = drawn("kind=b", "x<5")
    assert (frame["kind"] == "b").all()
    assert (frame["x"] < 5).all()
    of_b = FRAME[(FRAME["kind"] == "b") & (FRAME["x"] < 5)]["x"]
    assert frame["x"].mean() == pytest.approx(of_b.mean(), abs=0.15)


def test_hardly_any_hit_makes_ranges_revealed_too() -> None:
    frame = drawn("kind=a", "x>6", n=50)  # no row of kind a
    assert (frame["kind"] == "a").all()
    assert (frame["x"] > 6).all()


def test_rows_depend_on_their_number_alone() -> None:
    few, many = drawn("x>0", "y>0", n=10), drawn("x>0", "y>0", n=PROPOSED)
    pd.testing.assert_frame_equal(few, many.head(10))
    assert not drawn("x>0", "y>0", n=10, seed=1).equals(few)


def test_an_impossible_condition_ends_at_once() -> None:
    with pytest.raises(SparringError, match="no row of the data satisfies x>99"):
        drawn("x>99")
    with pytest.raises(SparringError, match="no category of column 'kind' satisfies"):
        drawn("kind=a", "kind=b")
