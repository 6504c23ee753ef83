import errno
import json
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from sparring.data import pack
from sparring.data.pack import (
    GUESSED_MEMORY,
    STORED,
    LoadedItems,
    Skipped,
    available_memory,
    open_pack,
    open_store,
    pack_folder,
)
from sparring.errors import SparringError
from sparring.kinds import DataOptions
from sparring.kinds.images.options import decisive

ROWS = np.random.default_rng(0).integers(0, 256, (150, 4, 6, 3), np.uint8)
NEVER, ALWAYS = 1e-15, 1.0  # share of memory: forces a pack, or never makes one


def store_rows(folder, share, rows=ROWS, room=200, one_channel=False):
    with open_store(room, rows.shape[1:], folder, share, smaller_by="--size") as store:
        for start in range(0, len(rows), 40):
            store.append(rows[start : start + 40])
        labels = np.arange(len(rows)) % 2
        told = LoadedItems(STORED, labels, ("a", "é"), (Skipped("x", "why"),), ("note",), 8000, 7)
        return store.publish(told, one_channel=one_channel)


@pytest.mark.parametrize("share", [NEVER, ALWAYS])
@pytest.mark.parametrize("one_channel", [False, True])
def test_memory_and_pack_give_the_same(tmp_path, share, one_channel):
    loaded = store_rows(tmp_path / "packs" / "key", share, one_channel=one_channel)
    assert np.array_equal(loaded.items, ROWS[..., :1] if one_channel else ROWS)
    assert loaded.labels.tolist() == [i % 2 for i in range(150)]
    assert loaded.classes == ("a", "é")
    assert loaded.skipped == (Skipped("x", "why"),)
    assert (loaded.notes, loaded.test_from) == (("note",), 7)
    assert isinstance(loaded.items, np.memmap) == (share == NEVER)


def test_a_pack_is_three_files_and_can_be_opened_by_numpy(tmp_path):
    store_rows(tmp_path / "packs" / "key", NEVER)
    folder = tmp_path / "packs" / "key"
    assert sorted(p.name for p in folder.iterdir()) == ["items.npy", "labels.npy", "pack.json"]
    assert np.array_equal(np.load(folder / "items.npy"), ROWS)
    assert json.loads((folder / "pack.json").read_text(encoding="utf-8"))["shape"] == [150, 4, 6, 3]


def test_a_mapped_pack_is_read_only(tmp_path):
    loaded = store_rows(tmp_path / "packs" / "key", NEVER)
    with pytest.raises(ValueError, match="read-only"):
        loaded.items[0] = 0


def test_memory_writes_nothing(tmp_path):
    store_rows(tmp_path / "packs" / "key", ALWAYS)
    assert not any(tmp_path.iterdir())


def test_a_failure_leaves_nothing_behind(tmp_path):
    def interrupted():
        with open_store(10, (4, 6, 3), tmp_path / "packs" / "key", NEVER, smaller_by="-") as store:
            store.append(ROWS[:3])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not any((tmp_path / "packs").iterdir())


def test_a_full_disk_is_told_with_what_to_do(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pack.NpyWriter, "append", full)
    with pytest.raises(SparringError, match=r"pack of up to 0.0 MB .*No space left.*free some"):
        store_rows(tmp_path / "packs" / "key", NEVER)
    assert not any((tmp_path / "packs").iterdir())


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "packs").write_text("a file")
    with pytest.raises(SparringError, match="cannot write a pack"):
        store_rows(tmp_path / "packs" / "key", NEVER)


@pytest.mark.parametrize("damage", ["items.npy", "labels.npy", "pack.json"])
def test_a_damaged_pack_is_not_opened_but_written_anew(tmp_path, damage):
    folder = tmp_path / "packs" / "key"
    store_rows(folder, NEVER)
    (folder / damage).write_bytes(b"{")
    assert open_pack(folder) is None
    assert np.array_equal(store_rows(folder, NEVER).items, ROWS)
    assert [p.name for p in (tmp_path / "packs").iterdir()] == ["key"]


def test_there_is_no_pack_where_nothing_is(tmp_path):
    assert open_pack(tmp_path / "key") is None


def test_two_writers_of_one_pack_do_not_disturb_each_other(tmp_path):
    folder, results = tmp_path / "packs" / "key", []
    writers = [
        threading.Thread(target=lambda: results.append(store_rows(folder, NEVER))) for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [np.array_equal(loaded.items, ROWS) for loaded in results] == [True] * 4


def test_a_place_depends_on_the_source_and_on_what_shapes_the_pixels():
    def at(identity="a", **options):
        return pack_folder(Path("cache"), identity, *decisive(DataOptions(**options)))

    same = [at(), at(held_out=0.3), at(memory_share=0.1), at(value_range="0..1"), at(workers=4)]
    other = [
        at("b"),
        at(resolution="32"),
        at(crop="pad"),
        at(channels="1"),
        at(labels="none"),
        at(max_megapixels=1.0),
    ]
    assert len(set(same)) == 1
    assert len({*same, *other}) == 7
    assert same[0].parent == Path("cache/packs")


def test_available_memory_is_read_from_the_system_or_guessed(monkeypatch):
    assert 2**20 < available_memory() <= psutil.virtual_memory().total
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert available_memory() == GUESSED_MEMORY
