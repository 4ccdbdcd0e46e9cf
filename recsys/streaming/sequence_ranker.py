"""Ranks by the sequence model of notebook 02, from the recent items of user states.

The whole catalogue is scored (a matrix product); up to some hundred thousand items that is the fastest search
on a CPU, and exact.
"""

from __future__ import annotations

import numpy as np
import torch

from recsys.streaming.user_state import NONE
from recsys.training.next_item import NextItemRecommender


class SequenceRanker:
    """A `Ranker` by a fitted next-item model (`recsys.models.next_item.title_sequence.TitleSequence`).

    Args:
        model: fitted; its catalogue is 0 … M − 1. Items that it does not know are skipped.
        k: length of the lists.
        max_items: how many of the newest recent items are read.
    """

    def __init__(self, model: NextItemRecommender, k: int = 10, max_items: int = 20):
        self.model, self.max_items = model, max_items
        self.k = min(k, len(model.popularity))

    @torch.inference_mode()
    def of_states(self, states: np.ndarray) -> np.ndarray:
        """[U] states -> [U, k] int64 item codes, best first, without the user's recent items."""
        recent = states["items"]
        known = (recent != NONE) & (recent < len(self.model.popularity))
        scores = torch.from_numpy(self.model.popularity).expand(len(states), -1).clone()
        readers = np.flatnonzero(known.any(axis=1))
        if len(readers):
            items, lengths = _packed(recent[readers], known[readers], self.max_items)
            vectors = self.model.network.read(items, lengths, self.model.items)
            scores[readers] = vectors @ self.model.items.t()
        rows, places = np.nonzero(known)
        scores[rows, recent[rows, places]] = -torch.inf
        return scores.topk(self.k).indices.numpy()


def _packed(recent: np.ndarray, known: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """[B, R] recent items, oldest first, with gaps -> [B, T] the newest known, padded at the end; [B]."""
    lengths = np.minimum(known.sum(axis=1), most)
    table = np.zeros((len(recent), int(lengths.max())), dtype=np.int64)
    for row, (items, good, length) in enumerate(zip(recent, known, lengths, strict=True)):
        table[row, :length] = items[good][-length:]
    return table, lengths
