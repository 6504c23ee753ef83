"""An exported generator draws what the run draws, and says what it draws."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from sparring import export
from sparring.build import build_generator
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.export import to_onnx, to_safetensors
from sparring.kinds import KINDS
from sparring.kinds.images.spec import ImageSpec
from sparring.kinds.points.spec import VectorSpec
from sparring.kinds.sounds.spec import AudioSpec, Form, Framing
from sparring.kinds.tables.spec import Column, TableSpec
from sparring.kinds.texts.spec import TextSpec
from sparring.networks.mlp import MLPGenerator
from sparring.recipes.recipe import resolve
from sparring.spec import Spec
from sparring.training.state import latent_width

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the exporter's own

PLAIN = ImageSpec(8, 8, 1, value_range="0..1")
COLUMNS = (
    Column("mass", "real", "float64", missing=True, ranks=(0.0, 1.0), knots=(2700.0, 6300.0)),
    Column("sex", "category", "object", labels=("female", "male"), counts=(165, 168)),
)
SPECS: dict[str, Spec] = {
    "image": ImageSpec(9, 6, 3),
    "audio": AudioSpec(Framing(8000, 120, 16, 8), (0.5,) * 8, (2.0,) * 8),
    "text": TextSpec(("", "a", "b"), 3),
    "table": TableSpec(COLUMNS),
    "vector": VectorSpec((0.0, 1.0), (1.0, 2.0)),
}
FORMS: dict[str, Form] = {"istft": "sound", "wave": "wave"}
CONDITIONED = ("image", "audio", "text")  # on a class
# The others are marked slow; the contract exports the network that each kind has by default.
QUICK = {("image", "residual", True), ("text", "recurrent", False)}
GENERATORS = [
    pytest.param(kind.name, network.name, on_class, marks=[] if quick else pytest.mark.slow)
    for kind in KINDS
    for network in kind.architectures
    for on_class in ((False, True) if kind.name in CONDITIONED else (False,))
    for quick in [(kind.name, network.name, on_class) in QUICK]
    if "generator" in network.players
]


def built(kind: str, network: str, on_class: bool) -> tuple[nn.Module, Spec]:
    """Return a tiny generator of this name with random weights, and what it makes."""
    spec = SPECS[kind]
    if isinstance(spec, AudioSpec):
        spec = replace(spec, form=FORMS.get(network, "frames"))
    if on_class:
        spec = replace(spec, classes=("cat", "dog"))  # type: ignore[type-var]
    options = {"generator": {"network": network, "latent": 5, "width": 4, "depth": 1}}
    torch.manual_seed(0)
    generator = build_generator(resolve(options), spec)
    for parameter in generator.parameters():  # those that start at zero count too
        nn.init.normal_(parameter, std=0.2)
    return generator.eval(), spec


@pytest.mark.parametrize(("kind", "network", "on_class"), GENERATORS)
def test_the_onnx_model_draws_the_same_for_any_number(
    kind: str, network: str, on_class: bool
) -> None:
    generator, spec = built(kind, network, on_class)
    session = onnxruntime.InferenceSession(to_onnx(generator, spec))
    ends = [*session.get_inputs(), *session.get_outputs()]
    assert {end.shape[0] for end in ends} == {"n"}
    for n in (1, 2, 7):
        latent = Draw(0).normal("test", (n, latent_width(generator)))
        inputs = {"latent": latent.numpy()}
        label = None
        if on_class:
            label = torch.arange(n) % 2
            inputs["label"] = label.numpy()
        (drawn,) = session.run(None, inputs)
        with torch.inference_mode():
            expected = generator(latent, label).numpy()
        assert drawn.shape == (n, *spec.shape)
        np.testing.assert_allclose(drawn, expected, atol=1e-5)


class FixedBatch(MLPGenerator):
    """A generator whose code makes a constant of the number of samples."""

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return super().forward(latent + latent.new_zeros(len(latent), 1))


def test_a_generator_that_would_make_one_number_of_samples_only_is_refused() -> None:
    with pytest.raises(SparringError, match=r"would take 2 samples only; .*latent.shape\[0\]"):
        to_onnx(FixedBatch(PLAIN, latent=5, width=7, depth=1), PLAIN)


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
