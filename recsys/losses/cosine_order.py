"""Pairs with grades, ordered by their cosines: what a graded bi-encoder is trained with.

CoSENT (Su 2022; `CoSENTLoss` of sentence-transformers): every pair with a higher grade shall have a higher
cosine than every pair with a lower one, whatever queries they are of,

    log(1 + Σ_{i, j: g_i > g_j} exp(scale · (cos_j − cos_i)))

Only the order of grades counts, not their distances, so grades of any scale will do.

B: pairs of a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.losses.contrastive import SCALE


def cosine_order_loss(cosines: Tensor, grades: Tensor, scale: float = SCALE) -> Tensor:
    """The loss above of one batch. It is no sum over pairs: who else is in the batch matters.

    Args:
        cosines: [B], in [−1, 1]. grades: [B], higher is better.
        scale: > 0.

    Returns:
        0-d, ≥ 0; 0 where all grades are equal. Differentiable in the cosines.

    Raises:
        ValueError: other shapes, or a scale not above 0.
    """
    if cosines.ndim != 1 or cosines.shape != grades.shape:
        raise ValueError(
            f"cosines and grades must both be [B], got {tuple(cosines.shape)} and {tuple(grades.shape)}"
        )
    if not scale > 0:
        raise ValueError(f"scale must be above 0, got {scale!r}")
    cosines = cosines.to(torch.promote_types(cosines.dtype, torch.float32))
    above = grades[:, None] > grades[None, :]
    terms = scale * (cosines[None, :] - cosines[:, None])[above]
    return torch.logsumexp(torch.cat([terms.new_zeros(1), terms]), dim=0)
