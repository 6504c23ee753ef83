"""Measures of texts: exact by hand, honest intervals, samplers that follow their counts."""

from collections import Counter
from math import log2

import numpy as np
import pytest

from sparring.errors import SparringError
from sparring.kinds.texts.metrics import (
    CountModel,
    bits_test,
    nearest_edits,
    ngram_js,
    ngram_js_difference,
)
from sparring.kinds.texts.named import read_named


def random_texts(n: int, seed: int, tilt: float = 0.0) -> list[str]:
    rng = np.random.default_rng(seed)
    weights = np.array([0.4 + tilt, 0.3, 0.3 - tilt])
    lengths = rng.integers(2, 7, n)
    return ["".join(rng.choice(list("abc"), size, p=weights)) for size in lengths]


def by_hand(real: list[str], fake: list[str], order: int) -> float:
    counts = []
    for side in (real, fake):
        grams = Counter(
            t[i : i + order] for t in (f"{x}\n" for x in side) for i in range(len(t) - order + 1)
        )
        counts.append({gram: c / grams.total() for gram, c in grams.items()})
    total = 0.0
    for share, other in (counts, counts[::-1]):
        total += sum(p * log2(2 * p / (p + other.get(gram, 0))) for gram, p in share.items()) / 2
    return total


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_divergence_is_lin_s_and_symmetric(order: int) -> None:
    real, fake = random_texts(60, 0), random_texts(50, 1, 0.1)
    found = ngram_js(real, fake, order)
    assert found.value == pytest.approx(by_hand(real, fake, order), abs=1e-12)
    assert ngram_js(fake, real, order).value == pytest.approx(found.value)
    assert found.low <= found.value <= found.high


def test_equal_texts_have_none_and_texts_without_a_common_unit_a_whole_bit() -> None:
    texts = random_texts(40, 0)
    assert ngram_js(texts, texts, 2).value == pytest.approx(0, abs=1e-12)
    assert ngram_js(["ab", "ba"], ["xy", "yx"], 2).value == pytest.approx(1)


def test_words_are_units_as_characters_are() -> None:
    texts = random_texts(40, 0), random_texts(40, 1, 0.2)
    as_words = [[tuple(text) for text in side] for side in texts]
    found = ngram_js(*as_words, 2)
    assert found.value == pytest.approx(ngram_js(*texts, 2).value)


def test_intervals_cover_the_mean_of_many_draws() -> None:
    """Of rare n-grams too: by the delta method alone they covered 86 % of 4-grams."""
    names = np.random.default_rng(0).permutation(read_named("names").texts)
    sides = names[: 100 * 150].reshape(50, 2, 150).tolist()
    found = [ngram_js(real, fake, 4) for real, fake in sides]
    mean = float(np.mean([one.value for one in found]))
    covered = np.mean([one.low <= mean <= one.high for one in found])
    assert covered >= 0.92  # of 50, with 95 % promised
    apart = ngram_js_difference(*sides[0], random_texts(150, 0), 2)
    assert apart.value == pytest.approx(
        ngram_js(*sides[0], 2).value - ngram_js(sides[0][0], random_texts(150, 0), 2).value
    )
    assert apart.p_value < 1e-6 < ngram_js_difference(*sides[0], sides[1][0], 2).p_value


def test_texts_less_probable_than_real_ones_are_found_and_others_are_not() -> None:
    """One in six with its letters shuffled; components of n-grams see nothing of it."""
    rng = np.random.default_rng(0)
    names = rng.permutation(read_named("names").texts).tolist()
    model, real, fake = CountModel(names[:4000], 5, 30), names[4000:4600], names[4600:5200]
    assert bits_test(model, real, fake, permutations=199).p_value > 0.05
    shuffled = ["".join(rng.permutation([*name])) for name in fake[:100]] + fake[100:]
    found = bits_test(model, real, shuffled, permutations=199)
    assert found.p_value == 1 / 200
    assert found.value == model.bits(shuffled).value
    assert found.under_null
    assert found.under_null.mean == model.bits(real).value


def test_probabilities_after_any_context_sum_to_one() -> None:
    model = CountModel(["ab", "aba", "b"], 3, 3)
    for context in ("", "a", "ab", "bb", "zz"):
        assert sum(model.probability(u, context) for u in ("a", "b", "\n")) == pytest.approx(1)


def test_witten_and_bell_by_hand() -> None:
    model = CountModel(["ab", "aa"], 2, 3)
    # units: a 3 times, b once, end twice; after a: b, a, end once each
    alone = (3 + 3 * (1 / 3)) / (6 + 3)
    assert model.probability("a", "") == pytest.approx((2 + alone) / (2 + 1))  # both begin so
    assert model.probability("a", "a") == pytest.approx((1 + 3 * alone) / (3 + 3))


def test_bits_are_those_of_the_probabilities_and_lower_for_texts_like_the_counted() -> None:
    counted = random_texts(400, 0, 0.2)
    model = CountModel(counted, 3, 4)
    text = "ab"
    bits = -sum(log2(model.probability(u, text[:i])) for i, u in enumerate("ab\n"))
    assert model.bits([text, text]).value == pytest.approx(bits / 3)
    alike, other = model.bits(random_texts(200, 1, 0.2)), model.bits(random_texts(200, 2, -0.2))
    assert alike.high < other.low
    with pytest.raises(SparringError, match="1 texts to score"):
        model.bits(["a"])


def test_drawn_texts_follow_the_counts() -> None:
    counted = random_texts(2000, 0, 0.1)
    drawn = CountModel(counted, 3, 4).draw(2000, 12, seed=0)
    assert max(map(len, drawn)) <= 12
    fresh = random_texts(2000, 1, 0.1)
    assert ngram_js(counted, drawn, 3).value < 2 * ngram_js(counted, fresh, 3).value
    assert CountModel(counted, 3, 4).draw(5, 12, seed=0) == drawn[:5]


def test_words_can_be_drawn_too() -> None:
    texts = [("the", "cat", "sat"), ("the", "dog", "sat")]
    drawn = set(CountModel(texts, 3, 5).draw(50, 9, seed=0))
    assert drawn == set(texts)


def test_edits_are_levenshtein_s_over_the_length() -> None:
    others = ["kitten", "sitting", "xyz"]
    found = nearest_edits(["kitten", "sittin", "abcd", "ab"], others)
    assert found.tolist() == [0, pytest.approx(1 / 6), 1, 1.5]
    assert nearest_edits([("a", "b")], [("a", "c")]).tolist() == [0.5]
