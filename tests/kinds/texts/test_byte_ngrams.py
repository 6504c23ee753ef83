"""Byte n-grams: the histogram written out, and misspelt names told from real ones."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sparring.errors import SparringError
from sparring.kinds import DataOptions, open_data
from sparring.kinds.texts.codec import texts_of
from sparring.kinds.texts.features.byte_ngrams import byte_ngrams, histograms
from sparring.kinds.texts.named import read_named
from sparring.metrics.neighbours import prdc, prdc_baseline


def longhand(text: str) -> Counter[int]:
    """Count the places that the n-grams of a text fall into."""
    whole = b"\x02" + text.encode() + b"\x03"
    grams = [whole[i : i + n] for n in (1, 2, 3, 4) for i in range(len(whole) - n + 1)]
    codes = (int.from_bytes(bytes([len(gram)]) + gram) for gram in grams)
    return Counter((code * 0x9E3779B97F4A7C15 % 2**64) >> 54 for code in codes)


def test_a_row_holds_the_roots_of_the_shares_of_a_text_s_byte_n_grams() -> None:
    texts = ["anna", "", "na", "天下无双"]
    for text, row in zip(texts, histograms(texts), strict=True):
        counts = longhand(text)
        expected = np.zeros(1024)
        expected[list(counts)] = np.sqrt(np.array([*counts.values()]) / counts.total())
        assert np.allclose(row, expected, atol=1e-7)


def test_nothing_is_fitted_so_the_same_text_in_other_data_has_the_same_row(tmp_path: Path) -> None:
    names = [f"{a}{b}{c}" for a in "bdgk" for b in ("ar", "el") for c in ("o", "us", "ia")]
    one, other = (
        open_data(source, DataOptions(), cache=tmp_path) for source in (names, [*names, "zq"])
    )
    first, second = byte_ngrams(one), byte_ngrams(other)
    assert first.digest == second.digest
    assert np.array_equal(first.run(one.items), histograms(texts_of(one.items, one.spec)))
    assert np.array_equal(second.run(other.items)[:5], first.run(one.items)[:5])
    assert first.run(one.items[:0]).shape == (0, first.width)


def test_data_that_are_not_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SparringError, match="byte-ngrams is for texts"):
        byte_ngrams(open_data("grid", DataOptions(), cache=tmp_path))


def test_names_with_shuffled_letters_are_told_from_real_ones() -> None:
    """Coverage by components of n-grams is that of real names: 0.95 against 0.97."""
    rng = np.random.default_rng(0)
    names = rng.permutation(read_named("names").texts)
    real, others = names[:500], names[500:1000]
    shuffled = ["".join(rng.permutation([*name])) for name in others]
    of_real, of_others, of_shuffled = (histograms(side) for side in (real, others, shuffled))
    perfect = prdc_baseline(of_real, len(others))
    good, bad = prdc(of_real, of_others), prdc(of_real, of_shuffled)
    for key in ("precision", "coverage"):
        assert good[key].low < perfect[key].value < good[key].high
        assert bad[key].high < perfect[key].low - 0.1
