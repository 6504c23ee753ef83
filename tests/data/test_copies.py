import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from sparring.data.copies import joined, with_near_copies
from sparring.data.dataset import no_progress
from sparring.data.split import content, digests
from sparring.plotting import to_image

DIGITS = np.rint(load_digits().images[:400] * (255 / 16)).astype(np.uint8)[..., None]


def near(pictures):
    hashes = digests(pictures, no_progress)
    return with_near_copies(pictures, hashes, content(hashes), no_progress)


def smooth(count=60, seed=0):
    """Pictures (n, 32, 32, 3) of a few waves in each colour."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 5, 5, 3), np.uint8)
    return np.stack([np.asarray(to_image(one).resize((32, 32), Image.BICUBIC)) for one in coarse])


def compressed(pictures):
    """The same with noise, darker, and from a quarter of the pixels."""
    random = np.random.default_rng(1)
    noisy = pictures + random.normal(0, 5, pictures.shape)
    darker = 0.7 * pictures + 20
    small = [to_image(one).resize((16, 16), Image.BOX) for one in pictures]
    large = np.stack([np.asarray(one.resize((32, 32), Image.BICUBIC)) for one in small])
    return [np.clip(of, 0, 255).astype(np.uint8) for of in (noisy, darker, large)]


def test_copies_that_were_changed_a_little_belong_together_and_nothing_else_does():
    pictures = smooth()
    groups, notes = near(np.concatenate([pictures, *compressed(pictures)]))
    assert notes == []
    assert np.array_equal(groups.reshape(4, -1), np.tile(groups[: len(pictures)], (4, 1)))
    assert len(np.unique(groups)) == len(pictures)


def test_digits_that_are_alike_are_not_copies():
    assert len(np.unique(near(DIGITS)[0])) == len(DIGITS)


def test_pictures_without_contrast_and_the_smallest_are_told_by_content_alone():
    flat = np.arange(0, 250, 2, dtype=np.uint8)[:, None, None, None] + np.zeros((8, 8, 1), np.uint8)
    assert len(np.unique(near(flat)[0])) == len(flat)
    small = np.random.default_rng(0).integers(0, 256, (3000, 2, 2, 1), np.uint8)
    assert len(np.unique(near(small)[0])) == len(np.unique(small.reshape(3000, -1), axis=0))


def test_a_chain_of_like_pictures_does_not_swallow_the_set():
    x = np.linspace(0, 2 * np.pi, 24)
    turned = np.sin(x[:, None, None] + np.linspace(0, 2 * np.pi, 200)[None, None])
    chain = np.repeat((127 + 120 * turned).transpose(2, 0, 1)[..., None], 24, axis=2)
    groups, notes = near(chain.astype(np.uint8))
    assert np.bincount(groups).max() <= 16
    assert notes == ["chains of near-copies are cut where a group would have more than 16 pictures"]


def test_groups_that_share_an_item_are_one():
    assert joined(np.array([0, 0, 1, 2, 3]), np.array([0, 1, 1, 2, 3])).tolist() == [0, 0, 0, 1, 2]
