"""SASRec: a causal Transformer over item ids (Kang & McAuley 2018, arXiv:1808.09781).

Two losses. "bce", as published: at every position the next item against one negative drawn at random. The
architecture, sizes and optimiser are those of the S3-Rec repository (Zhou et al. 2020, arXiv:2008.07873),
whose table holds the published row for the Beauty and Sports files. "cross_entropy": a softmax over the whole
catalogue, which explains most of what later papers gained over SASRec (Klenitskiy & Vasilev 2023,
arXiv:2309.07602).

B: users in a batch. T: the longest history in it. M: items. d: width. P: positions with a target.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, logsigmoid

from recsys.data.histories import Histories
from recsys.encoders.item_sequence import ItemSequenceEncoder
from recsys.encoders.item_vectors import ItemVectors
from recsys.encoders.sequence_network import SequenceNetwork
from recsys.training.next_item import NextItemRecommender, catalogue_cross_entropy
from recsys.training.prefixes import IGNORED, SequenceSamples
from recsys.training.settings import TrainingSettings

# As published: Adam 1e-3, 256 users a batch, until validation has not improved for 10 epochs. The 256 are
# eight groups of users with histories of similar length, for speed. A single group would weigh a user of two
# purchases as much as one of forty: after 16 epochs validation NDCG@10 on Beauty was .025 instead of .032.
PUBLISHED = TrainingSettings(
    epochs=200,
    learning_rate=1e-3,
    optimizer="adam",
    schedule="constant",
    warmup_share=0.0,
    batch_size=32,
    accumulation=8,
    clip_norm=None,
    patience=10,
)


class SASRec(NextItemRecommender):
    """A self-attentive sequential recommender; losses and sources in the module's docstring.

    Args:
        loss: "bce" or "cross_entropy".
        settings: of training; the published ones by default.
        width, layers, heads, drop: of the Transformer: d, number of layers and heads, dropout in [0, 1).
        max_items: how many of the newest items of a history are read.
        judging: further arguments of `NextItemRecommender`, such as judged_users.
    """

    def __init__(
        self,
        loss: Literal["bce", "cross_entropy"] = "bce",
        settings: TrainingSettings = PUBLISHED,
        width: int = 64,
        layers: int = 2,
        heads: int = 2,
        drop: float = 0.5,
        max_items: int = 50,
        **judging,
    ):
        super().__init__(settings, **judging)
        if loss not in ("bce", "cross_entropy"):
            raise ValueError(f"loss must be 'bce' or 'cross_entropy', not {loss!r}")
        self.loss_name = loss
        self.shape = {"width": width, "layers": layers, "heads": heads, "drop": drop, "max_items": max_items}

    def build(self, n_items: int) -> nn.Module:
        return SequenceNetwork(ItemVectors(n_items, self.shape["width"]), ItemSequenceEncoder(**self.shape))

    def samples(self, known: Histories) -> SequenceSamples:
        self.known_pairs = _pair_keys(known, len(self.popularity))
        return SequenceSamples(known, self.shape["max_items"])

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        states, vectors = network(batch["items"], batch["lengths"], every_position=True)
        there = batch["target"] != IGNORED
        states, target = states[there].float(), batch["target"][there]
        if self.loss_name == "cross_entropy":
            return catalogue_cross_entropy(states, vectors, target)
        users = batch["users"][:, None].expand_as(batch["items"])[there]
        # drawn on the CPU, so that the draws are the same whatever the device
        other = _not_met(users.cpu(), self.known_pairs, len(vectors)).to(target.device)
        own, drawn = ((states * embedding(codes, vectors)).sum(1) for codes in (target, other))
        return -(logsigmoid(own) + logsigmoid(-drawn)).sum(), len(target)

    def user_vectors(self, users: np.ndarray) -> Tensor:
        items, lengths = self.known.newest(users, self.shape["max_items"])
        return self.network.read(items, lengths, self.items)


def _pair_keys(known: Histories, n_items: int) -> Tensor:
    """Sorted keys user · M + item of all pairs in the histories, for lookup."""
    users = np.repeat(np.arange(known.n_users), known.lengths)
    return torch.from_numpy(np.unique(users * n_items + known.items))


def _not_met(users: Tensor, known_pairs: Tensor, n_items: int) -> Tensor:
    """[P] items drawn uniformly, redrawn where the user has them (a user who has all keeps the draw)."""
    drawn = torch.randint(n_items, users.shape)
    for _ in range(100):
        keys = users * n_items + drawn
        place = torch.searchsorted(known_pairs, keys).clamp(max=len(known_pairs) - 1)
        met = known_pairs[place] == keys
        if not met.any():
            break
        drawn[met] = torch.randint(n_items, (int(met.sum()),))
    return drawn
