"""Images: of one height and width, with 1 to 4 channels."""

from typing import TYPE_CHECKING

from sparring.kinds.images.options import NAMED_SETS, SUFFIXES, ImageOptions
from sparring.kinds.images.spec import ImageSpec, halvings
from sparring.kinds.kind import MLP, Architecture, Kind, QuickFeatures

IMAGES = Kind(
    name="image",
    noun="image",
    home="sparring.kinds.images",
    spec=ImageSpec,
    options=ImageOptions,
    architectures=(
        MLP,
        Architecture("convolutional", depth=halvings),
        Architecture("residual", depth=halvings),
        Architecture("excitation", depth=halvings),
    ),
    sources="a folder or zip, subfolders are classes; a .npy, .npz or idx file",
    augmentations=("flip", "rot90", "translate", "scale", "rotate", "colour", "cutout"),
    advised_augmentations=("translate", "cutout"),
    named=NAMED_SETS,
    formats=(".npz", ".png"),
    examples=(
        "sparring train mnist --budget 2m",
        "sparring train photos/ --size small --resolution 48x64 --budget 30m",
        "sparring train photos/ --objective hinge --penalties.r1.weight 0.5 --dry-run",
        "sparring train digits --optimizer.name sgd --optimizer.lr 0.05 --optimizer.momentum 0.9",
        "sparring sample 7 --label cat --truncation 0.7 --grid --out cats.png",
        "sparring evaluate 7 test-photos/ -n 5000 --extractor pixel-pca",
        "sparring data photos.zip --resolution 64 --json",
        "sparring measure test-photos/ made-elsewhere.zip --train photos/ --out card/",
    ),
    suffixes=SUFFIXES,
    quick_features=QuickFeatures(
        "random-convolutions", "random convolutions", lambda spec: spec.height * spec.width
    ),
    reads_together=True,
)

if TYPE_CHECKING:  # the parts, held to the protocol
    from sparring.kinds.images import codec, measures, output, play, presets, reader, together
    from sparring.kinds.kind import Codec, Measures, Output, Play, Presets, Reader, Together

    _reader: Reader[ImageSpec] = reader
    _codec: Codec[ImageSpec] = codec
    _presets: Presets[ImageSpec] = presets
    _play: Play[ImageSpec] = play
    _measures: Measures = measures
    _output: Output[ImageSpec] = output
    _together: Together = together
