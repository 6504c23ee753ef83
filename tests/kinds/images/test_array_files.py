import gzip
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from sparring.errors import SparringError

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 8, 12), np.uint8)
DIGITS = np.arange(30, dtype=np.uint8) % 3


def idx(array):
    sides = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes((0, 0, 8, array.ndim)) + sides + array.tobytes()


def npy(array, **header):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def has_note(data, words):
    return any(words in note for note in data.notes)


@pytest.fixture
def mnist(tmp_path):
    """A folder named and laid out like MNIST's, gzipped."""
    folder = tmp_path / "mnist-like"
    folder.mkdir()
    for part, count in (("train", 30), ("t10k", 5)):
        for kind, array in (("images-idx3", IMAGES), ("labels-idx1", DIGITS)):
            path = folder / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(idx(array[:count])))
    return folder


def test_an_npy_file_is_read(opened, tmp_path):
    np.save(tmp_path / "cats.v2.npy", IMAGES)
    data = opened(tmp_path / "cats.v2.npy")
    assert np.array_equal(data.items[..., 0], IMAGES)
    assert data.name == "cats"


def test_an_npy_file_in_column_order_is_read(opened, tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(IMAGES))
    assert np.array_equal(opened(tmp_path / "a.npy").items[..., 0], IMAGES)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_file_gives_images_and_labels(opened, tmp_path, save):
    save(tmp_path / "a.npz", images=IMAGES, labels=DIGITS)
    data = opened(tmp_path / "a.npz")
    assert np.array_equal(data.items[..., 0], IMAGES)
    assert np.array_equal(data.labels, DIGITS)
    assert data.spec.classes == ("0", "1", "2")
    assert opened(tmp_path / "a.npz", labels="none").labels is None


def test_an_npz_file_may_hold_one_array_of_any_name(opened, tmp_path):
    np.savez(tmp_path / "a.npz", whatever=IMAGES)
    assert np.array_equal(opened(tmp_path / "a.npz").items[..., 0], IMAGES)


@pytest.mark.parametrize(
    "labels", [DIGITS.astype(float), DIGITS[:, None], np.array(list("abc") * 10)]
)
def test_labels_of_an_npz_may_be_whole_numbers_or_names(opened, tmp_path, labels):
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=labels)
    assert np.array_equal(opened(tmp_path / "a.npz").labels, DIGITS)


@pytest.mark.parametrize("labels", [DIGITS[:29], np.eye(30), DIGITS + 0.5, DIGITS * 1j])
def test_labels_of_another_kind_are_refused(opened, tmp_path, labels):
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=labels)
    with pytest.raises(SparringError, match="expected one whole number or name for each of 30"):
        opened(tmp_path / "a.npz")


def test_labels_that_are_all_the_same_are_not_used(opened, tmp_path):
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=DIGITS * 0)
    data = opened(tmp_path / "a.npz")
    assert data.labels is None
    assert data.spec.classes == ()
    assert has_note(data, "all labels are the same")
    with pytest.raises(SparringError, match=r"all in .* are '0'"):
        opened(tmp_path / "a.npz", labels="yes")


def test_an_npz_without_a_known_key_is_refused(opened, tmp_path):
    np.savez(tmp_path / "a.npz", x=IMAGES, y=DIGITS)
    with pytest.raises(SparringError, match="holds x, y; expected the key `images`"):
        opened(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_python_objects_are_refused_unread(opened, tmp_path, name):
    (np.save if name == "a.npy" else np.savez)(tmp_path / name, np.array([{}, {}], object))
    with pytest.raises(SparringError, match="Python objects"):
        opened(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x01\x00", b"PK\x03\x04zip?"])
def test_damaged_array_files_are_refused_in_one_line(opened, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SparringError, match=f"{name}' cannot be read: .*; expected a NumPy") as one:
        opened(tmp_path / name)
    assert "\n" not in str(one.value)


def test_truncated_array_files_are_refused(opened, tmp_path):
    content = npy(IMAGES)
    (tmp_path / "a.npy").write_bytes(content[:-1])
    with pytest.raises(SparringError, match=r"a.npy' cannot be read"):
        opened(tmp_path / "a.npy")
    np.savez_compressed(tmp_path / "a.npz", images=IMAGES)
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-50])
    with pytest.raises(SparringError, match=r"a.npz' cannot be read"):
        opened(tmp_path / "a.npz")


def test_a_lying_npz_header_allocates_nothing(opened, tmp_path):
    lie = npy(IMAGES).replace(b"(30, 8, 12), }          ", b"(3000000000, 8, 12), }  ")
    assert b"3000000000" in lie
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", lie)
    with pytest.raises(SparringError, match="declares 288000000000 bytes that it does not hold"):
        opened(tmp_path / "a.npz")
    (tmp_path / "a.npy").write_bytes(lie)
    with pytest.raises(SparringError, match="cannot be read"):
        opened(tmp_path / "a.npy")


def test_an_npz_bomb_is_refused(opened, tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((30, 1000, 1000), np.uint8))
    with pytest.raises(SparringError, match=r"images.npy declares an impossible size"):
        opened(tmp_path / "a.npz")


def test_an_npz_larger_than_memory_is_refused(opened, tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", images=IMAGES)
    monkeypatch.setattr("sparring.kinds.images.array_files.available_memory", lambda: 1000)
    with pytest.raises(SparringError, match=r"GB of memory; save it as .npy"):
        opened(tmp_path / "a.npz")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_idx_file_is_read_plain_or_gzipped(opened, tmp_path, pack):
    path = tmp_path / "some.idx"
    path.write_bytes(pack(idx(IMAGES)))
    assert np.array_equal(opened(path).items[..., 0], IMAGES)


def test_an_idx_folder_holds_out_its_test_file(opened, mnist):
    data = opened(mnist)
    assert data.name == "mnist-like"
    assert np.array_equal(data.items[:30, ..., 0], IMAGES)
    assert np.array_equal(data.items[30:, ..., 0], IMAGES[:5])
    assert data.held_out.tolist() == [30, 31, 32, 33, 34]
    assert data.train.tolist() == list(range(30))


def test_the_images_file_alone_means_the_same_as_its_folder(opened, mnist):
    path = mnist / "train-images-idx3-ubyte.gz"
    assert opened(path).fingerprint == opened(mnist).fingerprint


def test_without_a_held_out_part_the_test_file_is_not_read(opened, mnist):
    data = opened(mnist, held_out=0.0)
    assert (len(data.items), len(data.held_out)) == (30, 0)


def test_labels_of_idx_files_are_used_only_when_asked_for(opened, mnist):
    data = opened(mnist)
    assert data.labels is None
    assert has_note(data, "labels found, not used; --data.labels yes")
    labelled = opened(mnist, labels="yes")
    assert np.array_equal(labelled.labels, [*DIGITS, *DIGITS[:5]])
    assert labelled.spec.classes == ("0", "1", "2")


def test_idx_images_without_labels_beside_have_none(opened, mnist):
    (mnist / "train-labels-idx1-ubyte.gz").unlink()
    assert not has_note(opened(mnist), "labels")
    with pytest.raises(SparringError, match="comes with none"):
        opened(mnist, labels="yes")


def test_idx_labels_of_another_number_are_refused(opened, mnist):
    (mnist / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(DIGITS[:7])))
    with pytest.raises(SparringError, match=r"labels of shape \(7,\), expected \(30,\)"):
        opened(mnist)


def test_an_idx_test_file_of_another_size_is_refused(opened, mnist):
    (mnist / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES[:5, :4])))
    with pytest.raises(SparringError, match=r"t10k.* of \(4, 12\), expected \(8, 12\)"):
        opened(mnist)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (idx(IMAGES)[:-1], "declares 2,880 bytes but holds 2,879"),
        (idx(IMAGES) + b"x", "declares 2,880 bytes but holds more"),
        (idx(IMAGES) + bytes(20_000_000), "declares 2,880 bytes but holds more"),
        (idx(IMAGES)[:9], "header is cut short"),
        (struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3) + b"x" * 50, "but holds 50"),
    ],
    ids=["cut short", "one too many", "bomb", "half a header", "lie"],
)
def test_truncated_and_lying_idx_files_are_refused_without_allocating(
    opened, tmp_path, pack, content, words
):
    path = tmp_path / "a.idx"
    path.write_bytes(pack(content))
    tracemalloc.start()
    try:
        with pytest.raises(SparringError, match=words):
            opened(path)
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()


def test_a_damaged_gzip_file_is_refused(opened, mnist):
    path = mnist / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SparringError, match="cannot be read"):
        opened(mnist)


def test_idx_data_of_another_type_is_refused(opened, mnist):
    (mnist / "train-images-idx3-ubyte.gz").write_bytes(bytes((0, 0, 13, 3)) + bytes(16))
    with pytest.raises(SparringError, match="does not start like an idx file of bytes"):
        opened(mnist)
