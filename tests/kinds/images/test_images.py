import numpy as np
import pytest
import torch

from sparring.errors import SparringError
from sparring.kinds import DataOptions
from sparring.kinds.images.codec import decode, encode
from sparring.kinds.images.reader import open_data as open_images


def refusal(opened, source, **options):
    """Return the one line that opening this ends in."""
    with pytest.raises(SparringError) as caught:
        opened(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_name_gets_the_nearest_named_set_and_what_data_may_be(opened):
    told = refusal(opened, "Fashion-MNST")
    assert "did you mean 'fashion-mnist'?" in told
    for kind in ("folder", ".zip", ".npy", ".npz", "idx"):
        assert kind in told


def test_an_empty_name_is_refused_and_is_not_the_current_folder(opened):
    assert "empty string" in refusal(opened, "")


@pytest.mark.parametrize("name", ["cat.png", "readme.txt", "pictures.tar.gz"])
def test_a_file_of_another_kind_is_refused(opened, tmp_path, name):
    (tmp_path / name).write_bytes(b"\x1f\x8bsomething")
    assert "is not data that can be read; expected a folder" in refusal(opened, tmp_path / name)


def test_an_object_of_another_kind_is_refused(opened):
    assert "data is a list; expected a path or a NumPy array" in refusal(opened, [1, 2])


def test_a_path_the_system_refuses_is_told_in_one_line(opened, tmp_path):
    assert "cannot read" in refusal(opened, tmp_path / ("x" * 300))


@pytest.mark.parametrize("source", ["digits", "not there", np.zeros((4, 4, 4))], ids=repr)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resolution": "7x"}, "resolution '7x' is not a size"),
        ({"labels": "maybe"}, "labels 'maybe' is not a choice"),
    ],
)
def test_options_are_checked_before_the_source_is(opened, source, options, words):
    assert words in refusal(opened, source, **options)


def test_the_same_data_has_the_same_fingerprint_and_other_data_another(opened):
    random = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
    changed = random.copy()
    changed[3, 3, 3] ^= 1
    digests = [
        opened(source, **options).fingerprint
        for source, options in (
            (random, {}),
            (random.copy(), {}),
            (random, {"value_range": "0..1", "memory_share": 0.1}),
            (changed, {}),
            (random, {"held_out": 0.5}),
            (random, {"resolution": "16"}),
        )
    ]
    assert digests[0] == digests[1] == digests[2]
    assert len(set(digests)) == 4


def test_the_split_follows_the_content_of_the_files(opened, saved, tmp_path):
    for i in range(60):
        saved(f"{i:02}.png", seed=i)
    first = opened(tmp_path / "set", held_out=0.3)
    for i in range(60):
        (tmp_path / "set" / f"{i:02}.png").rename(tmp_path / "set" / f"r{99 - i}.png")
    second = opened(tmp_path / "set", held_out=0.3)

    def contents(data):
        return {data.items[i].tobytes() for i in data.held_out}

    assert contents(first) == contents(second)
    assert 0 < len(first.held_out) < 40
    assert first.fingerprint != second.fingerprint


def test_few_images_hold_none_out_and_it_is_noted(opened, folder):
    data = opened(folder)
    assert data.train.tolist() == [0, 1, 2]
    assert "fewer than 20 items: none are held out" in data.notes


def test_large_arrays_are_packed_too(opened, tmp_path):
    random = np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8)
    np.save(tmp_path / "a.npy", random)
    whole = opened(random)
    for source in (random, tmp_path / "a.npy"):
        data = opened(source, memory_share=1e-15)
        assert isinstance(data.items, np.memmap)
        assert data.fingerprint == whole.fingerprint
        assert opened(source, memory_share=1e-15).fingerprint == whole.fingerprint


def test_labels_survive_a_pack(opened, tmp_path):
    random = np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=random, labels=np.arange(100) % 3)
    for _ in range(2):
        data = opened(tmp_path / "a.npz", memory_share=1e-15)
        assert data.labels.tolist() == [i % 3 for i in range(100)]
        assert data.spec.classes == ("0", "1", "2")


def test_opened_pixels_can_be_encoded_and_decoded_again(opened, folder):
    for share in (0.4, 1e-15):
        data = opened(folder, memory_share=share)
        pixels = torch.from_numpy(data.items[data.train])
        assert torch.equal(decode(encode(pixels, data.spec), data.spec), pixels)


def test_the_value_range_is_passed_on(tmp_path):
    options = DataOptions(value_range="0..1")
    data = open_images(np.zeros((4, 8, 8), np.uint8), options, cache=tmp_path)
    assert data.spec.value_range == "0..1"
