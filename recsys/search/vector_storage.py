"""Storage of a catalogue's vectors and their scoring: floats, int8, sign bits.

n: vectors of the catalogue. m: queries. d: dimensions kept.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

WORD_BITS = 64  # of a binary code's words


class Storage(Protocol):
    """Interface of a storage: codes of a projected catalogue, and scores."""

    bytes_per_vector: int
    codes: Tensor | np.ndarray

    def encode(self, vectors: np.ndarray) -> Tensor | np.ndarray: ...

    def scores(self, queries: np.ndarray) -> Tensor:
        """Scores [m, d] float32 -> [m, n], larger is nearer; on any scale that keeps each row's order."""
        ...


class Floats:
    """Inner products in float32 or bfloat16.

    Args:
        catalogue: [n, d] float32.
        dtype: of codes and products.
    """

    def __init__(self, catalogue: np.ndarray, dtype: torch.dtype = torch.float32):
        self.dtype = dtype
        self.codes = self.encode(catalogue)
        self.bytes_per_vector = catalogue.shape[1] * dtype.itemsize

    def encode(self, vectors: np.ndarray) -> Tensor:
        return torch.from_numpy(vectors).to(self.dtype)

    def scores(self, queries: np.ndarray) -> Tensor:
        return self.encode(queries) @ self.codes.T


class Int8:
    """Whole numbers from −127 to 127, products summed exactly in int32.

    Args:
        catalogue: [n, d] float32.
        scale: "dimension": one scale per column, by which the query is multiplied; "vector": one per row (4
            more bytes a vector), by which the scores are multiplied.
    """

    def __init__(self, catalogue: np.ndarray, scale: Literal["dimension", "vector"]):
        self.by_vector = scale == "vector"
        self.columns = np.ones(catalogue.shape[1], np.float32)
        if not self.by_vector:
            self.columns = _step(np.abs(catalogue).max(axis=0))
        self.codes, steps = self._rounded(catalogue)
        self.steps = torch.from_numpy(steps) if self.by_vector else None
        self.bytes_per_vector = catalogue.shape[1] + (4 if self.by_vector else 0)

    def encode(self, vectors: np.ndarray) -> Tensor:
        """[n, d] int8; entries beyond the catalogue's largest of their dimension are clipped to ±127."""
        return self._rounded(vectors)[0]

    def scores(self, queries: np.ndarray) -> Tensor:
        weighted = queries * self.columns  # by the catalogue's scales, so that the sums need none
        codes = _whole(weighted / _step(np.abs(weighted).max(axis=1))[:, None])
        products = torch._int_mm(codes, self.codes.T)
        return products if self.steps is None else products * self.steps

    def _rounded(self, vectors: np.ndarray) -> tuple[Tensor, np.ndarray]:
        divided = vectors / self.columns
        steps = _step(np.abs(vectors).max(axis=1)) if self.by_vector else np.ones(len(vectors), np.float32)
        return _whole(divided / steps[:, None]), steps


class Signs:
    """One bit per dimension (the sign); the score is minus the Hamming distance.

    Args:
        catalogue: [n, d] float32.
    """

    def __init__(self, catalogue: np.ndarray):
        self.codes = self.encode(catalogue)
        self.words = np.ascontiguousarray(self.codes.T)  # word by word, for contiguous memory access
        self.bytes_per_vector = self.codes.shape[1] * WORD_BITS // 8

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        """[n, words] uint64: a bit is set where the entry is above 0; padded with unset bits."""
        missing = -vectors.shape[1] % WORD_BITS
        return np.packbits(np.pad(vectors > 0, ((0, 0), (0, missing))), axis=1).view(np.uint64)

    def scores(self, queries: np.ndarray) -> Tensor:
        asked = self.encode(queries)
        found = np.zeros((len(asked), self.words.shape[1]), dtype=np.int16)
        for row, code in zip(found, asked, strict=True):
            for word, bits in zip(self.words, code, strict=True):
                row -= np.bitwise_count(word ^ bits)
        return torch.from_numpy(found)


def _step(largest: np.ndarray) -> np.ndarray:
    """The value of one step of a code; 1 where all entries are 0."""
    return np.where(largest > 0, largest / 127, 1).astype(np.float32)


def _whole(numbers: np.ndarray) -> Tensor:
    return torch.from_numpy(np.clip(np.rint(numbers), -127, 127).astype(np.int8))
