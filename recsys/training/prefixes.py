"""Training samples of next-item prediction, made from histories.

*PrefixSamples*: one sample for each event but a user's first: the items before it, and the item to predict.
*SequenceSamples*: one sample for each user with a prediction at every position, which causal attention makes
possible: fewer passes, but all positions of a user share one dropout mask and one batch, so results differ
from those of prefixes.

B: samples in a batch. T: the longest history in it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from recsys.data.histories import Histories

IGNORED = -100  # target of a position without a prediction, as in torch's cross_entropy


class PrefixSamples:
    """One sample for each event after a user's first.

    Args:
        known: histories to train on.
        max_items: how many of the newest items of a prefix are kept, ≥ 1.
        repeats: whether items that the user had before are targets too. Where repeats are not evaluated
            (`recsys.metrics.ranking.evaluate` with seen="mask") they should not be trained on either.
        most_per_user: how many of the newest samples of each user are kept, ≥ 1; None takes all.
    """

    def __init__(
        self, known: Histories, max_items: int = 50, repeats: bool = False, most_per_user: int | None = None
    ):
        if max_items < 1 or (most_per_user is not None and most_per_user < 1):
            raise ValueError(
                f"max_items and most_per_user must be at least 1, got {max_items}, {most_per_user}"
            )
        users = np.repeat(np.arange(known.n_users), known.lengths)
        wanted = np.arange(len(known.items)) > known.starts[users]
        if not repeats:
            wanted &= ~_met_before(users, known.items)
        if most_per_user is not None:
            wanted &= _rank_from_end(wanted, users) < most_per_user
        self.known = known
        self.ends = np.flatnonzero(wanted)
        self.users = users[self.ends]
        self.lengths = np.minimum(self.ends - known.starts[self.users], max_items)

    def __len__(self) -> int:
        return len(self.ends)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """items [B, T] (padded at the end with 0), lengths [B], target [B]; all int64."""
        ends = self.ends[indices]
        items, lengths = self.known.windows(ends, self.lengths[indices])
        arrays = {"items": items, "lengths": lengths, "target": self.known.items[ends]}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


class SequenceSamples:
    """One sample for each user with a new item to predict: at every position the next item.

    Items that the user had before are no targets, as in `PrefixSamples`: their positions are IGNORED.

    Args:
        known: histories to train on.
        max_items: how many of the newest predictions of a user are kept, ≥ 1.
    """

    def __init__(self, known: Histories, max_items: int = 50):
        if max_items < 1:
            raise ValueError(f"max_items must be at least 1, got {max_items}")
        owners = np.repeat(np.arange(known.n_users), known.lengths)
        target = np.where(_met_before(owners, known.items), IGNORED, known.items)
        self.known, self.targets = known, Histories(target, known.starts)
        kept = known.starts[owners + 1] - np.arange(len(owners)) <= max_items
        wanted = kept & (target != IGNORED) & (np.arange(len(owners)) > known.starts[owners])
        self.users = np.unique(owners[wanted])
        self.lengths = np.minimum(known.lengths[self.users] - 1, max_items)

    def __len__(self) -> int:
        return len(self.users)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """items [B, T] (padded with 0), lengths [B], target [B, T] (padded with IGNORED), users [B]."""
        users = self.users[indices]
        ends = self.known.starts[users + 1]
        items, lengths = self.known.windows(ends - 1, self.lengths[indices])
        target, _ = self.targets.windows(ends, lengths, padding=IGNORED)
        arrays = {"items": items, "lengths": lengths, "target": target, "users": users}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _met_before(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """[K] whether the same user has the same item at an earlier place."""
    pairs = users.astype(np.int64) * (int(items.max(initial=0)) + 1) + items
    _, first = np.unique(pairs, return_index=True)
    repeated = np.ones(len(items), dtype=bool)
    repeated[first] = False
    return repeated


def _rank_from_end(wanted: np.ndarray, users: np.ndarray) -> np.ndarray:
    """[K] how many wanted events the same user has after this one."""
    after = np.cumsum(wanted[::-1])[::-1] - wanted
    last = np.searchsorted(users, users, side="right") - 1
    return after - (after[last] if len(users) else 0)
