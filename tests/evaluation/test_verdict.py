"""The verdict of a card: its tests corrected together, the gravest first, what could be seen."""

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest

from sparring.errors import SparringError
from sparring.evaluation.assess import reference_of
from sparring.evaluation.verdict import could_see, judged, verdict, verdict_words
from sparring.kinds import DataOptions, open_data
from sparring.metrics.estimate import Estimate, Null
from sparring.metrics.line import CardLine


def line(p: float | None, key: str = "kid", null: Null | None = None) -> CardLine:
    estimate = Estimate(0.7, 0.6, 0.8, 100, "a test", p_value=p, under_null=null)
    return CardLine(key, key, estimate, None, "lower")


def copies(p: float) -> CardLine:
    return replace(line(p, "copying"), accuses="copies", found="copies its training data")


def test_tests_are_corrected_together_and_estimates_accuse_nobody() -> None:
    said = [one.verdict for one in judged([line(0.04), line(None), line(0.2), line(0.01)])]
    assert said == ["no difference seen", "not tested", "no difference seen", "differs"]
    assert judged([line(0.04)])[0].verdict == "differs"


def test_perfect_generators_are_accused_by_any_of_ten_lines_in_five_per_cent_of_cards() -> None:
    p_values = np.random.default_rng(0).uniform(size=(2000, 10))
    cards = [verdict(judged([line(float(p)) for p in row])) for row in p_values]
    assert 0.04 < np.mean([said == "differs" for said in cards]) < 0.06


def test_the_gravest_verdict_is_that_of_the_card() -> None:
    both = judged([line(0.001), copies(0.001)])
    assert verdict(both) == "copies"
    assert verdict_words(both).startswith("copies its training data (copying); can be told")
    assert verdict(judged([line(0.001), copies(0.5)])) == "differs"
    assert verdict(judged([line(0.5), line(None)])) == "no difference seen"
    assert verdict(judged([line(None)])) == "not tested"
    assert "allow no test" in verdict_words([line(None)])


def test_what_could_be_seen_shows_in_eighty_per_cent_of_cases() -> None:
    null = Null(0.5, 0.05, 1.0)
    told = judged([line(0.5, null=null), line(0.5), line(None)])
    seen = told[0].could_see
    assert seen is not None
    assert told[1].could_see is told[2].could_see is None
    drawn = np.random.default_rng(0).normal(seen, null.deviation, 20_000)
    beyond = 0.5 + 1.96 * null.deviation  # one-sided at half of 5 %: there are two tests
    assert np.mean(drawn > beyond) == pytest.approx(0.8, abs=0.01)
    assert told[0].words == "no difference seen; 0.64 would have shown"


def test_what_no_value_of_the_metric_would_have_shown_is_said() -> None:
    small = line(0.5, null=Null(0.5, 0.3, 1.0))
    assert could_see(small, 0.05) == inf
    (told,) = judged([small])
    assert told.words.endswith("with so few, none would have shown")
    assert told.as_json()["could_see"] is None
    higher = replace(small, direction="higher", estimate=line(0.5, null=Null(1, 0.1, 0)).estimate)
    assert could_see(higher, 0.05) == pytest.approx(1 - 0.2487, abs=1e-3)


def test_few_held_out_items_leave_half_of_the_training_data_to_judge(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 1), np.uint8)
    data = open_data(pixels, DataOptions(), cache=tmp_path)
    judging = reference_of(data)
    halves = judging.index(), judging.data.train
    assert len(data.held_out) < 100 < len(halves[0])
    assert set(halves[0]).isdisjoint(halves[1])
    assert set(halves[0]) | set(halves[1]) == set(data.train)
    assert "half of the training data" in judging.notes[0]
    enough = replace(data, held_out=np.arange(100), train=np.arange(100, 300))
    assert reference_of(enough).data is enough
    with pytest.raises(SparringError, match="at least 20"):
        reference_of(replace(data, train=data.train[:19]))
