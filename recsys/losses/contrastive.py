"""In-batch softmax over pairs: multiple negatives ranking, InfoNCE.

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

    The loss is not a sum over independent samples: the other pairs of the batch are a pair's negatives. Two
    micro-batches of 32 give 31 negatives a pair where one batch of 64 gives 63, so gradient accumulation and
    several processes change the loss (`recsys.training.loop.train`); to save memory use gradient
    checkpointing. For the same reason batches of similar length are a slightly different task from random
    ones: their negatives have similar lengths.

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
