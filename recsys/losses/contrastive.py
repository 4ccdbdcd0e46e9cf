"""Softmax over the other pairs of the batch: multiple negatives ranking, InfoNCE.

Source: Henderson et al., "Efficient Natural Language Response Suggestion for Smart Reply", 2017
(arXiv:1705.00652, §4.4, multiple negatives); van den Oord et al., "Representation Learning with Contrastive
Predictive Coding", 2018 (arXiv:1807.03748, §2.3, InfoNCE).

B: pairs. D: width.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

SCALE = 20.0  # cosines lie in [-1, 1]: unscaled, a softmax over B of them stays nearly uniform


def in_batch_softmax(a: Tensor, b: Tensor, scale: float = SCALE) -> Tensor:
    """−Σ_i log softmax_j(scale · cos(a_i, b_j)) at j = i: find b_i among all b of the batch.

    This is not a sum over samples. What pair i adds depends on which other pairs are in the batch: two
    micro-batches of 32 have 31 negatives a pair where one batch of 64 has 63, and their sums do not add up
    to the batch's. So it does not accumulate: `accumulation` and several processes train something else
    (`recsys.training.loop.train`). To save memory use gradient checkpointing. For the same reason batches
    of similar lengths are a slightly different task from random ones: their negatives are of like length.

    Args:
        a: [B, D], not all 0 in any row; need not be normalised.
        b: [B, D], b_i belongs to a_i. Equal rows of b count as negatives of each other.
        scale: > 0, the inverse temperature.

    Returns:
        0-d, the sum over the B pairs in nats, float32 at least: between 0 and B · (2 · scale + log B).

    Raises:
        ValueError: shapes that differ or are not [B, D]; a scale not above 0.
    """
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"a and b must both be [B, D], got {tuple(a.shape)} and {tuple(b.shape)}")
    if not scale > 0:
        raise ValueError(f"scale must be above 0, got {scale!r}")
    wide = torch.promote_types(a.dtype, torch.float32)  # bf16 has 8 bits: not enough to tell cosines apart
    with torch.autocast(a.device.type, enabled=False):
        scores = scale * normalize(a.to(wide), dim=1) @ normalize(b.to(wide), dim=1).t()
        return cross_entropy(scores, torch.arange(len(a), device=a.device), reduction="sum")
