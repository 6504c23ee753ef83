"""The card on features with known laws: a perfect generator, a shifted one, a copying one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import hypergeom

from sparring.evaluation import assess
from sparring.evaluation import card as evaluation
from sparring.evaluation.assess import Samples
from sparring.evaluation.card import (
    Evaluation,
    Told,
    measure,
    measure_classes,
    measure_copying,
    measure_repeats,
    missing_classes,
)
from sparring.evaluation.compare import compare_samples
from sparring.evaluation.verdict import judged, verdict
from sparring.features.components import coordinates
from sparring.features.extractor import Extractors
from sparring.features.reference import ReferenceSet
from sparring.kinds import DataOptions
from sparring.kinds.images.reader import open_data as open_images
from sparring.metrics import frechet
from sparring.metrics.estimate import Estimate, Null
from sparring.metrics.line import ESTIMATE_ONLY, CardLine, Untested

Features = NDArray[np.float64]


def gaussian(seed: int, shift: float = 0.0, n: int = 600, width: int = 6) -> Features:
    return np.random.default_rng(seed).normal(shift, 1, (n, width))


def hush(what: str) -> None:
    """Hear nothing."""


def loudly(why: str) -> None:
    pytest.fail(why)


def card(fake: Features) -> dict[str, CardLine]:
    train = gaussian(1, n=900)
    lines = measure(gaussian(0), fake, train, train=train, is_fid=False, begin=hush, note=loudly)
    return {line.key: line for line in judged(list(lines))}


def test_a_perfect_generator_cannot_be_told_from_real_data_on_any_line() -> None:
    found = card(gaussian(2))
    assert list(found) == [
        "kid",
        "frechet",
        "precision",
        "recall",
        "density",
        "coverage",
        "clipped_density",
        "clipped_coverage",
        "likelihood",
        "vendi",
        "c2st",
    ]
    tested = {key: line for key, line in found.items() if line.verdict != "not tested"}
    assert list(tested) == ["kid", "c2st"]
    assert {line.verdict for line in tested.values()} == {"no difference seen"}
    for line in tested.values():
        assert line.could_see is not None
        assert line.estimate.value < line.could_see
        assert f"{line.could_see:.3g} would have shown" in line.words


def test_a_shifted_generator_is_told_on_the_lines_that_it_concerns() -> None:
    found = card(gaussian(2, 1.0))
    assert found["kid"].words == found["c2st"].words == "can be told from real data"
    assert found["precision"].words == found["coverage"].words == ""
    assert found["precision"].as_json()["reason"] == ESTIMATE_ONLY
    assert found["frechet"].estimate.low < 6 < found["frechet"].estimate.high


def test_without_more_real_data_halves_stand_for_two_samples_of_it() -> None:
    real = gaussian(0)
    halves = measure(real, gaussian(2), None, is_fid=False, begin=hush, note=loudly)
    found = {line.key: line.real_vs_real for line in halves}
    for key in ("kid", "frechet"):
        assert found[key] is not None
        assert found[key].low < 0 < found[key].high
        assert found[key].n == 300


def test_what_is_called_fid_is_only_the_fid() -> None:
    names = {
        line.name
        for line in measure(
            gaussian(0), gaussian(2), gaussian(1), is_fid=True, begin=hush, note=loudly
        )
    }
    assert {"KID", "FID, bias removed"} <= names
    assert not any("FID" in line.name or "KID" in line.name for line in card(gaussian(2)).values())


def test_few_samples_for_their_width_have_no_frechet_distance() -> None:
    wide = [gaussian(seed, n=60, width=40) for seed in range(3)]
    left_out: list[str] = []
    found = measure(*wide, is_fid=False, begin=hush, note=left_out.append)
    keys = [line.key for line in found]
    assert "frechet" not in keys
    assert "kid" in keys
    assert len(left_out) == 1
    assert "use kid" in left_out[0]


def copying(fake: Features, train: Features) -> dict[str, CardLine]:
    lines = judged(list(measure_copying(gaussian(0), fake, train)))
    return {line.key: line for line in lines}


def test_copies_are_called_copies_and_honest_samples_are_not() -> None:
    train = gaussian(1, n=600)
    honest = copying(gaussian(2), train)
    assert verdict([*honest.values()]) == "no difference seen"
    found = copying(train[:300] + 0.01 * gaussian(3, n=300), train)
    assert found["memorization"].verdict == "differs"
    assert found["copying"].words == "copies its training data"
    assert verdict([*found.values()]) == found["copying"].verdict == "copies"
    assert found["duplicates"].verdict == "not tested"
    assert found["duplicates"].estimate.low > found["duplicates"].real_vs_real.high


def test_copies_that_repeat_nothing_are_said_to_be_inexact() -> None:
    real, train, noise = (gaussian(seed, n=200, width=24) for seed in range(3))
    lines = judged(list(measure_copying(real, train + 0.7 * noise, train)))
    found = next(line for line in lines if line.key == "copying")
    assert found.estimate.value <= 0
    assert found.verdict == "copies"
    assert found.words == "copies its training data, if not exactly"


def test_copies_are_found_where_nothing_is_held_out_and_natural_repeats_are_none() -> None:
    train = np.random.default_rng(0).integers(4, size=(90, 3)).astype(float)
    fresh = np.random.default_rng(1).integers(4, size=(200, 3)).astype(float)
    natural = measure_repeats(fresh, train)
    assert natural.estimate.value > 0.5
    assert natural.estimate.p_value is not None
    assert natural.estimate.p_value > 0.05
    some = gaussian(1, n=90)
    half = np.concatenate([gaussian(2, n=50), some[:50]])
    (copied,) = judged([measure_repeats(half, some)])
    assert copied.verdict == "copies"
    assert copied.estimate.value == 0.5


def test_classes_are_counted_and_compared_with_what_was_asked_for() -> None:
    random = np.random.default_rng(0)
    asked = random.integers(4, size=800)
    told = np.where(asked == 3, 0, asked)
    found = {
        line.key: line for line in measure_classes(asked, told, random.integers(4, size=400), 4)
    }
    assert found["classes"].estimate.value == 3
    assert found["class_agreement"].estimate.value == pytest.approx((asked != 3).mean())
    assert found["class_divergence"].estimate.low > 0.05
    few = measure_classes(asked[:10], told[:10], asked[:10], 4)
    assert [line.key for line in few] == ["class_agreement"]


def as_asked_for(right: int, on_reals: int) -> CardLine:
    """Return the line of 800 samples of 4 classes, and of 400 reals told by the same classifier."""
    asked = np.arange(800) % 4
    predicted = np.where(np.arange(800) < right, asked, (asked + 1) % 4)
    told = Told(asked[:400], np.where(np.arange(400) < on_reals, asked[:400], asked[1:401]))
    line, *_ = judged([*measure_classes(asked, predicted, asked, 4, told)])
    return line


def test_classes_as_asked_for_stand_beside_what_the_classifier_tells_of_real_data() -> None:
    good, bad = as_asked_for(740, 380), as_asked_for(700, 380)
    assert good.verdict == "no difference seen"
    assert good.real_vs_real
    assert good.real_vs_real.value == 0.95
    assert (bad.verdict, bad.words) == ("differs", "is of other classes than asked for")
    blind = as_asked_for(210, 110)
    assert blind.verdict == "not tested"
    assert "cannot tell the classes of real data" in blind.reason


def test_a_class_that_is_hard_to_tell_may_be_asked_for_more_often_than_it_is_real() -> None:
    def line(right: tuple[int, int]) -> CardLine:
        """Return that of 400 samples of each class; of reals 320 and 80, 304 and 48 told."""
        real, asked = np.repeat([0, 1], (320, 80)), np.repeat([0, 1], 400)
        good = np.r_[np.arange(320) < 304, np.arange(80) < 48]
        told = Told(real, np.where(good, real, 1 - real))
        good = np.r_[np.arange(400) < right[0], np.arange(400) < right[1]]
        return next(
            iter(judged([*measure_classes(asked, np.where(good, asked, 1 - asked), real, 2, told)]))
        )

    assert line((380, 240)).verdict == "no difference seen"  # as reals, class by class
    assert line((340, 240)).verdict == "differs"
    tables = [[[380, 20], [304, 16]], [[240, 160], [48, 32]]]
    exact = stratified(tables)
    assert line((380, 240)).estimate.p_value == pytest.approx(exact)


def stratified(tables: list[list[list[int]]]) -> float:
    """Return P(first cells sum to no more) by going through every pair of tables."""
    laws = [hypergeom(sum(a + b), a[0] + b[0], sum(a)) for a, b in tables]
    total = sum(a[0] for a, _ in tables)
    return float(sum(laws[0].pmf(i) * laws[1].cdf(total - i) for i in range(sum(tables[0][0]) + 1)))


@pytest.mark.parametrize("other", ["labelled", "of other classes", "unlabelled"])
def test_classes_are_judged_by_the_labels_of_other_data_only_if_they_are_the_run_s(
    other: str, tmp_path: Path
) -> None:
    data = open_images("digits", DataOptions(labels="yes"), cache=tmp_path)
    assert data.labels is not None
    below_5 = data.labels % 5
    spec = data.spec if other == "labelled" else replace(data.spec, classes=("0", "1"))
    labels = None if other == "unlabelled" else below_5
    reference = ReferenceSet(replace(data, spec=spec, labels=labels), "all")
    features = np.zeros((500, 2))
    samples = Samples(
        features.astype(np.float32), features, data.items[:500], data.labels[:500], below_5[:500]
    )
    truth = {item.tobytes(): label for item, label in zip(data.items, data.labels, strict=True)}

    def seen(labels: NDArray[np.int64]) -> tuple[str, list[str]]:
        """Return the line and the notes where the classifier sees these labels."""

        def tells(items: Any) -> Features:
            return np.eye(10)[[labels[truth[item.tobytes()]] for item in items]]

        told: list[str] = []
        extractors = Extractors(none, none, tells)
        train = ReferenceSet(data, "train")
        line, *_ = assess._class_lines(samples, extractors, train, reference, told.append)
        assert line.key == "class_agreement"
        assert line.real_vs_real
        return line.reason, told

    none = coordinates(features + np.arange(2))
    right = np.arange(10) % 5 if other == "labelled" else np.arange(10)
    missing = [] if other == "labelled" else ["hardly ever made: 5, 6, 7, 8, 9"]
    assert seen(right)[1] == missing
    reason, (note,) = seen((right + 1) % 5)  # as of labels that were shuffled
    assert "cannot tell the classes of real data" in reason
    assert "are the labels right?" in note


def test_an_evaluation_gives_estimates_by_key_a_table_and_json() -> None:
    estimate = Estimate(1.0, 0.5, 1.5, 100, "test", p_value=0.001, under_null=Null(0, 0.1))
    real = Estimate(0, -0.1, 0.1, 100, "t")
    lines = judged([CardLine("kid", "kernel distance", estimate, real, "lower")])
    untested = (Untested("memorization", "prefers training data", "nothing is held out"),)
    numbers = {"images": 1000, "width": 64, "real": 100, "fake": 200}
    texts = dict.fromkeys(("run", "checkpoint", "data", "part", "fingerprint", "digest"), "x")
    found = Evaluation(**texts, **numbers, extractor="classifier", lines=lines, notes=("a note",))
    found = replace(found, untested=untested)
    assert found["kid"] is estimate
    assert found.verdict == "differs"
    table = "\n".join(found.table())
    for text in ("1 [0.5, 1.5]", "0 [-0.1, 0.1]", "a note", "classifier x"):
        assert text in table
    said = "can be told from real data (kernel distance); not tested: prefers training data"
    assert f"verdict: {said}" in table
    assert "prefers training data     not tested: nothing is held out" in table
    plain = json.loads(json.dumps(found.as_json()))
    assert plain["verdict"] == plain["lines"][0]["verdict"] == "differs"
    assert plain["words"] == said
    assert plain["lines"][0]["could_see"] == pytest.approx(0.2487, abs=1e-3)
    assert plain["lines"][1]["reason"] == "nothing is held out"
    assert plain["lines"][0]["estimate"]["low"] == 0.5


def test_the_frechet_distance_reads_all_samples_and_other_metrics_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = gaussian(2, 0.3, n=1300)
    every = frechet(gaussian(0), fake)
    monkeypatch.setattr(evaluation, "MAX_SAMPLES", 400)
    monkeypatch.setattr(evaluation, "BATCH", 250)
    found = card(fake)
    assert found["frechet"].estimate.value == pytest.approx(every.value, rel=1e-9)
    assert found["kid"].estimate.n == 400


def test_classes_that_get_less_than_a_tenth_of_their_share_are_missing() -> None:
    real = np.repeat([0, 1, 2], [50, 30, 20])
    told = np.repeat([0, 1], [970, 30])
    assert missing_classes(told, real, 3) == [2]
    assert missing_classes(np.repeat([0, 1, 2], [970, 29, 1]), real, 3) == [1, 2]
    assert missing_classes(real, real, 4) == []


def test_data_that_come_sorted_are_not_far_from_data_of_their_law(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assess, "MAX_SAMPLES", 100)
    real, train = (np.sort(gaussian(3, n=n, width=1), 0).astype(np.float32) for n in (100, 400))
    assert not assess._is_far(assess.ReferenceFeatures(real, train, real, train))
    assert assess._is_far(assess.ReferenceFeatures(real + 1, train, real + 1, train))


def test_runs_that_few_groups_judge_are_compared_without_a_test(tmp_path: Path) -> None:
    sides = {"a": gaussian(1), "b": gaussian(2, 1)}
    found = compare_samples(gaussian(0), sides)
    data = open_images(np.zeros((40, 4, 4, 1), np.uint8), DataOptions(), cache=tmp_path)
    alone = ReferenceSet(replace(data, groups=None), "all")
    few = replace(alone, data=replace(data, groups=np.arange(40) // 4), whole=True)
    [tested], [untested] = (list(assess._by_items(found, of)) for of in (alone, few))
    assert tested.verdict == "differs"
    assert untested.words == "not tested: too few groups of items judge"
    assert untested.difference.value == tested.difference.value


def test_copies_of_training_items_that_are_not_looked_at_are_told_of() -> None:
    assert assess._looked_at(500, 500) == ""
    words = assess._looked_at(10_000, 54_000)
    assert "10,000 of 54,000" in words
    assert "about 5.4 times as many copies" in words
