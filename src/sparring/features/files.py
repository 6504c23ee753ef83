"""Extractors that users bring: an ONNX model, or safetensors of an architecture known here.

An ONNX model has one input, images of shape (n, channels, height, width), float32 from 0 to 1 or
uint8 from 0 to 255, with 1 or 3 channels, and puts out features of shape (n, width), or maps of
shape (n, width, 1, 1). Images are laid on white, and resized where the model has fixed sides.
Whatever else the network wants, such as a mean taken off, belongs into the model.
"""

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparring.errors import SparringError
from sparring.features import classifier, efficientnet, inception
from sparring.features.extractor import (
    HEX_DIGITS,
    Extractor,
    Features,
    Items,
    in_batches,
)
from sparring.features.pixels import at_once, check_images, coloured, resized, visible
from sparring.features.weights import read_bytes, read_safetensors

SUFFIXES = (".onnx", ".safetensors", ".pth")
TYPES = {"tensor(float)": torch.float32, "tensor(uint8)": torch.uint8}
FREE_SIDE = 64  # pixels, on which a model without fixed sides is tried


def from_file(path: Path) -> Extractor:
    """Return the extractor that a file holds.

    `.pth` is read only if it is the standard file of Inception weights; see `inception`.

    Raises:
        SparringError: the file is missing, or not of a kind known here.
    """
    if not path.is_file():
        raise SparringError(f"file '{path}' does not exist; expected an extractor, or one's name")
    match path.suffix.lower():
        case ".onnx":
            return onnx_extractor(path)
        case ".safetensors":
            return known_architecture(path)
        case ".pth":
            return inception.standard_inception(path)
    raise SparringError(f"'{path}' is not an extractor; expected one of {', '.join(SUFFIXES)}")


def known_architecture(path: Path) -> Extractor:
    """Return the extractor of a safetensors file, recognised by the names of its tensors.

    Raises:
        SparringError: it is not one of the three architectures known here.
    """
    tensors, metadata = read_safetensors(path)
    if "Conv2d_1a_3x3.conv.weight" in tensors:
        return inception.extractor_of(tensors, metadata, str(path), path.name)
    if "_conv_stem.weight" in tensors:
        return efficientnet.extractor_of(tensors, str(path), path.name)
    if classifier.METADATA in metadata:
        return classifier.classifier_from_tensors(tensors, metadata, str(path), path.name).extractor
    raise SparringError(
        f"'{path}' is of no architecture known here ({inception.NAME}, {efficientnet.NAME}, "
        "our classifier); give the network as .onnx"
    )


def onnx_extractor(path: Path) -> Extractor:
    """Return the extractor that an ONNX model is.

    Raises:
        SparringError: onnxruntime is not installed, or the model is not of the form above.
    """
    content = read_bytes(path)
    model = _model(_session(content, path), path)
    side = [model.height or FREE_SIDE, model.width or FREE_SIDE]
    width = model.rows(torch.zeros(model.batch or 1, model.channels, *side)).shape[1]

    def compute(pixels: Tensor) -> Tensor:
        rows = model(pixels)
        if rows.shape[1] != width:
            raise SparringError(
                f"'{path}' gives {rows.shape[1]} features of these images and {width} of others; "
                "give it fixed sides, to which images are then resized"
            )
        return rows

    def run(items: Items) -> Features:
        check_images(items)
        return in_batches(compute, items, width, model.batch or at_once(items))

    digest = hashlib.sha256(content).hexdigest()[:HEX_DIGITS]
    return Extractor(path.name, digest, width, run, is_fixed=True)


@dataclass(frozen=True, eq=False)
class _Model:
    """An ONNX model and what its input takes; None where that is free."""

    path: Path
    session: Any
    input: str
    dtype: torch.dtype
    batch: int | None
    channels: int
    height: int | None
    width: int | None

    def __call__(self, pixels: Tensor) -> Tensor:
        """Turn uint8 pixels (n, h, w, c) into features (n, width)."""
        grey = pixels.shape[3] < 3
        if self.channels == 1 and not grey:
            raise SparringError(f"'{self.path}' looks at grey images, and these are in colour")
        images = visible(pixels)[:, :1] if self.channels == 1 else coloured(pixels)
        height, width = images.shape[2:]
        return self.rows(resized(images, self.height or height, self.width or width))

    def rows(self, images: Tensor) -> Tensor:
        """Run the model on a full batch of images from 0 to 1."""
        if self.dtype == torch.uint8:
            images = (255 * images).round().clamp(0, 255)
        inputs = {self.input: images.to(self.dtype).contiguous().numpy()}
        try:
            (features, *_) = self.session.run(None, inputs)
        except Exception as error:  # onnxruntime's own errors have no common base
            raise SparringError(f"'{self.path}' fails on images: {_first_line(error)}") from None
        shape: tuple[int, ...] = getattr(features, "shape", ())
        if len(shape) < 2 or shape[0] != len(images) or prod(shape[2:]) != 1:
            raise SparringError(
                f"'{self.path}' puts out shape {tuple(shape)} for images of shape "
                f"{tuple(images.shape)}; expected features, (n, width)"
            )
        return torch.from_numpy(features.reshape(len(images), -1)).float()


def _session(content: bytes, path: Path) -> Any:
    if find_spec("onnxruntime") is None:
        raise SparringError(
            f"'{path}' needs the package onnxruntime; run `pip install onnxruntime`"
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # errors come as exceptions
    try:
        return onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    except Exception as error:
        raise SparringError(f"'{path}' is not an ONNX model: {_first_line(error)}") from None


def _model(session: Any, path: Path) -> _Model:
    inputs = session.get_inputs()
    shapes = ", ".join(f"{model_input.type} of shape {model_input.shape}" for model_input in inputs)
    if len(inputs) == 1 and inputs[0].type in TYPES and len(inputs[0].shape) == 4:
        sizes = [size if isinstance(size, int) else None for size in inputs[0].shape]
        batch, channels, height, width = sizes
        if channels in (1, 3, None):
            return _Model(
                path,
                session,
                inputs[0].name,
                TYPES[inputs[0].type],
                batch,
                channels or 3,
                height,
                width,
            )
    raise SparringError(
        f"'{path}' takes {shapes or 'nothing'}; expected one input, float32 or uint8 images of "
        "shape (n, 1 or 3, height, width)"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
