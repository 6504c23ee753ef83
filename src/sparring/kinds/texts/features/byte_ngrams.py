"""Features of texts without a network or a fit: a histogram of the n-grams of their bytes.

Notation: a text is its UTF-8 bytes between a byte for its start and one for its end; each run of
one to four of them falls into one of 1,024 places by a fixed hash (Weinberger 2009). A row holds
the roots of the shares of a text's n-grams in each place: it has length 1, and the distance of two
rows is √2 times the Hellinger distance of their histograms. Copies have distance 0.
"""

from collections.abc import Sequence

import numpy as np

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.features.extractor import Extractor, Features, Items, digest_of_arrays
from sparring.kinds.texts.codec import texts_of
from sparring.kinds.texts.spec import TextSpec

NAME = "byte-ngrams"
ORDERS = (1, 2, 3, 4)
BITS = 10
PLACES = 2**BITS
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ over the golden ratio: multiplicative hashing
START, END = b"\x02", b"\x03"
BATCH = 1024


def byte_ngrams(data: Dataset) -> Extractor:
    """Return the hashed n-grams of the texts that these items spell.

    Nothing is fitted to the data, so that all texts are looked at alike, whoever has seen them.

    Raises:
        SparringError: these are not texts.
    """
    spec = data.spec
    if not isinstance(spec, TextSpec):
        raise SparringError(f"the extractor {NAME} is for texts; these data are not texts")

    def run(items: Items) -> Features:
        parts = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
        rows = [histograms(texts_of(part, spec)) for part in parts]
        return np.concatenate([np.empty((0, PLACES), np.float32), *rows])

    digest = digest_of_arrays(f"{NAME} 1 {PLACES} {FACTOR}", {"orders": np.array(ORDERS)})
    return Extractor(NAME, digest, PLACES, run, is_fixed=True)


def histograms(texts: Sequence[str]) -> Features:
    """Return the roots of the shares of each text's byte n-grams in each place, (n, 1024)."""
    encoded = [START + text.encode("utf-8", "surrogatepass") + END for text in texts]
    symbols = np.frombuffer(b"".join(encoded), np.uint8).astype(np.uint64)
    owner = np.repeat(np.arange(len(texts)), [len(text) for text in encoded])
    counts = np.zeros(len(texts) * PLACES)
    for order in ORDERS:
        windows = max(len(symbols) - order + 1, 0)
        code = np.full(windows, order, np.uint64)
        for i in range(order):
            code = (code << np.uint64(8)) | symbols[i : i + windows]
        place = (code * FACTOR >> np.uint64(64 - BITS)).astype(np.int64)
        whole = owner[:windows] == owner[order - 1 :]  # a window does not reach into the next text
        counts += np.bincount((owner[:windows] * PLACES + place)[whole], minlength=len(counts))
    shares = counts.reshape(len(texts), PLACES)
    rows: Features = np.sqrt(shares / shares.sum(1, keepdims=True)).astype(np.float32)
    return rows
