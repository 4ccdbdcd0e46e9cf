"""Unit vectors under the caller's ids, in one block of memory; and the nearest of them by signs first.

A vector that is taken out leaves its place to the last one: no gaps, and the same cost however many there
are. What is found does not depend on the order in which vectors came or went: every tie at a border is let
in, and candidates are scored in the order of their ids.

n: vectors. D: width. W: 64-bit words of a code.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

WORD_BITS = 64
# times the mean size of a query's entries: from there one is large. Of MiniLM's ten nearest of 14,000 titles
# 100 candidates hold .984 (.948 where all entries count alike), 400 .999 (.993)
LARGE = 1.2
GROWTH, SPARSE = 1.5, 4  # room is made for half as many again, and given back below a quarter


class VectorRows:
    """ids and vectors of what is there, without gaps.

    Args:
        width: D.
        signs: keep a bit a dimension besides, for `nearest_by_signs`.
    """

    def __init__(self, width: int, signs: bool = False):
        self.width = width
        self._ids = np.empty(0, dtype=np.int64)
        self._vectors = np.empty((0, width), dtype=np.float32)
        self._codes = np.empty((-(-width // WORD_BITS) if signs else 0, 0), dtype=np.uint64)
        self._place: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._place)

    def __contains__(self, one: int) -> bool:
        return int(one) in self._place

    def put(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add n vectors under distinct ids that are not there."""
        first, size = len(self), len(self) + len(ids)
        if size > len(self._ids):
            self._resize(max(size, int(GROWTH * len(self._ids))))
        self._ids[first:size], self._vectors[first:size] = ids, vectors
        if len(self._codes):
            self._codes[:, first:size] = sign_codes(vectors).T
        self._place.update(zip(ids.tolist(), range(first, size), strict=True))

    def remove(self, ids: Iterable[int]) -> None:
        """Take out ids that are there."""
        for one in ids:
            place, last = self._place.pop(int(one)), len(self._place)
            if place != last:
                self._ids[place], self._vectors[place] = self._ids[last], self._vectors[last]
                self._codes[:, place] = self._codes[:, last]
                self._place[int(self._ids[place])] = place
        if SPARSE * len(self) < len(self._ids):
            self._resize(len(self))

    def of(self, ids: Iterable[int]) -> np.ndarray:
        """[n, D] vectors of ids that are there."""
        return self._vectors[[self._place[one] for one in np.asarray(ids).tolist()]]

    def ordered(self) -> tuple[np.ndarray, np.ndarray]:
        """(ids [n], ascending; vectors [n, D]): copies."""
        order = np.argsort(self._ids[: len(self)])
        return self._ids[order], self._vectors[order]

    def nearest_by_signs(self, query: np.ndarray, k: int, candidates: int) -> tuple[np.ndarray, np.ndarray]:
        """(ids, cosines) of at most k, best first: the nearest by Hamming distance of signs, in which the
        query's large entries count three times, scored in float32. Exact where `candidates` reaches n.

        Args:
            query: [D] unit length.
            candidates: scored, and all that lie as far as the last of them.
        """
        size = len(self)
        places = np.arange(size) if candidates >= size else self._nearest_codes(query, candidates)
        places = places[np.argsort(self._ids[places])]  # the same product whatever lies where
        cosines = self._vectors[places] @ query
        best = np.lexsort((self._ids[places], -cosines))[:k]
        return self._ids[places[best]], cosines[best]

    def _nearest_codes(self, query: np.ndarray, candidates: int) -> np.ndarray:
        size = np.abs(query)
        asked = sign_codes(np.stack([query, size - LARGE * size.mean()]))
        distance = np.zeros(len(self), dtype=np.uint16)
        for word, own, large in zip(self._codes[:, : len(self)], *asked, strict=True):
            differs = word ^ own
            distance += np.bitwise_count(differs)
            distance += 2 * np.bitwise_count(differs & large)
        return np.flatnonzero(distance <= np.partition(distance, candidates - 1)[candidates - 1])

    def _resize(self, room: int) -> None:
        kept = min(room, len(self._ids))
        ids, vectors = np.empty(room, np.int64), np.empty((room, self.width), np.float32)
        codes = np.empty((len(self._codes), room), np.uint64)
        ids[:kept], vectors[:kept], codes[:, :kept] = (
            self._ids[:kept],
            self._vectors[:kept],
            self._codes[:, :kept],
        )
        self._ids, self._vectors, self._codes = ids, vectors, codes


def sign_codes(vectors: np.ndarray) -> np.ndarray:
    """[n, D] -> [n, W] uint64: a bit is set where the entry is above 0, and unset beyond D."""
    above, missing = vectors > 0, -vectors.shape[1] % WORD_BITS
    if missing:  # of 384 dimensions nothing is, and a query saves a fifth of its search
        above = np.pad(above, ((0, 0), (0, missing)))
    return np.packbits(above, axis=1).view(np.uint64)
