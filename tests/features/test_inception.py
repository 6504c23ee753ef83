"""The Inception network of the FID against numbers that pytorch-fid gives for the same weights.

The numbers come from the network of pytorch-fid 0.3.0 (torchvision 0.29.1) in float32, on images
of 40 × 30 that it resizes itself. The standard weights are not at hand.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from seeded import seeded_pixels, seeded_weights
from torch import Tensor, nn

from sparring.errors import SparringError
from sparring.features import inception
from sparring.features.files import from_file
from sparring.features.inception import Convolution, convert, empty_network, extractor_of, scaled

WHICH = [0, 320, 704, 1089, 1480, 1860]  # one of each branch of the last block
SEEDED = [
    [0.27113938, 0.14994355, 0.15491317, 0.19938844, 0.13003798, 0.24970013],
    [0.27282882, 0.15082888, 0.15133488, 0.20230225, 0.12894824, 0.23887138],
]
SEEDED_MEAN = 0.07930557027738275
SEEDED_APART = 0.001197282646246467  # mean |difference| of the two images


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return seeded_weights(empty_network())


def test_seeded_weights_give_the_features_of_pytorch_fid(weights: dict[str, Tensor]) -> None:
    extractor = extractor_of(weights, {}, "here", "mine")
    assert (extractor.name, extractor.width, extractor.is_fid) == ("mine", 2048, False)
    features = extractor.run(seeded_pixels(2, 40, 30, 3)).astype(np.float64)
    assert features.shape == (2, 2048)
    np.testing.assert_allclose(features[:, WHICH], SEEDED, rtol=1e-5)
    assert features.mean() == pytest.approx(SEEDED_MEAN, rel=1e-6)
    assert np.abs(features[0] - features[1]).mean() == pytest.approx(SEEDED_APART, rel=1e-3)


def test_the_tensors_are_those_of_the_standard_file(weights: dict[str, Tensor]) -> None:
    """94 convolutions, each with a norm of four tensors, and the last layer's 1008 classes."""
    assert len(weights) == 94 * 5 + 2
    assert sum(w.numel() for name, w in weights.items() if "running" not in name) == 23_850_960
    shapes = {
        "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
        "Conv2d_4a_3x3.bn.running_var": (192,),
        "Mixed_5d.branch5x5_2.conv.weight": (64, 48, 5, 5),
        "Mixed_6a.branch3x3dbl_3.conv.weight": (96, 96, 3, 3),
        "Mixed_6c.branch7x7dbl_5.conv.weight": (192, 160, 1, 7),
        "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
        "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
        "Mixed_7c.branch_pool.bn.bias": (192,),
        "fc.weight": (1008, 2048),
        "fc.bias": (1008,),
    }
    assert {name: tuple(weights[name].shape) for name in shapes} == shapes


def test_the_network_sees_pixels_resized_without_averaging_from_minus_one_to_one() -> None:
    white = torch.full((1, 8, 8, 1), 255, dtype=torch.uint8)
    assert scaled(white).shape == (1, 3, 299, 299)
    torch.testing.assert_close(scaled(white), torch.ones(1, 3, 299, 299))
    torch.testing.assert_close(scaled(white * 0), -torch.ones(1, 3, 299, 299))
    stripes = torch.zeros(1, 897, 897, 3, dtype=torch.uint8)
    stripes[:, 1::3] = 255  # every third row, and only those are looked at
    torch.testing.assert_close(scaled(stripes), torch.ones(1, 3, 299, 299))
    clear = torch.tensor([[[[200, 100, 0, 0]]]], dtype=torch.uint8)
    assert float(scaled(clear)[0, 0, 0, 0]) == pytest.approx(2 * 200 / 255 - 1)


class Tiny(nn.Module):
    """A stand-in for the network, so that its files are small."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 2048, 1, 8)
        self.fc = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.Conv2d_1a_3x3(x).mean((2, 3))


@pytest.fixture
def tiny(monkeypatch) -> dict[str, Tensor]:
    """Return seeded weights of the stand-in, which takes the network's place."""
    monkeypatch.setattr(inception, "Inception", Tiny)
    return seeded_weights(Tiny())


@pytest.fixture
def standard(tiny: dict[str, Tensor], tmp_path: Path, monkeypatch) -> Path:
    """Pretend that the seeded weights, with counters and pickled, are the standard file."""
    path = tmp_path / "standard.pth"
    torch.save(tiny | {"Conv2d_1a_3x3.bn.num_batches_tracked": torch.tensor(3)}, path)
    monkeypatch.setattr(inception, "SHA256", sha256(path.read_bytes()).hexdigest())
    return path


def test_the_known_file_is_the_one_whose_name_ends_in_its_hash() -> None:
    assert inception.SHA256.startswith("6726825d")
    assert len(inception.SHA256) == 64


def test_any_other_weights_are_not_the_fid(tiny: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_file(tiny, path)
    found = from_file(path)
    assert not found.is_fid
    assert found.name == "mine.safetensors"


def test_the_standard_file_is_the_fid_pickled_or_converted(
    standard: Path, tiny: dict[str, Tensor]
) -> None:
    converted = standard.with_name("inception.safetensors")
    convert(standard, converted)
    for path in (standard, converted):
        found = from_file(path)
        assert found.is_fid
        assert found.name == "inception-fid"
        assert found.digest == extractor_of(tiny, {}, "", "").digest


def test_converted_weights_that_were_changed_are_not_the_fid(standard: Path) -> None:
    path = standard.with_name("inception.safetensors")
    convert(standard, path)
    with safe_open(path, "np") as file:
        claims = file.metadata()
    changed = load_file(path)
    changed["fc.bias"][0] += 1
    save_file(changed, path, claims)
    found = from_file(path)
    assert not found.is_fid
    assert found.name == "inception.safetensors"


def test_a_pickled_file_with_other_bytes_is_not_opened(standard: Path, monkeypatch) -> None:
    standard.write_bytes(standard.read_bytes() + b"\0")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(SparringError, match=r"has SHA-256 .* has not been opened"):
        from_file(standard)
    with pytest.raises(SparringError, match="has not been opened"):
        convert(standard, standard.with_name("to.safetensors"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc.bias": None}, "lacks tensor 'fc.bias'"),
        ({"more": torch.zeros(1)}, "has an unknown tensor 'more'"),
        ({"fc.bias": torch.zeros(1000)}, r"of shape \(1000,\); expected \(3,\)"),
        ({"fc.bias": torch.full((3,), torch.nan)}, "not finite"),
        ({"fc.bias": torch.zeros(3, dtype=torch.int64)}, "not finite"),
    ],
)
def test_weights_of_another_architecture_are_refused(tiny, change, message: str) -> None:
    changed = {name: w for name, w in (tiny | change).items() if w is not None}
    with pytest.raises(SparringError, match=message):
        extractor_of(changed, {}, "file", "file")


def test_weights_in_half_precision_are_taken_but_are_not_the_standard_ones(tiny) -> None:
    exact = extractor_of(tiny, {}, "", "")
    halved = {name: w.half() for name, w in tiny.items()}
    found = extractor_of(halved, {inception.STANDARD: exact.digest}, "file", "file")
    assert not found.is_fid
    images = seeded_pixels(1, 12, 12, 3)
    np.testing.assert_allclose(found.run(images), exact.run(images), atol=0.01)
