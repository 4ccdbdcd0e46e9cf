"""Fine-tuning of a title encoder on behaviour: of two products bought one after the other, find the second.

Pairs are neighbours in a shopper's training history; the loss is the softmax over the other pairs of the
batch (`recsys.losses.contrastive`). Labels cost nothing, as 000 §3.2 has it: the log gives them.

n: pairs. B: pairs of a batch. T: tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from torch import Tensor, nn

from recsys.data.histories import histories
from recsys.encoders.backbone import Backbone
from recsys.encoders.tokens import tokenise
from recsys.ensembling.errors import EnsembleError
from recsys.losses.contrastive import in_batch_softmax
from recsys.models.next_item.data import TITLE_TOKENS
from recsys.training.loop import train
from recsys.training.settings import TrainingSettings

SETTINGS = TrainingSettings(epochs=1, learning_rate=5e-5, batch_size=64, mixed_precision="bf16")


def tune_on_successors(
    backbone: Backbone, texts: Sequence[str], events: pd.DataFrame, n_users: int, most: int, seed: int
) -> None:
    """Tune a backbone in place, one pass over at most so many pairs.

    Args:
        texts: M, one an item.
        events: training events: columns user, item, and time or order.
        most: pairs drawn, ≥ 1.
        seed: of the draw, the batches and the dropout.

    Raises:
        EnsembleError: most below 1, or nobody bought two products of different texts.
    """
    first, second = successors(events, n_users, texts)
    if most < 1 or not len(first):
        raise EnsembleError(f"tuning needs pairs of titles bought in a row: {len(first)} there, {most} asked")
    drawn = np.random.default_rng(seed).permutation(len(first))[:most]
    samples = _Pairs(backbone, texts, first[drawn], second[drawn])
    train(_Reader(backbone), samples, _loss, replace(SETTINGS, seed=seed))
    backbone.eval()


def successors(events: pd.DataFrame, n_users: int, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """([n], [n]) items of neighbours in histories whose texts differ."""
    known = histories(events, n_users)
    owner = np.repeat(np.arange(n_users), known.lengths)
    first, second = known.items[:-1], known.items[1:]
    code = pd.factorize(np.asarray(texts, dtype=object))[0]
    kept = (owner[:-1] == owner[1:]) & (code[first] != code[second])
    return first[kept], second[kept]


class _Pairs:
    """Samples: two texts each."""

    def __init__(self, backbone: Backbone, texts: Sequence[str], first: np.ndarray, second: np.ndarray):
        self.tokens = tokenise(backbone, list(texts), max_tokens=min(TITLE_TOKENS, backbone.max_tokens))
        self.first, self.second = first, second
        self.lengths = np.maximum(self.tokens.lengths[first], self.tokens.lengths[second])

    def __len__(self) -> int:
        return len(self.first)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """input_ids, attention_mask [2 B, T]: the first ones, then the second ones."""
        ids, mask = self.tokens.take(np.concatenate([self.first[indices], self.second[indices]]))
        return {"input_ids": ids, "attention_mask": mask}


class _Reader(nn.Module):
    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, int]:
        first, second = self.backbone(input_ids, attention_mask).chunk(2)
        return in_batch_softmax(first, second), len(first)


def _loss(network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    return network(**batch)
