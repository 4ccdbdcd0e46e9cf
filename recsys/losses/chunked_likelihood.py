"""The exact binary cross-entropy over all N×M pairs, one cache-sized chunk at a time.

For a chunk of c items, with S = W_c Xᵀ [c, N] and P = σ(S), the gradient of Σ softplus(s) is P itself, so

    loss += Σ softplus(S)        dX += Pᵀ W_c        dW_c = P X

are three matrix products, as many as autograd needs with the whole table in memory (2·N·M·d operations
each), and the chunk is dropped before the next one. The few clicked pairs are corrected by index afterwards.
S is laid out items × users because both gradient products run faster that way than transposed.

Softplus costs a logarithm an element. With q = min(p, 1-p) = σ(-|s|) it is max(s, 0) - log(1-q), and
(1-a)(1-b) = 1 - (a + b(1-a)): eight factors are folded into one before the logarithm is taken. q ≤ ½ keeps
this exact to rounding at both ends: no 1-p of a p near 1, and none of a q lost beside 1.

N: users. M: items. d: width. c: items in a chunk. b: users in a block.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid

from recsys.losses.clicks import Clicks
from recsys.losses.item_walk import Walk, chunk_size, walk_items

BLOCK_USERS = 2048  # more users are cut into blocks, because a chunk would hold too few items
FOLDS = 3  # times that factors are multiplied in pairs: 2³ factors for one logarithm


def likelihood_and_gradients(
    user_vectors: Tensor,
    item_vectors: Tensor,
    clicks: Clicks,
    negative_weight: float = 1.0,
    chunk_items: int | None = None,
    with_user_gradient: bool = True,
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Negative log-likelihood per user and its gradients; see `click_likelihood.negative_log_likelihood`.

    The arguments are not checked again.

    Returns:
        loss (0-d float64), gradient for user_vectors [N, d] or None, gradient for item_vectors [M, d].
    """
    n_users, n_items, device = len(user_vectors), len(item_vectors), user_vectors.device
    size = -(-n_users // -(-n_users // BLOCK_USERS))
    user_gradient = torch.zeros_like(user_vectors, dtype=torch.float64) if with_user_gradient else None
    item_gradient = torch.empty_like(item_vectors, memory_format=torch.contiguous_format)
    total = torch.zeros((), dtype=torch.float64, device=device)
    for first in range(0, n_users, size):
        users = user_vectors[first : first + size]
        part = clicks if size == n_users else clicks.of_users(torch.arange(first, first + len(users)))
        visit = partial(
            _visit_chunks,
            users=users,
            transposed=users.t().contiguous(),
            items=item_vectors,
            clicks=part,
            weight=negative_weight,
            item_gradient=item_gradient,
            accumulate=first > 0,
            with_user_gradient=with_user_gradient,
        )
        for loss, gradient in walk_items(visit, n_items, chunk_size(size, n_items, chunk_items), device):
            total += loss
            if with_user_gradient:
                user_gradient[first : first + size] += gradient
    scale = negative_weight / n_users  # _visit_chunks leaves the weight out, so that its G = P needs no pass
    item_gradient.mul_(scale)
    if user_gradient is not None:
        user_gradient = user_gradient.mul_(scale).to(user_vectors.dtype)
    return total / n_users, user_gradient, item_gradient


def _visit_chunks(
    walk: Walk,
    users: Tensor,
    transposed: Tensor,
    items: Tensor,
    clicks: Clicks,
    weight: float,
    item_gradient: Tensor,
    accumulate: bool,
    with_user_gradient: bool,
) -> tuple[Tensor, Tensor | None]:
    """Set (or add to) this worker's rows of item_gradient; return its loss and user gradient, in float64."""
    total = torch.zeros((), dtype=torch.float64, device=users.device)
    gradient = torch.zeros_like(users, dtype=torch.float64) if with_user_gradient else None
    gradient_of_chunk = torch.empty_like(users)
    buffers = [users.new_empty(walk.chunk, len(users)) for _ in range(2)]
    for first, last in walk:
        scores, probabilities = (buffer[: last - first] for buffer in buffers)
        torch.mm(items[first:last], transposed, out=scores)
        torch.sigmoid(scores, out=probabilities)
        row, user, count = clicks.between(first, last)
        count = count.to(scores.dtype)
        clicked = scores[row, user]
        total += (weight * logsigmoid(-clicked) - count * logsigmoid(clicked)).sum().double()
        total += weight * _sum_softplus(scores, probabilities)
        probabilities[row, user] = -count / weight * torch.sigmoid(-clicked)
        rows = item_gradient[first:last]
        torch.addmm(rows, probabilities, users, beta=int(accumulate), out=rows)
        if gradient is not None:
            gradient += torch.mm(probabilities.t(), items[first:last], out=gradient_of_chunk)
    return total, gradient


def _sum_softplus(scores: Tensor, probabilities: Tensor) -> Tensor:
    """Σ log(1 + eˢ) of a chunk, given σ(s) too; overwrites the scores."""
    total = scores.clamp_min_(0).sum().double()
    one = scores.new_ones(())
    unlikelier = torch.sub(one, probabilities, out=scores)
    torch.minimum(unlikelier, probabilities, out=unlikelier)
    rows = len(unlikelier)
    for _ in range(FOLDS):
        if rows % 2:
            break
        rows //= 2
        unlikelier[:rows].lerp_(one, unlikelier[rows : 2 * rows])  # a + b(1-a)
    return total - unlikelier[:rows].neg_().log1p_().sum().double()


class ChunkedLikelihood(torch.autograd.Function):
    """`likelihood_and_gradients` as an autograd function: forward computes loss and gradients together."""

    @staticmethod
    def forward(ctx, user_vectors, item_vectors, clicks, negative_weight, chunk_items):
        loss, user_gradient, item_gradient = likelihood_and_gradients(
            user_vectors, item_vectors, clicks, negative_weight, chunk_items, ctx.needs_input_grad[0]
        )
        ctx.save_for_backward(user_gradient, item_gradient)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        return *scaled(ctx.saved_tensors, upstream), None, None, None


def scaled(gradients: tuple[Tensor | None, ...], upstream: Tensor) -> list[Tensor | None]:
    """Gradients times the 0-d upstream gradient; returned without a copy when that is 1."""
    if upstream.item() == 1.0:
        return list(gradients)
    return [None if gradient is None else gradient * upstream for gradient in gradients]
