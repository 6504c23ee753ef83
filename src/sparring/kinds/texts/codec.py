"""Numbers of symbols and what they become: one-hot columns for networks, texts for people."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import one_hot

from sparring.kinds.texts.spec import TextSpec, UnicodeForm


def encode(items: Tensor, spec: TextSpec) -> Tensor:
    """Turn numbers of symbols (n, length) into one-hot columns (n, symbols, length)."""
    return one_hot(items.long(), len(spec.symbols)).transpose(1, 2).float()


def decode(samples: Tensor, spec: TextSpec) -> Tensor:
    """Turn columns (n, symbols, length) into the numbers of their largest entries, int16."""
    return samples.argmax(1).to(torch.int16)


def texts_of(items: NDArray[Any] | Tensor, spec: TextSpec) -> list[str]:
    """Return the texts that numbers of symbols (n, length) spell, up to the first end."""
    between = " " if spec.units == "words" else ""
    texts = []
    for row in np.asarray(items).tolist():
        stop = row.index(0) if 0 in row else len(row)
        texts.append(between.join(spec.symbols[i] for i in row[:stop]).strip())
    return texts


def view(samples: Tensor, spec: TextSpec) -> Tensor:
    """Return what a discriminator sees: the samples."""
    return samples


def to_user_type(items: Tensor, spec: TextSpec) -> list[str]:
    """Return the texts themselves."""
    return texts_of(items, spec)


def describe(spec: TextSpec) -> str:
    """Say in a few words what one text is."""
    classes = f", {len(spec.classes)} classes" if spec.classes else ""
    symbols = f"{len(spec.symbols) - 1:,} {'different ' * (spec.units != 'pieces')}{spec.units}"
    return f"up to {spec.length - 1} {spec.units}, {symbols}{classes}"


def facts(spec: TextSpec) -> list[tuple[str, str]]:
    """Return length and vocabulary, named."""
    return [
        ("Shape", f"{spec.length - 1:,} {spec.units} at most"),
        ("Vocabulary", f"{len(spec.symbols) - 1:,} different {spec.units}"),
    ]


def normalise(text: str, form: UnicodeForm) -> str:
    """Return a text in a form of Unicode, blanks collapsed, nothing at its ends."""
    plain = text if form == "as it is" else unicodedata.normalize(form, text)
    return " ".join(plain.split())


def tokenizer(spec: TextSpec) -> Callable[[str], list[int] | None]:
    """Return what cuts a text into numbers of symbols; None where it has an unknown one."""
    number = {symbol: i for i, symbol in enumerate(spec.symbols) if i}

    def known(symbols: Iterable[str]) -> list[int] | None:
        codes = [number.get(symbol) for symbol in symbols]
        return None if None in codes else [code for code in codes if code is not None]

    def characters(text: str) -> list[int] | None:
        return known(text)

    def words(text: str) -> list[int] | None:
        return known(text.split())

    longest_first = sorted(number, key=lambda piece: (-len(piece), piece))
    pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def pieces(text: str) -> list[int] | None:
        parts = pattern.findall(text)
        return [number[part] for part in parts] if sum(map(len, parts)) == len(text) else None

    return {"characters": characters, "words": words, "pieces": pieces}[spec.units]
