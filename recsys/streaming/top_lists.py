"""Top-k lists from user states alone, cheap enough to be computed for every user changed by a batch.

score(u, i) = (intent_share · intent_u + (1 − intent_share) · interest_u) · v_i, with intent and interest of
unit length; the user's recent items are left out. A user without either gets the popularity list. The engine
stores this list; `recsys.streaming.overlay` re-ranks with a sequence model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

SCORES_AT_ONCE = 4_000_000  # 16 MB of float32


@dataclass(frozen=True)
class TopLists:
    """Ranks items by user states. vectors: [M, D]. popularity: [M], the fallback. k: length of a list."""

    vectors: np.ndarray
    popularity: np.ndarray
    k: int = 10
    intent_share: float = 0.5

    def of_states(self, states: np.ndarray) -> np.ndarray:
        """[U] states -> [U, k] int64 item codes, best first."""
        k = min(self.k, len(self.vectors))
        tops = np.empty((len(states), k), dtype=np.int64)
        step = max(1, SCORES_AT_ONCE // max(1, len(self.vectors)))
        for start in range(0, len(states), step):
            tops[start : start + step] = best(self.scores(states[start : start + step]), k)
        return tops

    def scores(self, states: np.ndarray) -> np.ndarray:
        """[U, M] float32; −∞ for the user's recent items."""
        wish = self.intent_share * _unit(states["intent"])
        wish += (1 - self.intent_share) * _unit(states["interest"])
        scores = (wish @ self.vectors.T).astype(np.float32)
        # popularity breaks ties: it is scaled far below any meaningful difference
        scores += (1e-6 * self.popularity / max(1, self.popularity.max(initial=1))).astype(np.float32)
        rows, places = np.nonzero((states["items"] >= 0) & (states["items"] < len(self.vectors)))
        scores[rows, states["items"][rows, places]] = -np.inf
        return scores


def best(scores: np.ndarray, k: int) -> np.ndarray:
    """[B, M] -> [B, k] columns of the k largest scores, best first, equal ones by ascending code."""
    k = min(k, scores.shape[1])
    line = np.partition(scores, -k, axis=1)[:, -k][:, None]
    tops = np.empty((len(scores), k), dtype=np.int64)
    for row in range(len(scores)):
        candidates = np.flatnonzero(scores[row] >= line[row])
        order = np.argsort(-scores[row, candidates], kind="stable")
        tops[row] = candidates[order[:k]]
    return tops


def save_catalogue(path: Path, vectors: np.ndarray, popularity: np.ndarray) -> None:
    """Save the item data that the engine's workers need; read by `load_catalogue`."""
    with path.open("wb") as file:
        np.savez(file, vectors=vectors.astype(np.float64), popularity=popularity.astype(np.int64))


def load_catalogue(path: Path, k: int) -> TopLists:
    """Load a file of `save_catalogue`. k = 0: only the vectors are used."""
    with np.load(path, allow_pickle=False) as kept:
        return TopLists(kept["vectors"], kept["popularity"], k)


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
