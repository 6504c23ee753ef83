"""The card on features with known laws: a perfect generator, a shifted one, a copying one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sparring.evaluation import assess
from sparring.evaluation import card as evaluation
from sparring.evaluation.assess import Samples
from sparring.evaluation.card import (
    Evaluation,
    measure,
    measure_classes,
    measure_copying,
    missing_classes,
)
from sparring.features.reference import ReferenceSet
from sparring.kinds import DataOptions
from sparring.kinds.images.reader import open_data as open_images
from sparring.metrics import frechet
from sparring.metrics.estimate import Estimate
from sparring.metrics.line import CardLine

Features = NDArray[np.float64]


def gaussian(seed: int, shift: float = 0.0, n: int = 600, width: int = 6) -> Features:
    return np.random.default_rng(seed).normal(shift, 1, (n, width))


def hush(what: str) -> None:
    """Hear nothing."""


def loudly(why: str) -> None:
    pytest.fail(why)


def card(fake: Features) -> dict[str, CardLine]:
    lines = measure(gaussian(0), fake, gaussian(1, n=900), is_fid=False, begin=hush, note=loudly)
    return {line.key: line for line in lines}


def test_a_perfect_generator_cannot_be_told_from_real_data_on_any_line() -> None:
    found = card(gaussian(2))
    assert list(found) == [
        "kid",
        "frechet",
        "precision",
        "recall",
        "density",
        "coverage",
        "vendi",
        "c2st",
    ]
    assert {line.words for line in found.values()} == {"cannot be told from real data"}


def test_a_shifted_generator_is_told_on_the_lines_that_it_concerns() -> None:
    found = card(gaussian(2, 1.0))
    assert found["kid"].words == found["frechet"].words == "above real data"
    assert found["precision"].words == found["coverage"].words == "below real data"
    assert found["c2st"].words == "can be told from real data"
    assert found["frechet"].estimate.low < 6 < found["frechet"].estimate.high


def test_as_far_from_other_data_as_the_training_data_is_not_called_real() -> None:
    lines = measure(
        gaussian(0, 5.0), gaussian(2), gaussian(1, n=900), is_fid=False, begin=hush, note=loudly
    )
    words = {line.key: line.words for line in lines}
    assert words["kid"] == words["frechet"] == "no further than the training data"


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


def copying(fake: Features, train: Features) -> CardLine:
    found = {line.key: line for line in measure_copying(gaussian(0), fake, train)}
    return found["memorization"]


def test_copies_are_called_copies_and_honest_samples_are_not() -> None:
    train = gaussian(1, n=600)
    assert copying(gaussian(2), train).words == "no sign of copying"
    copies = copying(train[:300] + 0.01 * gaussian(3, n=300), train)
    assert copies.words == "copies its training data"
    assert copies.estimate.p_value is not None
    assert copies.estimate.p_value < 0.01


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
    told: list[str] = []
    lines = assess._class_lines(samples, data, reference, told.append)
    assert lines[0].key == "class_agreement"
    missing = [] if other == "labelled" else ["hardly ever made: 5, 6, 7, 8, 9"]
    assert told == missing


def test_an_evaluation_gives_estimates_by_key_a_table_and_json() -> None:
    estimate = Estimate(1.0, 0.5, 1.5, 100, "test")
    lines = (
        CardLine("kid", "kernel distance", estimate, Estimate(0, -0.1, 0.1, 100, "t"), "lower"),
    )
    numbers = {"images": 1000, "width": 64, "real": 100, "fake": 200}
    texts = dict.fromkeys(("run", "checkpoint", "data", "part", "fingerprint", "digest"), "x")
    found = Evaluation(**texts, **numbers, extractor="classifier", lines=lines, notes=("a note",))
    assert found["kid"] is estimate
    table = "\n".join(found.table())
    for text in ("1 [0.5, 1.5]", "0 [-0.1, 0.1]", "above real data", "a note", "classifier x"):
        assert text in table
    plain = json.loads(json.dumps(found.as_json()))
    assert plain["lines"][0]["words"] == "above real data"
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
