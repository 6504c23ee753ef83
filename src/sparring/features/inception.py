"""The Inception network of the Fréchet Inception distance (Szegedy 2016; Heusel 2017).

The network of 2015-12-05 as ported from TensorFlow, with that port's names of tensors. It differs
from the network of the paper: mean pooling leaves the padding out, and the last block pools by
the maximum. Nothing is downloaded: the user gives the file of weights.

Images are made red-green-blue with alpha ignored, resized to 299 × 299 bilinearly without
averaging, and scaled to 2x − 1 of x in 0..1; the features are the mean of the last map, 2048
numbers. A Fréchet distance is called FID only on the standard weights, that is on the `.pth` file
of known SHA-256, or on what `convert` made of it:

    >>> from sparring.features.inception import convert
    >>> convert("pt_inception-2015-12-05-6726825d.pth", "inception.safetensors")
"""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save as serialise
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu

from sparring.features.extractor import Extractor, Features, Items, in_batches
from sparring.features.pixels import check_images, opaque
from sparring.features.weights import (
    Tensors,
    digest_of_tensors,
    fill,
    folded,
    read_pickled,
)
from sparring.runs.folder import write_bytes

NAME = "inception-fid"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"  # of the .pth
STANDARD = "sparring.standard_weights"  # in a file's metadata: the digest of its tensors
SIDE = 299  # pixels
WIDTH = 2048
CLASSES = 1008
EPSILON = 1e-3  # of the norms
BATCH = 4


def standard_inception(path: Path) -> Extractor:
    """Return the features that the FID is defined on, from the standard `.pth` file.

    Raises:
        SparringError: it is another file; it has not been opened then.
    """
    return extractor_of(read_pickled(path, SHA256), {}, str(path), NAME, is_fid=True)


def convert(source: str | Path, target: str | Path) -> None:
    """Write the standard weights as safetensors.

    Raises:
        SparringError: the source is not the standard file.
    """
    tensors = read_pickled(Path(source), SHA256)
    taken = fill(empty_network(), tensors, str(source))
    metadata = {STANDARD: digest_of_tensors(NAME, taken)}
    write_bytes(Path(target), serialise(taken, metadata))


def extractor_of(
    tensors: Tensors, metadata: dict[str, str], origin: str, name: str, *, is_fid: bool = False
) -> Extractor:
    """Return the features of a network with these weights.

    They are the standard ones if the caller says so, or if the metadata, which `convert` writes
    and which tools that change weights do not copy, vouches for these very tensors.

    Raises:
        SparringError: they are not of this architecture.
    """
    network = empty_network()
    digest = digest_of_tensors(NAME, fill(network, tensors, origin))
    is_fid = is_fid or metadata.get(STANDARD) == digest
    for module in network.modules():
        if isinstance(module, Convolution):
            module.fold()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(items: Items) -> Features:
        check_images(items)
        return in_batches(lambda pixels: network(scaled(pixels)), items, WIDTH, BATCH)

    return Extractor(NAME if is_fid else name, digest, WIDTH, run, is_fid, is_fixed=True)


def scaled(pixels: Tensor) -> Tensor:
    """Return what the network sees of uint8 pixels (n, h, w, c): (n, 3, 299, 299), −1 to 1."""
    return 2 * interpolate(opaque(pixels), (SIDE, SIDE), mode="bilinear") - 1


def empty_network() -> "Inception":
    """Return the network without weights."""
    with torch.device("meta"):
        return Inception()


Size = int | tuple[int, int]  # of a kernel: one side, or height and width


class Convolution(nn.Module):
    """A convolution, its norm and ReLU; it keeps the size of the map, unless it is `valid`."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Size, stride: int = 1, *, valid: bool = False
    ) -> None:
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (0, 0) if valid else (sides[0] // 2, sides[1] // 2)
        self.conv = nn.Conv2d(inputs, outputs, sides, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, EPSILON)

    def fold(self) -> None:
        """Make the norm part of the convolution."""
        self.conv = folded(self.conv, self.bn)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.conv(x))


def mean_of_neighbours(x: Tensor) -> Tensor:
    """Return the mean of each pixel's 3 × 3 neighbours that lie inside the map."""
    return avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def maximum_of_neighbours(x: Tensor) -> Tensor:
    """Return the maximum of each pixel's 3 × 3 neighbours."""
    return max_pool2d(x, 3, stride=1, padding=1)


class MixedA(nn.Module):
    """Maps of 35 × 35 (Szegedy 2016, figure 5, with a 5 × 5 branch)."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Convolution(inputs, 64, 1)
        self.branch5x5_1 = Convolution(inputs, 48, 1)
        self.branch5x5_2 = Convolution(48, 64, 5)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3)
        self.branch3x3dbl_3 = Convolution(96, 96, 3)
        self.branch_pool = Convolution(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        pooled = self.branch_pool(mean_of_neighbours(x))
        return torch.cat([self.branch1x1(x), five, double, pooled], 1)


class MixedB(nn.Module):
    """From 35 × 35 to 17 × 17 (ibid., figure 10)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = Convolution(inputs, 384, 3, 2, valid=True)
        self.branch3x3dbl_1 = Convolution(inputs, 64, 1)
        self.branch3x3dbl_2 = Convolution(64, 96, 3)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, 2, valid=True)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, max_pool2d(x, 3, stride=2)], 1)


class MixedC(nn.Module):
    """Maps of 17 × 17, with 7 × 7 in two directions (ibid., figure 6)."""

    def __init__(self, inputs: int, inner: int) -> None:
        super().__init__()
        across, down = (1, 7), (7, 1)
        self.branch1x1 = Convolution(inputs, 192, 1)
        self.branch7x7_1 = Convolution(inputs, inner, 1)
        self.branch7x7_2 = Convolution(inner, inner, across)
        self.branch7x7_3 = Convolution(inner, 192, down)
        self.branch7x7dbl_1 = Convolution(inputs, inner, 1)
        self.branch7x7dbl_2 = Convolution(inner, inner, down)
        self.branch7x7dbl_3 = Convolution(inner, inner, across)
        self.branch7x7dbl_4 = Convolution(inner, inner, down)
        self.branch7x7dbl_5 = Convolution(inner, 192, across)
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        pooled = self.branch_pool(mean_of_neighbours(x))
        return torch.cat([self.branch1x1(x), seven, double, pooled], 1)


class MixedD(nn.Module):
    """From 17 × 17 to 8 × 8."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1 = Convolution(inputs, 192, 1)
        self.branch3x3_2 = Convolution(192, 320, 3, 2, valid=True)
        self.branch7x7x3_1 = Convolution(inputs, 192, 1)
        self.branch7x7x3_2 = Convolution(192, 192, (1, 7))
        self.branch7x7x3_3 = Convolution(192, 192, (7, 1))
        self.branch7x7x3_4 = Convolution(192, 192, 3, 2, valid=True)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        return torch.cat([three, self.branch7x7x3_4(seven), max_pool2d(x, 3, stride=2)], 1)


class MixedE(nn.Module):
    """Maps of 8 × 8, with branches that part once more (ibid., figure 7)."""

    def __init__(self, inputs: int, pool: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        across, down = (1, 3), (3, 1)
        self.pool = pool
        self.branch1x1 = Convolution(inputs, 320, 1)
        self.branch3x3_1 = Convolution(inputs, 384, 1)
        self.branch3x3_2a = Convolution(384, 384, across)
        self.branch3x3_2b = Convolution(384, 384, down)
        self.branch3x3dbl_1 = Convolution(inputs, 448, 1)
        self.branch3x3dbl_2 = Convolution(448, 384, 3)
        self.branch3x3dbl_3a = Convolution(384, 384, across)
        self.branch3x3dbl_3b = Convolution(384, 384, down)
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = [
            self.branch1x1(x),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(self.pool(x)),
        ]
        return torch.cat(parts, 1)


class Inception(nn.Module):
    """Scaled images (n, 3, 299, 299) to features (n, 2048), once its norms are folded."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, 2, valid=True)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3, valid=True)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3, valid=True)
        self.Mixed_5b = MixedA(192, 32)
        self.Mixed_5c = MixedA(256, 64)
        self.Mixed_5d = MixedA(288, 64)
        self.Mixed_6a = MixedB(288)
        self.Mixed_6b = MixedC(768, 128)
        self.Mixed_6c = MixedC(768, 160)
        self.Mixed_6d = MixedC(768, 160)
        self.Mixed_6e = MixedC(768, 192)
        self.Mixed_7a = MixedD(768)
        self.Mixed_7b = MixedE(1280, mean_of_neighbours)
        self.Mixed_7c = MixedE(2048, maximum_of_neighbours)
        self.fc = nn.Linear(WIDTH, CLASSES)  # in the file; the features do not need it

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = max_pool2d(x, 3, stride=2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = max_pool2d(x, 3, stride=2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean((2, 3))
