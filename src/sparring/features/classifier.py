"""A small classifier trained on the labels of the data: features that know what matters in it.

The 64 numbers before its last activation are the features; its class probabilities tell which
classes a generator leaves out. It is trained here in seconds, with fixed draws and on one thread,
and kept as a safetensors file, which may be given to others: trained elsewhere, it would differ
in the last bits, so numbers compare where the digest of its weights is the same. Whatever becomes
a picture can be classified: images, and the mel pictures of sounds.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save as serialise
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, silu
from torch.optim import AdamW

from sparring.data.dataset import Dataset, no_progress
from sparring.data.pack import Progress
from sparring.draws import Draw
from sparring.errors import SparringError
from sparring.features.extractor import Extractor, Features, Items, in_batches, spread
from sparring.features.pixels import at_once, check_images, thumbnails
from sparring.features.weights import Tensors, digest_of_tensors, fill, read_safetensors
from sparring.runs.folder import write_bytes
from sparring.sampling import on_threads

NAME = "classifier"
METADATA = "sparring.classifier"  # key of a file's metadata
RECIPE = 1  # number of the training recipe below; another one is another classifier
WIDTH = 64
SEED = 0
BATCH, LR, WEIGHT_DECAY = 64, 2e-3, 0.05
UPDATES = 1200  # about 9 CPU-seconds at 28×28
WARM_UP = 0.1  # of the updates; from there the rate falls linearly to 0
MAX_ITEMS, MAX_BYTES = 50_000, 2**31  # read for training, spread evenly
MIN_STRIDED_SIDE = 16  # pixels on the shorter side, from which the first layer halves them


@dataclass(frozen=True)
class ClassifierFacts:
    """What a file of weights says of itself."""

    height: int
    width: int
    channels: int
    classes: tuple[str, ...]
    accuracy: float | None  # share of held-out images whose class it tells


@dataclass(frozen=True, eq=False)
class ImageClassifier:
    """A trained classifier: its features, its probabilities, and how far to trust them."""

    extractor: Extractor
    probabilities: Callable[[Items], Features]  # (n, classes), rows summing to 1
    classes: tuple[str, ...]
    accuracy: float | None  # share of held-out images whose class it tells


def train_or_load_classifier(
    data: Dataset, cache: Path, *, progress: Progress = no_progress, updates: int = UPDATES
) -> ImageClassifier:
    """Return the classifier of labelled images, trained now unless the cache has it.

    Args:
        data: images with labels; it is trained on `data.train`, and scored on `data.held_out`.
        cache: a folder; the weights lie below it, by the fingerprint of the data.
        progress: told how many updates are done.
        updates: of the training.

    Raises:
        SparringError: the data are not images, or have no labels of at least two classes.
    """
    check_labelled_images(data)
    name = f"classifier-{data.fingerprint[:16]}-{RECIPE}-{updates}.safetensors"
    path = cache / "features" / name
    try:
        return classifier_from_tensors(*read_safetensors(path), str(path), NAME)
    except SparringError:
        pass  # not trained yet, or what was kept is damaged
    network = _trained(data, updates, progress)
    height, width, channels = data.items.shape[1:]
    about = ClassifierFacts(height, width, channels, data.spec.classes, _accuracy(network, data))
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {key: tensor.detach().contiguous() for key, tensor in network.state_dict().items()}
    write_bytes(path, serialise(tensors, {METADATA: json.dumps(asdict(about))}))
    return classifier_from_tensors(*read_safetensors(path), str(path), NAME)


def classifier_from_tensors(
    tensors: Tensors, metadata: dict[str, str], origin: str, name: str
) -> ImageClassifier:
    """Return the classifier with these weights.

    Raises:
        SparringError: they do not come from a file that `train_or_load_classifier` wrote.
    """
    try:
        about = TypeAdapter(ClassifierFacts).validate_json(metadata.get(METADATA, ""))
    except ValidationError:
        raise SparringError(f"'{origin}' does not say what it classifies") from None
    shape = about.height, about.width, about.channels
    with torch.device("meta"):
        network = ClassifierNetwork(shape, len(about.classes))
    digest = digest_of_tensors(NAME, fill(network, tensors, origin))

    def features(items: Items) -> Features:
        check_images(items, shape)
        return in_batches(
            lambda pixels: network.features(thumbnails(pixels)), items, WIDTH, at_once(items)
        )

    def probabilities(items: Items) -> Features:
        check_images(items, shape)
        return in_batches(
            lambda pixels: network(thumbnails(pixels)).softmax(1),
            items,
            len(about.classes),
            at_once(items),
        )

    extractor = Extractor(name, digest, WIDTH, features)
    return ImageClassifier(extractor, probabilities, about.classes, about.accuracy)


class ClassifierNetwork(nn.Module):
    """Thumbnails, uint8 (n, channels, height, width), to 64 features, and to logits."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        example = thumbnails(torch.zeros(1, *shape, dtype=torch.uint8, device="cpu"))
        large = min(example.shape[2:]) >= MIN_STRIDED_SIDE
        self.body = nn.Sequential(
            nn.Conv2d(shape[2], 16, 3, stride=2 if large else 1, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Flatten(),
        )
        inside = example.to(next(self.body.parameters()).device).float()
        self.last = nn.Linear(self.body(inside).shape[1], WIDTH)
        self.head = nn.Linear(WIDTH, classes)

    def features(self, small: Tensor) -> Tensor:
        """Return the features (n, 64), to which no activation has been applied yet."""
        features: Tensor = self.last(self.body(small.float() / 127.5 - 1))
        return features

    def forward(self, small: Tensor) -> Tensor:
        logits: Tensor = self.head(silu(self.features(small)))
        return logits


def check_labelled_images(data: Dataset) -> None:
    """Raise `SparringError` unless these are images, or pictures, of at least two classes."""
    if data.items.ndim != 4 or data.items.dtype != np.uint8:
        raise SparringError("the classifier looks at images; use coordinates for vectors")
    if data.labels is None or len(np.unique(data.labels[data.train])) < 2:
        raise SparringError(
            "the classifier needs images with labels of at least 2 classes; give --data.labels, "
            "or use random-convolutions"
        )


def _trained(data: Dataset, updates: int, progress: Progress) -> ClassifierNetwork:
    """Return a classifier of the training images."""
    assert data.labels is not None
    limit = min(MAX_ITEMS, max(MAX_BYTES // data.items[:1].nbytes, BATCH))
    chosen = spread(data.train, limit)
    images, labels = _small(data.items, chosen), torch.from_numpy(data.labels[chosen])
    height, width, channels = data.items.shape[1:]
    with torch.random.fork_rng(devices=[]), on_threads(1):
        network = ClassifierNetwork((height, width, channels), len(data.spec.classes))
        _init_weights(network)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = AdamW(network.parameters(), LR, weight_decay=WEIGHT_DECAY)
        for update in range(updates):
            _set_rate(optimizer, update / updates)
            index = Draw(SEED, update * BATCH).integers("classifier/batch", BATCH, len(images))
            optimizer.zero_grad()
            cross_entropy(network(images[index]), labels[index]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            progress("training the classifier", update + 1, updates)
    return network


def _small(items: Items, chosen: NDArray[np.int64]) -> Tensor:
    """Return thumbnails of the chosen items, which may be too many to be held in full."""
    parts = np.array_split(chosen, max(len(chosen) // BATCH, 1))
    return torch.cat([thumbnails(torch.from_numpy(items[part])) for part in parts])


def _init_weights(network: nn.Module) -> None:
    """Draw weights at U(±√(6/fan_in)) (He 2015), biases at 0."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1:
                parameter.zero_()
                continue
            uniform = Draw(SEED).uniform(f"classifier/{name}", tuple(parameter.shape))
            parameter.copy_((2 * uniform - 1) * sqrt(6 / parameter[0].numel()))


def _set_rate(optimizer: AdamW, share: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = LR * min(share / WARM_UP, (1 - share) / (1 - WARM_UP))


def _accuracy(network: ClassifierNetwork, data: Dataset) -> float | None:
    """Return the share of held-out images whose class it tells; None if there are none."""
    assert data.labels is not None
    if not len(data.held_out):
        return None
    right = 0
    with torch.inference_mode():
        for part in np.array_split(data.held_out, len(data.held_out) // BATCH + 1):
            predicted = network(thumbnails(torch.from_numpy(data.items[part]))).argmax(1).numpy()
            right += int((predicted == data.labels[part]).sum())
    return right / len(data.held_out)
