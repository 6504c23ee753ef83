"""A small fixed classifier whose penultimate features are the yardstick of `quality`.

Trained here with a fixed seed on the training part's labels, on one thread, and cached; the
table names the hash of its weights. Distances on other features are on another scale.
"""

from hashlib import blake2b
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from sparring.data.dataset import Dataset

FEATURES = 64
BATCH, LR = 64, 1e-3
UPDATES = 2_500  # about 20 CPU-seconds at 28×28


class Classifier(nn.Module):
    """Pixels (n, h, w, channels), uint8, to 64 features (n, 64), and to logits of the classes."""

    def __init__(self, height: int, width: int, channels: int, classes: int) -> None:
        super().__init__()
        sides = ceil(height / 2) // 2, ceil(width / 2) // 2
        self.body = nn.Sequential(
            nn.Conv2d(channels, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(64 * sides[0] * sides[1], FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(FEATURES, classes)

    def features(self, pixels: Tensor) -> Tensor:
        return self.body(pixels.permute(0, 3, 1, 2) / 127.5 - 1)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.features(pixels))


def load_classifier(data: Dataset, cache: Path, updates: int = UPDATES) -> Classifier:
    """Return the classifier of this labelled data, trained now unless the cache has it."""
    spec = data.spec
    path = cache / f"classifier-{data.name}-{data.fingerprint[:8]}-{updates}.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Classifier(spec.height, spec.width, spec.channels, len(spec.classes))
        if path.exists():
            network.load_state_dict(load_file(path))
        else:
            _fit(network, data, updates)
            cache.mkdir(parents=True, exist_ok=True)
            save_file(network.state_dict(), path)
    return network.eval().requires_grad_(False)


def _fit(network: Classifier, data: Dataset, updates: int) -> None:
    assert data.labels is not None
    optimizer = AdamW(network.parameters(), LR, weight_decay=0.01)
    schedule = OneCycleLR(optimizer, LR, total_steps=updates)
    for _ in range(updates):
        index = data.train[torch.randint(len(data.train), (BATCH,)).numpy()]
        logits = network(torch.from_numpy(data.items[index]))
        optimizer.zero_grad()
        cross_entropy(logits, torch.from_numpy(data.labels[index])).backward()
        optimizer.step()
        schedule.step()


@torch.inference_mode()
def features_of(network: Classifier, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the penultimate features (n, 64)."""
    chunks = torch.from_numpy(pixels).split(500)
    return torch.cat([network.features(chunk) for chunk in chunks]).double().numpy()


@torch.inference_mode()
def accuracy(network: Classifier, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Return the share of images whose class it tells."""
    told = [network(chunk).argmax(1) for chunk in torch.from_numpy(pixels).split(500)]
    return float((torch.cat(told).numpy() == labels).mean())


def weights_hash(network: Classifier) -> str:
    """Return a short hash of all weights."""
    digest = blake2b(digest_size=6)
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()
