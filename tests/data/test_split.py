import numpy as np
import pytest

from sparring.data import split as split_module
from sparring.data.dataset import no_progress
from sparring.data.split import (
    content,
    digests,
    divide,
    duplicates,
    fingerprint,
    hold_out,
    note_groups,
    parts,
    stated,
    with_gap,
)


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


# ---- rules 2: by content and occurrence, or by groups

TITANIC_LIKE = np.repeat(np.arange(70, dtype=np.uint8), np.arange(70) + 1)[:, None]


def held(items, share=0.1, **told):
    return hold_out(digests(items, no_progress), share, **told)


def test_equal_rows_are_held_out_in_proportion():
    split = held(TITANIC_LIKE, 0.2)
    assert len(split.held_out) == round(0.2 * len(TITANIC_LIKE))
    counts = np.bincount(TITANIC_LIKE[split.held_out, 0], minlength=70)
    due = 0.2 * (np.arange(70) + 1)
    assert np.sum((counts - due) ** 2 / due) < 100  # a chi-square of 70
    assert split.groups is None


def test_the_order_of_items_decides_nothing():
    random = np.random.default_rng(0)
    order = random.permutation(len(TITANIC_LIKE))
    people = TITANIC_LIKE[:, 0].astype(np.int64) // 4
    for told in ({}, {"groups": people}):
        first = held(TITANIC_LIKE, **told)
        other = held(TITANIC_LIKE[order], **{key: of[order] for key, of in told.items()})
        a, b = (
            np.sort(x[:, 0])
            for x in (TITANIC_LIKE[first.held_out], TITANIC_LIKE[order][other.held_out])
        )
        assert np.array_equal(a, b)


def test_groups_lie_on_one_side_whatever_their_size():
    people = np.repeat(np.arange(40), np.arange(40) % 7 + 1)
    sizes = []
    for seed in range(30):
        split = held(pixels(len(people), seed), 0.2, groups=people)
        assert not {*people[split.train]} & {*people[split.held_out]}
        assert len({*people[split.held_out]}) == 8
        sizes += np.bincount(people)[[*{*people[split.held_out]}]].tolist()
    assert abs(np.mean(sizes) - np.bincount(people).mean()) < 0.5, "large groups are as likely"


def test_a_group_of_most_items_is_trained_on_and_one_group_alone_is_not_divided():
    split = held(pixels(100), 0.5, groups=np.repeat([0, 1], [80, 20]))
    assert split.held_out.tolist() == list(range(80, 100))
    alone = held(pixels(100), 0.1, groups=np.zeros(100, np.int64))
    assert len(alone.held_out) == 0
    assert alone.notes == ("most items belong together: none are held out",)


def test_rows_that_repeat_as_by_design_are_copies_and_are_told():
    copied = held(np.repeat(pixels(100), 5, axis=0))
    assert copied.groups is not None
    assert not {*copied.groups[copied.train]} & {*copied.groups[copied.held_out]}
    assert (
        "each of the rows comes about 5 times: 100 groups of copies"
        in note_groups(copied, "rows")[0]
    )
    drawn = np.random.default_rng(0).integers(0, 100, (500, 1), np.uint8)
    assert held(drawn).groups is None, "100 values as likely repeat 5 times by chance"


def test_a_source_s_own_test_part_is_held_out_with_groups_parted_at_its_limit():
    images = np.concatenate([pixels(30), pixels(5)])
    split = held(images, groups=content(digests(images, no_progress)), test_from=30)
    assert split.held_out.tolist() == [30, 31, 32, 33, 34]
    assert split.notes == ("5 items of the source's own test part have copies in the rest",)
    assert split.groups is None


def test_parts_of_a_recording_are_held_out_with_a_gap_on_both_sides():
    split = with_gap(held(pixels(300), 0.1, groups=parts(300)))
    assert len(split.held_out) == 30
    apart = np.abs(split.train[:, None] - split.held_out)
    assert apart.min() == 2
    assert 260 < len(split.train) < 270
    assert np.bincount(parts(60)).tolist() == [3] * 20


def test_items_without_a_stated_group_stand_alone():
    assert stated(["a", "", "b", None, "a"]).tolist() == [0, 1, 2, 3, 0]


def test_at_most_so_many_are_held_out_by_the_new_rule_too(monkeypatch):
    monkeypatch.setattr(split_module, "MAX_HELD_OUT", 7)
    assert len(held(pixels(100), 0.5).held_out) == 7
    assert len(held(np.repeat(pixels(30), 2, axis=0), 0.5, groups=np.arange(60) // 2).held_out) == 6


def test_the_fingerprint_changes_with_groups():
    images = pixels(40)
    hashes = digests(images, no_progress)
    alone, split = held(images), held(images, groups=np.arange(40) // 2)
    digest = [fingerprint(hashes, images.shape, None, of) for of in (alone, split)]
    assert digest[0] != digest[1]
