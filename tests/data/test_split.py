import numpy as np
import pytest

from sparring.data import split as split_module
from sparring.data.dataset import no_progress
from sparring.data.split import digests, divide, duplicates, fingerprint


def pixels(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 1), np.uint8)


def divided(images, share=0.1, test_from=None):
    return divide(digests(images, no_progress), share, test_from)


def contents(images, indices):
    return {images[i].tobytes() for i in indices}


def test_about_the_asked_share_is_held_out_and_all_images_are_on_one_side():
    split = divided(pixels(2000), 0.1)
    assert 150 < len(split.held_out) < 250
    assert sorted([*split.train, *split.held_out]) == list(range(2000))


@pytest.mark.parametrize("seed", range(5))
def test_the_split_does_not_depend_on_the_order(seed):
    images = pixels(200, seed)
    shuffled = images[np.random.default_rng(seed).permutation(200)]
    first, second = divided(images), divided(shuffled)
    assert contents(images, first.held_out) == contents(shuffled, second.held_out)


def test_duplicates_stay_on_one_side():
    images = np.concatenate([pixels(100), pixels(100), pixels(50)])
    split = divided(images, 0.3)
    assert len(split.held_out)
    assert not contents(images, split.train) & contents(images, split.held_out)


def test_more_images_do_not_move_those_already_held_out():
    images = pixels(300)
    few, many = divided(images[:100]), divided(images)
    assert few.held_out.tolist() == [i for i in many.held_out if i < 100]


def test_at_most_so_many_are_held_out_and_duplicates_still_stay_together(monkeypatch):
    monkeypatch.setattr(split_module, "MAX_HELD_OUT", 7)
    images = np.repeat(pixels(30), 2, axis=0)
    split = divided(images, 0.5)
    assert len(split.held_out) == 6
    assert not contents(images, split.train) & contents(images, split.held_out)


def test_none_are_held_out_when_none_are_asked_for():
    split = divided(pixels(100), 0)
    assert (len(split.train), len(split.held_out), split.notes) == (100, 0, ())


def test_none_are_held_out_of_fewer_than_20_and_it_is_said():
    split = divided(pixels(19), 0.5)
    assert len(split.held_out) == 0
    assert split.notes == ("fewer than 20 items: none are held out",)
    assert len(divided(pixels(20), 0.5).held_out)


def test_training_keeps_all_when_all_would_be_held_out():
    splits = [divided(np.repeat(image[None], 30, axis=0), 0.5) for image in pixels(20)]
    assert {len(split.train) for split in splits} == {30}
    assert any("all items fall into" in split.notes[0] for split in splits)


def test_a_part_that_came_out_empty_is_said():
    split = divided(pixels(20), 1e-9)
    assert split.notes == ("no item fell into the held-out part by its content",)


def test_a_test_part_replaces_the_split():
    split = divided(pixels(30), 0.1, test_from=25)
    assert split.held_out.tolist() == [25, 26, 27, 28, 29]
    assert split.train.tolist() == list(range(25))


def test_duplicates_are_counted():
    assert duplicates(digests(np.concatenate([pixels(5), pixels(3)]), no_progress)) == 3


def test_the_fingerprint_changes_with_pixels_labels_split_and_shape():
    images, labels = pixels(40), np.arange(40) % 2
    changed = images.copy()
    changed[7, 0, 0, 0] ^= 1

    def digest(images, labels=None, share=0.1):
        hashes = digests(images, no_progress)
        return fingerprint(hashes, images.shape, labels, divide(hashes, share, None))

    variants = [
        digest(images),
        digest(changed),
        digest(images, labels),
        digest(images, labels[::-1].copy()),
        digest(images, share=0.5),
        digest(images.reshape(40, 2, 8, 1)),
        digest(images[::-1]),
    ]
    assert len(set(variants)) == len(variants)
    assert digest(images.copy(), labels.copy()) == variants[2]


def test_hashing_reports_its_progress():
    seen = []
    digests(pixels(100), lambda *report: seen.append(report))
    assert seen == [("hashing", 64, 100), ("hashing", 100, 100)]
