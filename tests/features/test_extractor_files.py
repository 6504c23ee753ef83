"""Extractors that users bring as ONNX: what is accepted, what is seen, what is refused."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from seeded import seeded_pixels

from sparring.errors import SparringError
from sparring.features import files
from sparring.features.files import from_file

Size = int | str
Saved = Callable[..., Path]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Return a function that saves a model: the mean of each channel, as (n, channels, 1, 1)."""

    def save(
        shape: Sequence[Size] = ("n", 3, "h", "w"),
        kind: int = TensorProto.FLOAT,
        last: str = "GlobalAveragePool",
        inputs: int = 1,
    ) -> Path:
        taken = [helper.make_tensor_value_info(f"x{i}", kind, shape) for i in range(inputs)]
        nodes = [
            helper.make_node("Cast", ["x0"], ["y"], to=TensorProto.FLOAT),
            helper.make_node(last, ["y"], ["z"]),
        ]
        put_out = [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
        graph = helper.make_graph(nodes, "means", taken, put_out)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        path = tmp_path / "means.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return save


@pytest.mark.parametrize(
    ("kind", "scale"), [(TensorProto.FLOAT, 255), (TensorProto.UINT8, 1)], ids=["float", "uint8"]
)
@pytest.mark.parametrize("batch", ["n", 1, 5])
def test_a_model_sees_channels_first_from_0_to_1_or_to_255(saved, kind, scale, batch) -> None:
    path = saved((batch, 3, "h", "w"), kind)
    extractor = from_file(path)
    pixels = seeded_pixels(7, 9, 6, 3)
    features = extractor.run(pixels)
    np.testing.assert_allclose(features * scale, pixels.mean((1, 2)), rtol=1e-5)
    assert extractor.name == "means.onnx"
    assert extractor.digest == sha256(path.read_bytes()).hexdigest()[:16]
    assert extractor.width == 3
    assert not extractor.is_fid
    assert np.array_equal(extractor.run(pixels[3:4]), features[3:4])


def test_images_are_resized_where_the_sides_are_fixed(saved) -> None:
    extractor = from_file(saved(("n", 3, 24, 8)))
    halves = np.zeros((1, 40, 16, 3), np.uint8)
    halves[:, 20:] = 255
    assert extractor.run(halves)[0] == pytest.approx([0.5] * 3, abs=1e-3)


def test_grey_images_are_repeated_for_a_model_of_colours_and_alpha_lies_on_white(saved) -> None:
    extractor = from_file(saved())
    grey = seeded_pixels(2, 5, 5, 1)
    np.testing.assert_allclose(extractor.run(grey) * 255, grey.mean((1, 2)).repeat(3, 1), rtol=1e-5)
    clear = np.zeros((1, 5, 5, 4), np.uint8)
    assert np.array_equal(extractor.run(clear), np.ones((1, 3)))


def test_a_grey_model_takes_grey_images_only(saved) -> None:
    extractor = from_file(saved(("n", 1, "h", "w")))
    grey = seeded_pixels(2, 5, 5, 1)
    np.testing.assert_allclose(extractor.run(grey) * 255, grey.mean((1, 2)), rtol=1e-5)
    with pytest.raises(SparringError, match="looks at grey images, and these are in colour"):
        extractor.run(seeded_pixels(2, 5, 5, 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": ("n", 3, "h")}, "expected one input"),
        ({"shape": ("n", 5, "h", "w")}, "expected one input"),
        ({"kind": TensorProto.INT64}, r"takes tensor\(int64\) of shape"),
        ({"inputs": 2}, "expected one input"),
        ({"last": "Relu"}, r"puts out shape \(1, 3, 64, 64\) for images"),
        ({"last": "NoSuchOperator"}, "is not an ONNX model"),
    ],
)
def test_a_model_of_another_form_is_refused_in_one_line(saved, options, message) -> None:
    with pytest.raises(SparringError, match=message) as caught:
        from_file(saved(**options))
    assert "\n" not in str(caught.value)


def test_features_as_many_as_pixels_need_fixed_sides(saved) -> None:
    extractor = from_file(saved(last="Flatten"))
    with pytest.raises(SparringError, match="gives 75 features of these images and 12288 of"):
        extractor.run(seeded_pixels(2, 5, 5, 3))
    assert from_file(saved(("n", 3, 4, 4), last="Flatten")).run(
        seeded_pixels(2, 5, 5, 3)
    ).shape == (2, 48)


def test_a_missing_runtime_is_named(saved, monkeypatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(SparringError, match="pip install onnxruntime"):
        from_file(saved())


@pytest.mark.parametrize("name", ["a.onnx", "a.safetensors", "a.pth", "a.pt"])
def test_files_that_are_missing_damaged_or_of_no_known_kind_are_refused(tmp_path, name) -> None:
    path = tmp_path / name
    with pytest.raises(SparringError, match="does not exist"):
        from_file(path)
    path.write_bytes(b"what is this")
    with pytest.raises(
        SparringError, match=r"not an ONNX|not a safetensors|not been opened|not an extra"
    ):
        from_file(path)


def test_an_unknown_architecture_is_refused_with_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(SparringError, match=r"inception-fid, efficientnet-lite0, our classifier"):
        from_file(path)
