"""Softmax losses: a click picks one item out of the whole catalogue. Exact, and with sampled negatives.

The likelihood of 000 §4 treats every (user, item) pair as an independent Bernoulli trial; here the M items of
a user compete: P(i | u) = exp(x_u·w_i) / Σ_j exp(x_u·w_j). Losses are means over users (the article's 1/N).

N: users. M: items. d: width. P: distinct clicked pairs. S: sampled items.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import embedding

from recsys.losses.chunked_softmax import BUFFER_MB, ChunkedSoftmax
from recsys.losses.click_likelihood import click_matrix, pair_scores
from recsys.losses.clicks import Clicks, check_factors


def softmax_cross_entropy(
    user_vectors: Tensor,
    item_vectors: Tensor,
    clicks: Clicks,
    buffer_mb: float = BUFFER_MB,
    chunk_items: int | None = None,
) -> Tensor:
    """1/N Σ_u Σ_i n_ui [ log Σ_j exp(x_u·w_j) − x_u·w_i ], exact, without the N×M table.

    Memory above the inputs: the gradients and `buffer_mb`.

    Args:
        user_vectors: [N, d] x_u. item_vectors: [M, d] w_i; float32 or float64.
        clicks: from `recsys.losses.clicks.click_pairs`.
        buffer_mb: megabytes for the exponentials of one block of users (at least one user's M numbers);
            more memory means fewer passes over the catalogue.
        chunk_items: items handled at once; None fits the CPU's cache.

    Returns:
        0-d float64, ≥ 0. Differentiable once in both vectors.

    Raises:
        ValueError: shapes or types do not fit, `buffer_mb` ≤ 0, `chunk_items` < 1.
    """
    check_factors(user_vectors, item_vectors, clicks)
    if not buffer_mb > 0:
        raise ValueError(f"buffer_mb must be above 0, got {buffer_mb}")
    if chunk_items is not None and chunk_items < 1:
        raise ValueError(f"chunk_items must be at least 1, got {chunk_items}")
    return ChunkedSoftmax.apply(user_vectors, item_vectors, clicks, buffer_mb, chunk_items)


def table_cross_entropy(user_vectors: Tensor, item_vectors: Tensor, clicks: Clicks) -> Tensor:
    """The same loss by its formula, with an N×M table: the reference that the chunked one is tested with."""
    check_factors(user_vectors, item_vectors, clicks)
    logarithms = torch.log_softmax(user_vectors @ item_vectors.t(), dim=1)
    return -(click_matrix(clicks, user_vectors.dtype) * logarithms).sum() / clicks.n_users


def sampled_softmax(
    user_vectors: Tensor, item_vectors: Tensor, clicks: Clicks, sampled: Tensor, log_probability: Tensor
) -> Tensor:
    """Softmax cross-entropy with Σ_j estimated from S sampled items shared by all users.

    For a click on i, Σ_j exp(s_uj) is estimated by exp(s_ui) + 1/S Σ_{sampled j ≠ i} exp(s_uj) / q_j: an
    unbiased estimate whatever the proposal q. Dividing by q_j is the log Q correction of Bengio & Senécal
    (2008); the clicked item is known and so is not divided. The logarithm of the estimate is biased
    downwards, by less the more items are sampled.

    Args:
        user_vectors: [N, d] x_u. item_vectors: [M, d] w_i.
        clicks: from `recsys.losses.clicks.click_pairs`.
        sampled: [S] item codes drawn with replacement from q, S ≥ 1.
        log_probability: [M] log q, the proposal's log-probability of every item.

    Returns:
        0-d float64. Costs (N + P)·S, not N·M.

    Raises:
        ValueError: shapes do not fit, or a sampled item has probability 0.
    """
    check_factors(user_vectors, item_vectors, clicks)
    if sampled.ndim != 1 or not len(sampled):
        raise ValueError(f"sampled must hold at least one item code, got shape {tuple(sampled.shape)}")
    if log_probability.shape != (clicks.n_items,):
        raise ValueError(
            f"log_probability must hold one number for each of the {clicks.n_items} items, "
            f"got shape {tuple(log_probability.shape)}"
        )
    correction = log_probability[sampled] + math.log(len(sampled))
    if not torch.isfinite(correction).all():
        raise ValueError("a sampled item has log_probability −∞ or NaN: it cannot have come from this q")
    others = user_vectors @ item_vectors[sampled].t() - correction.to(user_vectors.dtype)
    own = pair_scores(user_vectors, item_vectors, clicks.users, clicks.items)
    others = embedding(clicks.users, others).masked_fill(clicks.items[:, None] == sampled, -torch.inf)
    estimate = torch.logsumexp(torch.cat([own[:, None], others], dim=1), dim=1)
    return (clicks.counts * (estimate - own)).sum(dtype=torch.float64) / clicks.n_users
