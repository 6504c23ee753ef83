import os
import zipfile

import numpy as np
import pytest
from noise import noise
from PIL import Image

from sparring.data.dataset import no_progress
from sparring.data.listing import Entry
from sparring.errors import SparringError
from sparring.kinds import DataOptions
from sparring.kinds.images.reader import open_data as open_images
from sparring.plotting import write_images


def has_note(data, words):
    return any(words in note for note in data.notes)


def reasons(data):
    return {one.path: one.reason for one in data.skipped}


def zipped(folder):
    path = folder.with_name("packed.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_a_folder_becomes_pixels_in_order_of_names(opened, folder):
    data = opened(folder)
    expected = [np.asarray(noise((16, 16), seed=i)) for i in range(3)]
    assert np.array_equal(data.items, expected)
    assert (data.name, data.spec.shape, data.skipped) == ("set", (3, 16, 16), ())


def test_many_files_keep_their_order_through_the_threads(opened, saved, tmp_path):
    for i in range(150):
        saved(f"{i:03}.png", (64, 64) if i % 2 else (8, 8), seed=i)
    data = opened(tmp_path / "set", resolution="8")
    small = [np.asarray(noise((8, 8), seed=i)) for i in range(0, 150, 2)]
    assert np.array_equal(data.items[::2], small)


def test_a_zip_gives_the_same_data_as_its_folder(opened, folder):
    assert opened(zipped(folder)).fingerprint == opened(folder).fingerprint


def test_written_images_open_as_they_were(opened, tmp_path):
    for channels in (1, 2, 3, 4):
        pixels = np.random.default_rng(0).integers(1, 256, (30, 8, 12, channels), np.uint8)
        write_images(pixels, tmp_path / str(channels))
        data = opened(tmp_path / str(channels), channels=str(channels))
        assert np.array_equal(data.items, pixels)


def test_grey_files_give_one_channel_and_one_colour_gives_three(opened, saved, tmp_path):
    for i, mode in enumerate(("1", "L", "LA")):
        saved(f"{i}.png", mode=mode)
    assert opened(tmp_path / "set").spec.channels == 1
    saved("colour.png", mode="P")
    assert opened(tmp_path / "set").spec.channels == 3


def test_colour_files_that_look_grey_give_one_channel(opened, saved, tmp_path):
    for i in range(3):
        noise((16, 16), "L", i).convert("RGB").save(saved(f"{i}.png"))
    data = opened(tmp_path / "set")
    assert np.array_equal(data.items[1, ..., 0], noise((16, 16), "L", 1))
    assert opened(tmp_path / "set", channels="3").spec.channels == 3
    assert opened(tmp_path / "set", memory_share=1e-15).fingerprint == data.fingerprint


def test_mixed_modes_and_sizes_become_one(opened, saved, tmp_path):
    for i, mode in enumerate(("1", "L", "P", "RGB", "LA", "RGBA", "CMYK")):
        saved(f"{i}.{'tif' if mode == 'CMYK' else 'png'}", (10 + 17 * i, 33), mode)
    saved("tiny.png", (1, 1))
    saved("long.png", (1, 5000))
    data = opened(tmp_path / "set")
    assert (len(data.items), data.skipped) == (9, ())
    assert data.spec.channels == 3
    assert max(data.spec.height, data.spec.width) == 64
    assert has_note(data, "(median)")


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (17, 33)])
def test_sets_of_odd_sizes_open(opened, saved, tmp_path, size):
    for i in range(3):
        saved(f"{i}.png", size, seed=i)
    data = opened(tmp_path / "set")
    assert len(data.items) == 3
    assert max(data.spec.height, data.spec.width) in (33, 64)


def test_what_was_done_to_the_images_is_noted(opened, saved, tmp_path):
    saved("plain.png")
    Image.new("RGBA", (16, 16), (255, 0, 0, 0)).save(saved("clear.png"))
    Image.fromarray(np.full((16, 16), 30000, np.uint16)).save(saved("deep.png"))
    frames = [Image.new("L", (16, 16), value) for value in (0, 255)]
    frames[0].save(saved("moving.gif"), save_all=True, append_images=frames[1:])
    data = opened(tmp_path / "set")
    assert has_note(data, "1 of 4 images: transparency laid on white")
    assert has_note(data, "1 of 4 images: more than 8 bits per channel scaled to 8")
    assert has_note(data, "1 of 4 images: first of several frames used")
    assert not has_note(opened(tmp_path / "set", channels="4"), "white")


def test_files_that_cannot_be_used_are_skipped_by_name(opened, folder):
    (folder / "zero.png").touch()
    (folder / "text.png").write_text("I am not an image")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    whole = (folder / "0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    noise((64, 64)).save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:900])
    Image.new("1", (9000, 9000)).save(folder / "81 MP.png")
    (folder / "gone.png").symlink_to("nowhere")
    data = opened(folder)
    found = reasons(data)
    assert len(data.items) == 3
    assert list(found) == sorted(found)
    assert found["zero.png"] == "empty file"
    assert found["text.png"] == found["phone.heic"] == "not an image of a known format"
    assert "truncated" in found["cut.jpg"]
    assert "cut.png" in found
    assert found["81 MP.png"].startswith("9000x9000 is 81.0 megapixels, more than --data.max")
    assert found["gone.png"] == "not there any more, or a broken link"
    assert has_note(data, "skipped 7, most often because: not an image of a known format")


def test_a_larger_limit_lets_large_images_in_without_a_warning(opened, folder):
    Image.new("1", (9500, 9500)).save(folder / "large.png")
    data = opened(folder, max_megapixels=100.0, resolution="16")
    assert (len(data.items), data.skipped) == (4, ())


def test_a_file_without_permission_is_skipped(opened, folder, monkeypatch):
    real = Entry.__init__

    def locked():
        raise PermissionError(13, "Permission denied")

    def lock_one(self, name, size, stamp, open):
        real(self, name, size, stamp, locked if name == "1.png" else open)

    monkeypatch.setattr(Entry, "__init__", lock_one)
    data = opened(folder)
    assert reasons(data) == {"1.png": "permission denied"}


@pytest.mark.parametrize("stage", ["reading headers", "reading images"])
def test_files_that_vanish_meanwhile_are_skipped(folder, tmp_path, saved, stage):
    for i in range(3, 80):
        saved(f"{i:02}.png", seed=i)

    def remove(what, done, total):
        if (what, done) == (stage, 64):
            (folder / "79.png").unlink()

    data = open_images(folder, DataOptions(), cache=tmp_path / "cache", progress=remove)
    assert reasons(data) == {"79.png": "not there any more, or a broken link"}
    assert len(data.items) == 79


def test_other_files_are_counted_in_one_note(opened, folder):
    for name in ("a.txt", "b.json", "c.md", "d"):
        (folder / name).write_text("x")
    data = opened(folder)
    assert has_note(data, "ignored 4 not named as images: a.txt, b.json, c.md, …")
    assert data.skipped == ()


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_usable_images_are_an_error_with_the_reasons(opened, saved, tmp_path, count):
    (tmp_path / "set").mkdir()
    for i in range(count):
        saved(f"{i}.png")
    for name in "wxyz":
        (tmp_path / "set" / f"{name}.png").write_text("text")
    found = "no usable image" if count == 0 else "only 1 usable image"
    with pytest.raises(SparringError, match=rf"holds {found} \(4 skipped: w.png: not an image"):
        opened(tmp_path / "set")
    assert not (tmp_path / "cache").exists()


def test_images_that_all_fail_to_decode_leave_no_pack(opened, folder, tmp_path):
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SparringError, match=r"no usable image \(3 skipped"):
        opened(folder, memory_share=1e-15)
    assert not any((tmp_path / "cache" / "packs").iterdir())


def test_empty_and_text_only_folders_are_errors(opened, tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(SparringError, match=r"no usable image; expected at least 2 .png"):
        opened(tmp_path / "set")
    (tmp_path / "set" / "notes.txt").write_text("x")
    for labels in ("auto", "yes"):
        with pytest.raises(SparringError, match="no usable image"):
            opened(tmp_path / "set", labels=labels)


def test_strange_names_and_duplicates_do_no_harm(opened, saved, tmp_path):
    for name in ("[/x]猫.png", "<img onerror=1>.png", "copy.png"):
        saved(name)
    data = opened(tmp_path / "set")
    assert len(data.items) == 3
    assert has_note(data, "2 of 3 images repeat an earlier one exactly")


@pytest.fixture
def pets(saved, tmp_path):
    """Two label folders with two images each."""
    for i, name in enumerate(("cat/1.png", "cat/old/2.png", "dog/3.png", "dog/4.png")):
        saved(name, seed=i)
    return tmp_path / "set"


def test_two_label_folders_give_labels(opened, pets):
    for source in (pets, zipped(pets)):
        data = opened(source)
        assert data.labels.tolist() == [0, 0, 1, 1]
        assert data.spec.classes == ("cat", "dog")
    assert opened(pets, labels="none").labels is None
    assert opened(pets, labels="yes").labels.tolist() == [0, 0, 1, 1]


def test_labels_follow_the_images_that_could_be_read(opened, pets):
    (pets / "cat" / "0.png").write_text("text")
    (pets / "emu").mkdir()
    (pets / "emu" / "1.png").write_text("text")
    data = opened(pets)
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert data.spec.classes == ("cat", "dog")


def test_labels_asked_for_but_not_there_are_an_error(opened, folder):
    assert opened(folder).labels is None
    with pytest.raises(SparringError, match=r"expected two or more .*FILE.csv"):
        opened(folder, labels="yes")


def test_a_csv_gives_labels_and_leaves_out_what_it_does_not_name(opened, pets, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("file,label\ncat/1.png,b\ndog/3.png,a\ndog/4.png,b\ngone.png,a\n")
    for source in (pets, zipped(pets)):
        data = opened(source, labels=str(table))
        assert data.labels.tolist() == [1, 0, 1]
        assert data.spec.classes == ("a", "b")
        assert reasons(data) == {"cat/old/2.png": f"no label in {table}"}
        assert has_note(data, "1 rows of")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("1.png,a\n", r"names none of the 4 files.* such as cat/1.png"),
        ("cat/1.png,a\ndog/3.png,a\n", "gives all files the label 'a'"),
    ],
)
def test_a_csv_that_cannot_label_is_an_error(opened, pets, tmp_path, rows, words):
    (tmp_path / "labels.csv").write_text("file,label\n" + rows)
    with pytest.raises(SparringError, match=words):
        opened(pets, labels=str(tmp_path / "labels.csv"))


def test_a_missing_csv_is_an_error(opened, pets):
    with pytest.raises(SparringError, match=r"none.csv' cannot be read as labels"):
        opened(pets, labels="none.csv")


def test_a_damaged_or_encrypted_member_is_skipped(opened, folder):
    path = zipped(folder)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 20] ^= 0xFF  # in the first member
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1  # the last member is declared encrypted
    path.write_bytes(data)
    with pytest.raises(SparringError, match=r"only 1 usable image \(2 skipped: 0.png: Bad CRC"):
        opened(path)


def test_data_too_large_for_memory_is_packed_once_and_reused(opened, folder, tmp_path, monkeypatch):
    whole = opened(folder)
    packed = opened(folder, memory_share=1e-15)
    assert isinstance(packed.items, np.memmap)
    assert packed.fingerprint == whole.fingerprint
    assert has_note(packed, "are read from a pack on disk; --data.memory-share decides")
    assert len(list((tmp_path / "cache" / "packs").iterdir())) == 1
    monkeypatch.setattr(
        "sparring.kinds.images.files.read_header", lambda *_, **__: pytest.fail("read")
    )
    again = opened(folder, memory_share=1e-15)
    assert (again.fingerprint, again.notes) == (packed.fingerprint, packed.notes)


def test_a_changed_file_makes_another_pack(opened, folder):
    first = opened(folder, memory_share=1e-15)
    noise((16, 16), seed=9).save(folder / "1.png")
    os.utime(folder / "1.png", (1, 1))
    assert opened(folder, memory_share=1e-15).fingerprint != first.fingerprint


def test_what_a_pack_tells_is_never_out_of_date(opened, pets, tmp_path):
    table = tmp_path / "labels.csv"

    def labels(rows):
        table.write_text("file,label\n" + rows)
        return opened(pets, labels=str(table), memory_share=1e-15).labels.tolist()

    assert labels("cat/1.png,a\ndog/3.png,b\n") == [0, 1]
    assert labels("cat/1.png,b\ndog/3.png,a\n") == [1, 0]
    opened(pets, memory_share=1e-15)
    (pets / "new.txt").write_text("x")
    assert has_note(opened(pets, memory_share=1e-15), "ignored 1 not named as images: new.txt")


def test_progress_is_reported_for_both_passes(folder, tmp_path, saved):
    for i in range(3, 70):
        saved(f"{i}.png", seed=i)
    seen = []
    open_images(
        folder,
        DataOptions(),
        cache=tmp_path / "cache",
        progress=lambda *report: seen.append(report),
    )
    assert seen == [
        (what, done, 70)
        for what in ("reading headers", "reading images", "hashing", "looking for near-copies")
        for done in (64, 70)
    ]
    no_progress("", 0, 0)
