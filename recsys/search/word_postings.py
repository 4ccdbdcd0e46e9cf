"""BM25 that follows a catalogue as products come and go: an inverted index whose scores are made when asked.

bm25s (`recsys.search.lexical`) stores finished scores, and every one of them depends on the number of
documents and on their mean length: one new title is a new index, seconds of a large catalogue. Here a word
keeps where it stands and how often, and the formula is applied to the query's words alone: the same scores,
those of an index built anew to the last bit.

r: rows of titles, dead ones too. n: rows of one word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from recsys.search.lexical import words

NOTHING = np.empty(0, dtype=np.int64)


class WordPostings:
    """Titles under row numbers that count up from 0.

    Args:
        k1, b: of BM25, as in `recsys.search.lexical.LexicalIndex`.
    """

    def __init__(self, k1: float = 1.2, b: float = 0.75):
        self.k1, self.b = k1, b
        self.rows, self.live, self._total = 0, 0, 0
        self._lengths, self._alive = np.empty(0, dtype=np.int32), np.empty(0, dtype=bool)
        self._places: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # word -> rows [n], counts [n]
        self._scores: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # of words asked for since a change

    def add(self, texts: Sequence[str]) -> None:
        """Append titles; one without a word is never found."""
        first, self.rows = self.rows, self.rows + len(texts)
        if self.rows > len(self._lengths):
            room = max(self.rows, 3 * len(self._lengths) // 2)
            self._lengths, self._alive = (_with_room(x, room) for x in (self._lengths, self._alive))
        found: dict[str, tuple[list[int], list[int]]] = {}
        for row, text in enumerate(texts, first):
            own = Counter(words(text))
            self._lengths[row] = own.total()
            for word, count in own.items():
                rows, counts = found.setdefault(word, ([], []))
                rows.append(row)
                counts.append(count)
        for word, new in found.items():
            # new arrays, so that whoever reads the old ones meanwhile reads something whole
            old = self._places.get(word, (NOTHING, NOTHING))
            rows, counts = (np.concatenate([one, np.array(two)]) for one, two in zip(old, new, strict=True))
            self._places[word] = rows, counts
        self._alive[first : self.rows] = True
        self._changed(len(texts), int(self._lengths[first : self.rows].sum()))

    def delete(self, rows: Sequence[int], texts: Sequence[str]) -> None:
        """Take live rows out; `texts` are their titles."""
        self._alive[np.asarray(rows, dtype=np.int64)] = False
        for word in {word for text in texts for word in words(text)}:
            places = self._places[word]
            kept = self._alive[places[0]]
            self._places[word] = places[0][kept], places[1][kept]
            if not kept.any():
                del self._places[word]
        self._changed(-len(rows), -int(self._lengths[np.asarray(rows, dtype=np.int64)].sum()))

    def search(self, query: str, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of at most `most` titles that hold a word of the query, best first, of equals the lowest row;
        and the scores of all rows [r] float32, 0 where no word fits."""
        scores = np.zeros(self.rows, dtype=np.float32)
        parts = [self._of(word) for word in dict.fromkeys(words(query)) if word in self._places]
        for rows, values in parts:
            scores[rows] += values
        if not parts:
            return NOTHING, scores
        rows = np.concatenate([rows for rows, _ in parts])
        values, enough = scores[rows], most * len(parts)  # a title stands here once a word at most
        if len(rows) > enough:
            rows = rows[values >= np.partition(values, -enough)[-enough]]
        rows = np.unique(rows)
        return rows[np.lexsort((rows, -scores[rows]))[:most]], scores

    def _of(self, word: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows and scores of a word, in the form that Lucene and bm25s have: no factor k1 + 1."""
        known = self._scores.get(word)
        if known is None:
            rows, counts = self._places[word]
            rarity = np.log(1 + (self.live - len(rows) + 0.5) / (len(rows) + 0.5))
            norm = self.k1 * (1 - self.b + self.b * self._lengths[rows] / (self._total / self.live))
            known = rows, (rarity * counts / (counts + norm)).astype(np.float32)
            self._scores[word] = known
        return known

    def _changed(self, titles: int, length: int) -> None:
        self.live, self._total = self.live + titles, self._total + length
        self._scores = {}


def _with_room(array: np.ndarray, room: int) -> np.ndarray:
    return np.concatenate([array, np.zeros(room - len(array), dtype=array.dtype)])
