"""An exported generator draws what the run draws, and says what it draws."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open

from sparring import export
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.export import to_onnx, to_safetensors
from sparring.kinds.images.networks.convolutional import ConvolutionalGenerator
from sparring.kinds.images.networks.excitation import ExcitationGenerator
from sparring.kinds.images.networks.residual import ResidualGenerator
from sparring.kinds.images.spec import ImageSpec
from sparring.networks.mlp import MLPGenerator

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the exporter's own

CONDITIONAL = ImageSpec(9, 6, 3, ("cat", "dog"))
PLAIN = ImageSpec(8, 8, 1, value_range="0..1")


@pytest.mark.parametrize(
    "generator",
    [
        ConvolutionalGenerator(CONDITIONAL, latent=5, width=4, depth=1),
        MLPGenerator(PLAIN, latent=5, width=7, depth=2),
        ResidualGenerator(CONDITIONAL, latent=5, width=4, depth=1),
        ExcitationGenerator(CONDITIONAL, latent=5, width=4, depth=1),
    ],
    ids=["convolutional, conditional", "mlp", "residual", "excitation"],
)
def test_the_onnx_model_draws_the_same_for_any_number(generator: torch.nn.Module) -> None:
    spec = PLAIN if isinstance(generator, MLPGenerator) else CONDITIONAL
    session = onnxruntime.InferenceSession(to_onnx(generator, spec))
    for n in (1, 7):
        latent = Draw(0).normal("test", (n, 5))
        inputs = {"latent": latent.numpy()}
        label = None
        if spec.classes:
            label = torch.arange(n) % 2
            inputs["label"] = label.numpy()
        (drawn,) = session.run(None, inputs)
        with torch.inference_mode():
            expected = generator.eval()(latent, label).numpy()
        np.testing.assert_allclose(drawn, expected, atol=1e-5)


def test_both_formats_say_what_a_sample_is(tmp_path: Path) -> None:
    generator = MLPGenerator(PLAIN, latent=5, width=7, depth=1)
    model = onnx.load_model_from_string(to_onnx(generator, PLAIN))
    (tmp_path / "g.safetensors").write_bytes(to_safetensors(generator, PLAIN))
    with safe_open(tmp_path / "g.safetensors", "pt") as stored:
        said = [stored.metadata()["sparring"]]
        assert set(stored.keys()) == set(generator.state_dict())
    said += [p.value for p in model.metadata_props if p.key == "sparring"]
    assert [json.loads(text)["height"] for text in said] == [8, 8]


def test_a_missing_package_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(SparringError, match=r"pip install 'sparring\[export\]'"):
        to_onnx(MLPGenerator(PLAIN, 5, 7, 1), PLAIN)
