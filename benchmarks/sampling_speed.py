"""Images per CPU-second of a generator at work, by batch and by the way it is run.

python -m benchmarks.sampling_speed [--rounds N] [--batches N …] [--compile]

The generator is the small convolutional one at 28x28 with fresh weights, whose batch statistics a
few forward passes have set: speed depends on neither. All ways are given the same latents, take
turns within each round, and must agree with the plain module's images to 1e-4. `sparring.sampling`
also draws its latents, and always fills its micro-batch.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_weights

from benchmarks.quality import print_on_one_thread
from benchmarks.step_speed import SIDE, Contender, comparison, measure
from sparring.build import build_generator, place, with_depths
from sparring.draws import Draw
from sparring.export import to_onnx
from sparring.kinds.images.networks.convolutional import ConvolutionalGenerator, ResizeConvolution
from sparring.kinds.images.spec import ImageSpec
from sparring.recipes.named import preset
from sparring.recipes.recipe import resolve
from sparring.sampling import MICRO_BATCH, sample

SPEC = ImageSpec(SIDE, SIDE, 1)
TOLERANCE = 1e-4  # of values in -1 to 1
Way = Callable[[Tensor], Tensor]  # latents (n, width) → images (n, channels, height, width)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print one table for each batch size."""
    parser = argparse.ArgumentParser(description="Images per CPU-second of a trained generator.")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each way")
    parser.add_argument("--seconds", type=float, default=0.3, help="CPU-seconds of a turn")
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 8, 64, 256])
    parser.add_argument("--compile", action="store_true", help="also torch.compile: a slow start")
    print_on_one_thread(report(parser.parse_args(arguments)))


def report(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the tables' lines as they become known."""
    generator = settled_generator()
    known = ways(generator, compiled=asked.compile)
    for batch in asked.batches:
        latents = first_latents(batch, generator.latent)
        worst = largest_difference(known, latents)
        rows = [Contender(name, partial(way, latents), batch) for name, way in known.items()]
        rates = measure(rows, asked.rounds, asked.seconds)
        yield f"\n{SIDE}x{SIDE}, batch {batch}; images differ by at most {worst:.1e}"
        yield from comparison(rows, rates)


def settled_generator(passes: int = 20) -> ConvolutionalGenerator:
    """Return the default generator as a plain module, with batch statistics of its own."""
    recipe = with_depths(resolve(preset("default", "small", SPEC), {"images": 1_000_000}), SPEC)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = build_generator(recipe, SPEC)
    assert isinstance(generator, ConvolutionalGenerator)
    with torch.no_grad():
        for latents in first_latents(passes * MICRO_BATCH, generator.latent).split(MICRO_BATCH):
            generator(latents)
    return generator.eval()


def first_latents(n: int, width: int) -> Tensor:
    """Return the latents that `sample` draws for samples 0 … n − 1 of seed 0."""
    return Draw(0).normal("sample/latent", (n, width))


def ways(generator: ConvolutionalGenerator, *, compiled: bool) -> dict[str, Way]:
    """Return every way to run a generator, the plain module with gradients first."""
    laid_out = place(deepcopy(generator), "cpu")
    folded = place(without_norm(generator), "cpu")
    spread = place(with_spread_kernels(without_norm(generator)), "cpu")
    found: dict[str, Way] = {
        "eager, gradients on": generator,
        "inference mode, channels last": torch.inference_mode()(laid_out.__call__),
        "  its batch norm folded": torch.inference_mode()(folded.__call__),
        "  and its kernels spread beforehand": torch.inference_mode()(spread.__call__),
        "sparring.sampling.sample": lambda latents: torch.cat([*sample(laid_out, len(latents))]),
        "ONNX Runtime": _onnx(generator),
    }
    if compiled:
        quick = torch.compile(laid_out, dynamic=False)
        found["torch.compile of inference mode"] = torch.inference_mode()(quick.__call__)
    return found


def largest_difference(known: Mapping[str, Way], latents: Tensor) -> float:
    """Return the largest difference between the first way's images and any other's.

    Raises:
        SystemExit: it is more than rounding.
    """
    expected, *_ = images = [way(latents).detach() for way in known.values()]
    worst = {
        name: (one - expected).abs().max().item() for name, one in zip(known, images, strict=True)
    }
    for name, difference in worst.items():
        if not difference <= TOLERANCE:
            raise SystemExit(
                f"'{name.strip()}' gives other images than eager: they differ by up to "
                f"{difference:.1e}; expected at most {TOLERANCE:g}"
            )
    return max(worst.values())


def without_norm(generator: ConvolutionalGenerator) -> ConvolutionalGenerator:
    """Return a copy whose layers do the work of the batch norms behind them (Jacob 2018, eq. 14).

    A repeated pixel is scaled as one is, so a resize convolution folds like a plain one.
    """
    copy = deepcopy(generator).eval()
    dense, unflatten, order, norm, act = copy.start
    copy.start = nn.Sequential(_dense_without_norm(dense, norm), unflatten, order, act)
    copy.stages = nn.Sequential(
        *(
            nn.Sequential(fuse_conv_bn_eval(layer, norm, _is_transposed(layer)), act)
            for layer, norm, act in copy.stages
        )
    )
    return copy


def _dense_without_norm(dense: nn.Linear, norm: nn.BatchNorm2d) -> nn.Linear:
    """Fold a norm of channels into rows that come as (height, width, channels)."""
    pixels = dense.out_features // norm.num_features
    mean, variance, weight, bias = (
        values.repeat(pixels)
        for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    dense.weight, dense.bias = fuse_linear_bn_weights(
        dense.weight, dense.bias, mean, variance, norm.eps, weight, bias
    )
    return dense


def _is_transposed(layer: nn.Module) -> bool:
    return isinstance(layer, nn.ConvTranspose2d)


def with_spread_kernels(generator: ConvolutionalGenerator) -> ConvolutionalGenerator:
    """Return a copy whose resize convolutions are the transposed convolutions they amount to."""
    copy = deepcopy(generator)
    for stage in copy.stages:
        stage[0] = _spread(stage[0])
    copy.head = _spread(copy.head)
    return copy


@torch.no_grad()
def _spread(layer: nn.Module) -> nn.Module:
    """Return a transposed convolution: its kernel is the layer's response to one lit pixel."""
    if not isinstance(layer, ResizeConvolution):
        return layer
    inputs, outputs = layer.in_channels, layer.out_channels
    result = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    lit = torch.zeros(inputs, inputs, 3, 3)
    lit[:, :, 1, 1] = torch.eye(inputs)
    bias = torch.zeros(outputs) if layer.bias is None else layer.bias
    result.weight.copy_((layer(lit) - bias[:, None, None])[:, :, 1:5, 1:5])
    nn.init.zeros_(result.bias).add_(bias)
    return result


def _onnx(generator: nn.Module) -> Way:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = to_onnx(deepcopy(generator), SPEC)
    session = InferenceSession(model, options, ["CPUExecutionProvider"])
    return lambda latents: torch.from_numpy(session.run(None, {"latent": latents.numpy()})[0])


if __name__ == "__main__":
    main()
