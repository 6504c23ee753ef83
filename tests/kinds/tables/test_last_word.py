"""The discriminator's last word: its area, and the columns that it goes by."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from coding import items_of
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from sparring.kinds.tables.codec import UNKNOWN, encode
from sparring.kinds.tables.last_word import given_away_by, known, permutation_drops, told_apart
from sparring.kinds.tables.spec import TableSpec
from sparring.kinds.tables.types import infer


def drawn(rows: int, seed: int, shift: float = 0.0) -> Any:
    rng = np.random.default_rng(seed)
    x, kind = rng.normal(size=rows), rng.choice(["a", "b"], rows)
    y, z = rng.normal(size=(2, rows))
    return pd.DataFrame({"kind": kind, "x": x + shift, "y": y, "z": x + z / 10})


SPEC = TableSpec(infer(drawn(1000, 0)))
(AT_X, AT_Z) = (next(b.start for b in SPEC.blocks if b.column == name) for name in "xz")
REAL, SAME, SHIFTED = (
    torch.from_numpy(items_of(drawn(800, seed, shift), SPEC.columns))
    for seed, shift in ((1, 0.0), (2, 0.0), (3, 0.7))
)


class Judge(nn.Module):
    """Finds rows the more real, the less x lies above z."""

    def forward(self, rows: Tensor, label: Tensor | None = None) -> Tensor:
        return rows[:, AT_Z] - rows[:, AT_X]


def test_its_area_is_that_of_its_logits() -> None:
    judge = Judge()
    x, y = (judge(encode(side, SPEC)).numpy() for side in (REAL, SHIFTED))
    due = roc_auc_score(np.repeat([1, 0], 800), np.concatenate([x, y]))
    told = told_apart(judge, SPEC, REAL, SHIFTED)
    assert abs(told.value - due) < 1e-12
    assert 0.5 < told.low < told.value < told.high
    same = told_apart(judge, SPEC, REAL, SAME)
    assert same.low < 0.5 < same.high
    assert told.p_value is same.p_value is None


def test_only_columns_without_which_it_tells_less_are_named() -> None:
    assert set(given_away_by(Judge(), SPEC, REAL, SHIFTED)) == {"x", "z"}
    assert given_away_by(Judge(), SPEC, REAL, SAME) == []
    drops = {drop.column: drop for drop in permutation_drops(Judge(), SPEC, REAL, SHIFTED)}
    assert drops["y"].value == drops["kind"].value == 0
    without = drops["x"]  # it then sees z alone, whose law is the same on both sides
    told = told_apart(Judge(), SPEC, REAL, SHIFTED).value
    assert abs(told - without.value - 0.5) < 3 * without.error + 0.03


def test_rows_with_categories_that_training_never_saw_are_left_out() -> None:
    strange = REAL.clone()
    strange[:5, SPEC.places["kind"]] = UNKNOWN
    strange[5:9, SPEC.places["x"]] = -1.0
    assert len(known(strange, SPEC)) == 795
