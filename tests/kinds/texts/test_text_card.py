"""The card of texts: everybody by the same measures, and who is ahead in words."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sparring.kinds.texts.card import (
    GENERATOR,
    LIKELIHOOD,
    NGramScorers,
    SamplesAtTemperature,
    TextSets,
    measure_texts,
)
from sparring.kinds.texts.figures import draw_curve


def texts(n: int, seed: int, alphabet: str = "abcde", start: str = "") -> list[str]:
    rng = np.random.default_rng(seed)
    made = ("".join(rng.choice(list(alphabet), rng.integers(3, 9))) for _ in range(n))
    return [start + text for text in made]


def authors(fake: list[str], rival: list[str] | None = None) -> TextSets:
    train, held = texts(2000, 0), texts(300, 1)
    rivals: Any = {} if rival is None else {LIKELIHOOD: rival}
    curves = {GENERATOR: (SamplesAtTemperature(0.5, fake[:200]), SamplesAtTemperature(1.0, fake))}
    return TextSets(train, held, fake, rivals, curves, 6)


def card(written: TextSets) -> tuple[dict[str, Any], list[str]]:
    told: list[str] = []
    lines = measure_texts(written, NGramScorers(written), lambda name: None, told.append)
    return {line.key: line for line in lines}, told


def test_texts_like_the_data_cannot_be_told_apart() -> None:
    lines, told = card(authors(texts(300, 2)))
    for key in ("js1", "js2", "js3", "js4", "lm_bits", "reverse_bits"):
        assert lines[key].estimate.low <= lines[key].real_vs_real.high, key
    assert abs(lines["edits"].estimate.value - 0.5) < 0.1
    assert told == []


def test_the_better_of_two_is_named_for_what_it_is_better_at() -> None:
    lines, told = card(authors(texts(300, 2, "aabcde"), texts(300, 3)))
    assert lines["js1"].estimate.value > lines["js1_likelihood"].estimate.value
    assert told[0].startswith("ahead of the other (differences tested")
    behind = told[0].split(": ", 1)[1]
    assert "likelihood model: 1-grams" in behind
    assert "samples:" not in behind
    _, told = card(authors(texts(300, 2), texts(300, 3, "aabcde")))
    assert "samples: 1-grams" in told[0]


def test_the_likelihood_model_is_held_against_counted_grams_text_by_text() -> None:
    """Uniform over five letters and lengths of 3 to 8, it is the truth here, and nearer to it."""
    written = authors(texts(300, 2), texts(300, 3))
    true = np.array([-len(text) * np.log(5) - np.log(6) for text in written.held_out])
    line = card(replace(written, log_likelihoods=true))[0]["relative_kl_likelihood"]
    assert line.estimate.high < 0
    assert line.estimate.p_value is None
    assert line.reason == "it judges the likelihood model, not the samples"
    counted = NGramScorers(written).of_train.log_likelihoods(written.held_out)
    assert line.estimate.value == pytest.approx((counted - true).mean())


def test_copies_are_neither_novel_nor_far_from_training_texts() -> None:
    lines, _ = card(authors(texts(2000, 0)[:300]))
    assert lines["novel"].estimate.value == 0
    assert lines["edits"].estimate.low > 0.8
    assert lines["edits"].verdict == "not tested"


def test_one_text_again_and_again_is_hardly_unique() -> None:
    lines, _ = card(authors(["abc"] * 300))
    assert lines["unique"].estimate.high < 0.03
    assert lines["reverse_bits"].estimate.low > lines["reverse_bits"].real_vs_real.high


def test_quality_is_drawn_against_diversity() -> None:
    written = authors(texts(300, 2))
    with Image.open(BytesIO(draw_curve(written, NGramScorers(written)))) as picture:
        assert picture.width > picture.height > 400
