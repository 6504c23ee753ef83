"""A trained generator for use elsewhere: ONNX for any runtime, safetensors for PyTorch.

The ONNX model maps `latent` (n, width) float32, and `label` (n,) int64 when there are classes, to
`sample`, encoded as the spec says: (n, channels, height, width) or (n, d); n is free.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import nn

from sparring.errors import SparringError
from sparring.spec import Spec
from sparring.training.state import Tensors, latent_width

INT64 = 7  # ONNX's number of the type


def to_onnx(generator: nn.Module, spec: Spec) -> bytes:
    """Return the generator as an ONNX model; its metadata holds the spec as JSON.

    Raises:
        SparringError: the packages of the extra `export` are not installed, or the generator's code
            fixes how many samples it makes at a time.
    """
    for package in ("onnx", "onnxscript"):
        if find_spec(package) is None:
            raise SparringError(
                f"ONNX needs the package '{package}'; install: pip install 'sparring[export]'"
            )
    latent = torch.zeros(2, latent_width(generator))
    inputs = (latent, torch.zeros(2, dtype=torch.int64)) if spec.classes else (latent,)
    free = {0: torch.export.Dim("n", min=1)}
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        warnings.simplefilter("ignore")  # about packages that are not needed
        program = torch.onnx.export(
            generator.eval(),
            inputs,
            input_names=["latent", "label"][: len(inputs)],
            output_names=["sample"],
            dynamic_shapes=(free, free)[: len(inputs)],
            custom_translation_table=_translations(),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    _refuse_fixed_batch(program)
    program.model.metadata_props["sparring"] = json.dumps(asdict(spec))
    return bytes(program.model_proto.SerializeToString())


def _translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return what ONNX has in the place of searches in ascending numbers: all are counted."""
    op: Any = import_module("onnxscript").opset18

    def count(edges: Any, values: Any, right: bool) -> Any:
        column = op.Unsqueeze(values, op.Constant(value_ints=[-1]))
        passed = op.LessOrEqual(edges, column) if right else op.Less(edges, column)
        last = op.Constant(value_ints=[-1])
        return op.ReduceSum(op.Cast(passed, to=INT64), last, keepdims=0)

    def searchsorted(edges: Any, values: Any, *, right: bool = False, **_: Any) -> Any:
        return count(edges, values, right)

    def bucketize(values: Any, edges: Any, *, right: bool = False, **_: Any) -> Any:
        return count(edges, values, right)

    aten = torch.ops.aten
    return {aten.searchsorted.Tensor: searchsorted, aten.bucketize.Tensor: bucketize}


def _refuse_fixed_batch(program: torch.onnx.ONNXProgram) -> None:
    """Refuse a graph that takes or makes one number of samples only."""
    graph = program.model.graph
    for value in (*graph.inputs, *graph.outputs):
        batch = value.shape[0] if value.shape else None
        if isinstance(batch, int):
            raise SparringError(
                f"the generator cannot be exported: it would take {batch} samples only; "
                "in its forward, write latent.shape[0] for len(latent), which fixes the number"
            )


def to_safetensors(
    generator: nn.Module, spec: Spec, about: Mapping[str, str] | None = None
) -> bytes:
    """Return the generator's tensors; the header's metadata holds the spec as JSON, and more."""
    tensors = {name: tensor.contiguous() for name, tensor in generator.state_dict().items()}
    return serialise(tensors, {"sparring": json.dumps(asdict(spec)), **(about or {})})


def from_safetensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Return the tensors of a file and its metadata.

    Raises:
        SparringError: it cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise SparringError(f"'{path}' is not a safetensors file: {error}") from None


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Silence a logger's warnings for a while."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
