"""Distillation of an ensemble into one model (Hinton et al. 2015, arXiv:1503.02531).

The student is trained on the usual prefixes, and on one additional sample per user: the whole training
history, whose next item is unknown, with the ensemble's fused list as a soft target. Such a list contains
what a single purchase cannot: which other items would have been as good. The lists are as of the start of the
validation part; the validation purchases influence them only by the few fusion weights chosen on them.

The loss is a cross-entropy over the catalogue: a purchase counts 1, an item of a soft list its share times
`trust`.

B: users. C: candidates. K: items of a soft list. n: samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn

from recsys.data.histories import Histories
from recsys.ensembling.candidate_lists import Pool
from recsys.ensembling.errors import EnsembleError
from recsys.losses.clicks import Clicks
from recsys.losses.softmax import softmax_cross_entropy
from recsys.metrics.lists import NO_ITEM
from recsys.models.next_item.bucketed_sequence import BucketedTitleCosine, BucketedTitleSequence
from recsys.training.prefixes import PrefixSamples

UNIT = 1024  # the losses take integer counts: a purchase counts this much, a soft item a share of it


@dataclass(frozen=True)
class SoftLists:
    """Soft targets. users [B]; ids [B, K], padded with NO_ITEM; shares [B, K], ≥ 0, rows sum to one."""

    users: np.ndarray
    ids: np.ndarray
    shares: np.ndarray


def soft_lists(pool: Pool, fused: np.ndarray, top: int = 50, temperature: float = 1.0) -> SoftLists:
    """The best K of fused scores as probabilities: softmax(fused / temperature) over them.

    Args:
        pool: whose candidates the fused scores are.
        fused: [B, C], for example z-scores weighted.
        top: K.
        temperature: > 0, in units of the fused scores; the lower, the more the first items count.

    Raises:
        EnsembleError: an argument out of range, or fused scores of another shape.
    """
    if not temperature > 0 or top < 1 or fused.shape != pool.ids.shape:
        raise EnsembleError(
            f"soft lists need temperature > 0, top ≥ 1 and scores of shape {pool.ids.shape}; got "
            f"{temperature}, {top}, {fused.shape}"
        )
    order = np.argsort(-fused, axis=1, kind="stable")[:, :top]
    best, ids = np.take_along_axis(fused, order, axis=1), np.take_along_axis(pool.ids, order, axis=1)
    there = np.isfinite(best)
    whole = there.any(axis=1)
    shares = softmax(np.where(there, best / temperature, -np.inf)[whole], axis=1)
    return SoftLists(pool.rows[whole], np.where(there, ids, NO_ITEM)[whole], shares)


class TaughtPrefixes:
    """`Samples`: prefixes with their next item, then users' whole histories with soft lists.

    Args:
        known: training histories.
        max_items: how many of the newest items are read.
        lists: soft targets; users without a history are left out.
        trust: weight of a soft sample, > 0; a purchase has weight 1.
        most_per_user: see `PrefixSamples`.

    Raises:
        EnsembleError: trust is not above 0.
    """

    def __init__(
        self, known: Histories, max_items: int, lists: SoftLists, trust: float, most_per_user: int | None
    ):
        if not trust > 0:
            raise EnsembleError(f"trust must be above 0, got {trust}")
        self.known, self.hard = known, PrefixSamples(known, max_items, most_per_user=most_per_user)
        read = np.minimum(known.lengths[known.checked(lists.users)], max_items)
        kept = read > 0
        self.ids = lists.ids[kept]
        self.counts = np.rint(lists.shares[kept] * trust * UNIT).astype(np.int64)
        self.ends = np.concatenate([self.hard.ends, known.starts[lists.users[kept] + 1]])
        self.lengths = np.concatenate([self.hard.lengths, read[kept]])

    def __len__(self) -> int:
        return len(self.ends)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """items [b, T] (padded at the end with 0), lengths [b]; pairs: row, item, count [P]; all int64."""
        items, lengths = self.known.windows(self.ends[indices], self.lengths[indices])
        soft = indices >= len(self.hard)
        taught = indices[soft] - len(self.hard)
        there = (self.ids[taught] != NO_ITEM) & (self.counts[taught] > 0)
        which, place = np.nonzero(there)
        row = np.concatenate([np.flatnonzero(~soft), np.flatnonzero(soft)[which]])
        item = np.concatenate(
            [self.known.items[self.ends[indices[~soft]]], self.ids[taught][which, place].astype(np.int64)]
        )
        count = np.concatenate([np.full((~soft).sum(), UNIT), self.counts[taught][which, place]])
        order = np.lexsort((row, item))  # the order that the losses need: by item, then user
        arrays = {"items": items, "lengths": lengths, "row": row[order], "item": item[order]}
        arrays["count"] = count[order]
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


class Taught:
    """Mixin that adds soft targets to a `TitleSequence` or a subclass of it."""

    lists: SoftLists
    trust: float

    def samples(self, known: Histories) -> TaughtPrefixes:
        return TaughtPrefixes(known, self.shape["max_items"], self.lists, self.trust, self.most_per_user)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        users, vectors = network(batch["items"], batch["lengths"])
        clicks = Clicks(batch["row"], batch["item"], batch["count"], len(users), len(vectors))
        mean = softmax_cross_entropy(users.float(), vectors.float(), clicks)
        return mean * len(users) / UNIT, len(users)

    def _task(self) -> str:
        return f"{super()._task()} taught {self.lists.shares.sum():.6g} {int(self.lists.ids.sum())}"


class DistilledTitleSequence(Taught, BucketedTitleSequence):
    """`TitleSequence` distilled from an ensemble's lists.

    Args:
        text: as `TitleSequence`.
        lists: from `soft_lists`.
        trust: weight of a soft sample against a purchase.
        rest: see `TitleSequence`.
    """

    def __init__(self, text: np.ndarray | None, lists: SoftLists, trust: float = 1.0, **rest):
        super().__init__(text, **rest)
        self.lists, self.trust = lists, trust


class DistilledTitleCosine(Taught, BucketedTitleCosine):
    """`TitleCosineSequence` distilled in the same way; arguments as `DistilledTitleSequence`."""

    def __init__(self, text: np.ndarray, lists: SoftLists, trust: float = 1.0, **rest):
        super().__init__(text, **rest)
        self.lists, self.trust = lists, trust
