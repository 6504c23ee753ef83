"""Schedules: values at the ends, between, and outside."""

import pytest

from sparring.schedules import constant, cosine, linear, ramped


def test_constant_never_changes() -> None:
    assert [constant(0.3)(images) for images in (0, 1, 10**9)] == [0.3] * 3


def test_linear_goes_straight_and_is_flat_outside() -> None:
    schedule = linear(1.0, 0.2, 100, 300)
    at = [schedule(images) for images in (0, 100, 150, 200, 300, 10**9)]
    assert at == pytest.approx([1.0, 1.0, 0.8, 0.6, 0.2, 0.2])


def test_cosine_starts_and_ends_flat_and_is_half_way_in_the_middle() -> None:
    schedule = cosine(1.0, 0.0, 100, 300)
    at = [schedule(images) for images in (0, 100, 150, 200, 250, 300, 10**9)]
    half = 0.5**0.5
    assert at == pytest.approx([1.0, 1.0, (1 + half) / 2, 0.5, (1 - half) / 2, 0.0, 0.0])


@pytest.mark.parametrize("curve", [linear, cosine])
def test_a_curve_can_rise_too(curve: type) -> None:
    values = [curve(0.0, 2.0, 0, 10)(images) for images in range(11)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0.0, pytest.approx(2.0))


@pytest.mark.parametrize("curve", [linear, cosine])
def test_a_curve_over_nothing_jumps_at_its_end(curve: type) -> None:
    schedule = curve(1.0, 0.0, 5, 5)
    assert schedule(5) == 1.0
    assert schedule(6) == pytest.approx(0.0)


def test_ramped_grows_with_the_images_up_to_its_limit() -> None:
    schedule = ramped(1000, 0.1)
    assert [schedule(images) for images in (0, 100, 10_000, 10**6)] == [0, 10, 1000, 1000]
