"""How far the float32 gradients of the chunked losses are from float64, on a share of the rows.

N: users. M: items. d: width. c: items in a chunk.
"""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.losses.clicks import Clicks

CHECKED = 200  # users, and items, whose gradients are computed again
CHUNK = 8192  # items; [CHUNK, N] in float64 is 66 MB for 1,000 users


@torch.no_grad()
def gradient_error(users: Tensor, items: Tensor, clicks: Clicks, softmax: bool) -> float:
    """‖g − g64‖ / ‖g64‖ (Frobenius), the worse of the gradients of the first `CHECKED` users and items.

    Every entry of these gradients still sums over all M items or all N users.

    Args:
        users: [N, d] x_u, items: [M, d] w_i, both with `.grad` filled by one backward pass.
        clicks: the clicks of that pass.
        softmax: whether the loss was `softmax_cross_entropy`; else `negative_log_likelihood`.
    """
    everyone, few = users.double(), users[:CHECKED].double()
    scale = clicks.per_user().double()
    if softmax:
        scale /= sum((everyone @ piece.double().t()).exp_().sum(1) for piece in items.split(CHUNK))
    of_users = torch.zeros_like(few)
    for first in range(0, len(items), CHUNK):
        piece = items[first : first + CHUNK].double()
        of_users += _slopes(few, piece, clicks, first, scale if softmax else None).t() @ piece
    of_items = _slopes(everyone, items[:CHECKED].double(), clicks, 0, scale if softmax else None) @ everyone
    return max(
        (
            (users.grad[:CHECKED].double() - of_users / len(users)).norm() * len(users) / of_users.norm()
        ).item(),
        (
            (items.grad[:CHECKED].double() - of_items / len(users)).norm() * len(users) / of_items.norm()
        ).item(),
    )


def _slopes(users: Tensor, piece: Tensor, clicks: Clicks, first: int, scale: Tensor | None) -> Tensor:
    """[c, users] ∂(N·loss)/∂score for the items from `first` on; `scale` is k_u / Z_u of the softmax."""
    scores = piece @ users.t()
    row, user, count = clicks.between(first, first + len(piece))
    here = user < len(users)
    counts = torch.zeros_like(scores)
    counts[row[here], user[here]] = count[here].double()
    if scale is not None:
        return scores.exp() * scale[: len(users)] - counts
    probability = scores.sigmoid()
    return torch.where(counts > 0, counts * (probability - 1), probability)
