"""The stream: every epoch a permutation, positions without memory, prefetching without effect."""

import threading

import numpy as np
import pytest

from sparring.data import stream
from sparring.data.stream import Prefetcher, positions


@pytest.mark.parametrize("items", [1, 2, 5, 100])
def test_every_epoch_shows_every_item_once(items: int) -> None:
    for epoch in range(4):
        shown = positions(items, 0, epoch * items, items)
        assert sorted(shown.tolist()) == list(range(items))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first, second = positions(100, 0, 0, 100), positions(100, 0, 100, 100)
    other = positions(100, 1, 0, 100)
    assert np.mean(first == second) < 0.1
    assert np.mean(first == other) < 0.1


@pytest.mark.parametrize("count", [1, 3, 7, 10, 11, 25])
def test_the_stream_is_the_same_however_it_is_cut(count: int) -> None:
    whole = positions(10, 4, 0, 75)
    cut = [positions(10, 4, start, count) for start in range(0, 75, count)]
    assert np.concatenate(cut)[:75].tolist() == whole.tolist()
    assert all(len(part) == count for part in cut)


def test_a_batch_may_span_epochs_and_be_larger_than_the_data() -> None:
    shown = positions(3, 0, 2, 8)
    epochs = [positions(3, 0, 3 * epoch, 3) for epoch in range(4)]
    assert shown.tolist() == np.concatenate(epochs)[2:10].tolist()


def test_a_position_far_along_costs_no_walk_through_all_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shuffled = []
    shuffle = stream.permutation
    monkeypatch.setattr(
        stream, "permutation", lambda *asked: shuffled.append(asked) or shuffle(*asked)
    )
    assert len(positions(1000, 0, 10**12 + 990, 32)) == 32
    assert len(shuffled) == 2


def test_no_positions_are_none() -> None:
    assert len(positions(10, 0, 0, 0)) == 0


def fetch(start: int, count: int) -> list[int]:
    return list(range(start, start + count))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_prefetching_changes_nothing(workers: int) -> None:
    prefetched = Prefetcher(fetch, workers)
    jumps = [(0, 4), (4, 4), (8, 4), (100, 4), (104, 4), (4, 4), (4, 4), (8, 3), (11, 3), (0, 1)]
    for start, count in jumps:
        assert prefetched(start, count) == fetch(start, count)
    prefetched.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_what_comes_next_is_begun_before_it_is_asked_for(workers: int) -> None:
    begun: list[int] = []
    ready = threading.Event()

    def note(start: int, count: int) -> int:
        begun.append(start)
        if len(begun) > workers:
            ready.set()
        return start

    prefetched = Prefetcher(note, workers)
    prefetched(0, 4)
    assert ready.wait(10)
    assert sorted(begun) == [4 * k for k in range(workers + 1)]
    for start in (4, 8, 12):
        assert prefetched(start, 4) == start
    prefetched.close()
    assert len(begun) == len(set(begun)), "something was fetched twice"


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_an_error_in_a_worker_reaches_the_caller_when_its_turn_comes(workers: int) -> None:
    def fail(start: int, count: int) -> int:
        if start == 8:
            raise OSError("photo.png has gone")
        return start

    prefetched = Prefetcher(fail, workers)
    assert [prefetched(start, 4) for start in (0, 4)] == [0, 4]
    with pytest.raises(OSError, match=r"photo\.png has gone"):
        prefetched(8, 4)
    assert prefetched(12, 4) == 12
    prefetched.close()


def test_closing_drops_what_was_begun() -> None:
    prefetched = Prefetcher(fetch, 2)
    prefetched(0, 4)
    prefetched.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("sparring-data")]
