"""CoSENT: a loss that orders graded pairs by their cosines, for training graded bi-encoders.

Source: Su 2022 (`CoSENTLoss` of sentence-transformers). Every pair with a higher grade shall have a higher
cosine than every pair with a lower one, whichever queries they belong to,

    log(1 + Σ_{i, j: g_i > g_j} exp(scale · (cos_j − cos_i)))

Only the order of grades counts, not their distances, so grades may be on any scale.

B: pairs of a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.losses.contrastive import SCALE


def cosine_order_loss(cosines: Tensor, grades: Tensor, scale: float = SCALE) -> Tensor:
    """CoSENT loss of one batch. Not a sum over pairs: every pair is compared with the others of the batch.

    Args:
        cosines: [B], in [−1, 1]. grades: [B], higher is better.
        scale: > 0.

    Returns:
        0-d, ≥ 0; 0 where all grades are equal. Differentiable in the cosines.

    Raises:
        ValueError: other shapes, or a scale not above 0.

    Example:
        >>> cosines, grades = torch.tensor([0.9, 0.1]), torch.tensor([3.0, 1.0])
        >>> bool(cosine_order_loss(cosines, grades) < cosine_order_loss(cosines.flip(0), grades))
        True
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
