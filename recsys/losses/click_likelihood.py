"""The click likelihood of the articles (file 000, §4): as printed, corrected, and its penalty Ω.

The model (§4.2): f_ui = σ(x_u · w_i), the probability that user u clicks item i; n_ui counts u's clicks on i,
the article's Σ_j 𝕀(i_j = i). The correction turns the sign and adds the pairs without a click. Losses are
means over users, as the article's 1/N says. "000" is the file 000_e79ae3cbaa31c4fc.txt.

N: users. M: items. d: width. P: distinct clicked pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding, logsigmoid

from recsys.losses.chunked_likelihood import ChunkedLikelihood
from recsys.losses.clicks import Clicks, check_factors


def pair_scores(user_vectors: Tensor, item_vectors: Tensor, users: Tensor, items: Tensor) -> Tensor:
    """x_u · w_i for given pairs only: [N, d], [M, d], [P], [P] -> [P]."""
    # embedding() rather than [...]: its backward pass adds rows up several times faster
    return (embedding(users, user_vectors) * embedding(items, item_vectors)).sum(1)


def printed_loss(user_vectors: Tensor, item_vectors: Tensor, clicks: Clicks) -> Tensor:
    """L(f) = 1/N Σ_u Σ_i n_ui log f_ui, to be minimised: exactly what 000 §4.1 prints, errors included.

    It has no lower bound (f → 0 on every clicked pair makes it −∞) and leaves out pairs without a click.
    It is the log-likelihood of the clicks alone: minimising it, as printed, makes the clicks unlikely, and
    maximising it is solved by f = 1 everywhere.

    Args:
        user_vectors: [N, d] x_u. item_vectors: [M, d] w_i.
        clicks: from `recsys.losses.clicks.click_pairs`.

    Returns:
        0-d float64, ≤ 0. Differentiable; costs P·d, not N·M·d.

    Raises:
        ValueError: shapes or types do not fit.
    """
    check_factors(user_vectors, item_vectors, clicks)
    scores = pair_scores(user_vectors, item_vectors, clicks.users, clicks.items)
    return (clicks.counts * logsigmoid(scores)).sum(dtype=torch.float64) / clicks.n_users


def negative_log_likelihood(
    user_vectors: Tensor,
    item_vectors: Tensor,
    clicks: Clicks,
    negative_weight: float = 1.0,
    chunk_items: int | None = None,
) -> Tensor:
    """The corrected loss: binary cross-entropy over all N×M pairs, exact, in chunks.

    1/N Σ_u Σ_i [ −n_ui log f_ui − v · 𝕀(n_ui = 0) log(1 − f_ui) ], with v = `negative_weight`.

    Memory above the inputs: the gradients, and 4 MB of buffers a thread (float32).

    Args:
        user_vectors: [N, d] x_u. item_vectors: [M, d] w_i; float32 or float64.
        clicks: from `recsys.losses.clicks.click_pairs`.
        negative_weight: v > 0; 1 is the likelihood, less gives pairs without a click less weight (as Hu et
            al. 2008 weight squared errors).
        chunk_items: items handled at once; None fits the CPU's cache. It changes the result only by
            rounding.

    Returns:
        0-d float64 (a sum of N·M terms), ≥ 0. Differentiable once in both vectors.

    Raises:
        ValueError: shapes or types do not fit, `negative_weight` ≤ 0, `chunk_items` < 1.

    Example:
        >>> from recsys.losses.clicks import click_pairs
        >>> clicks = click_pairs(torch.tensor([0, 1, 1]), torch.tensor([2, 0, 0]), n_users=2, n_items=3)
        >>> loss = negative_log_likelihood(torch.zeros(2, 4), torch.zeros(3, 4), clicks)
        >>> round(float(loss), 4)  # f = 1/2: log 2 a click and a pair without one, (3 + 4) log 2 / 2 users
        2.426
    """
    check_factors(user_vectors, item_vectors, clicks)
    if not negative_weight > 0:
        raise ValueError(
            f"negative_weight must be above 0, got {negative_weight}; without negatives f = 1 everywhere is "
            "best, see printed_loss"
        )
    if chunk_items is not None and chunk_items < 1:
        raise ValueError(f"chunk_items must be at least 1, got {chunk_items}")
    return ChunkedLikelihood.apply(user_vectors, item_vectors, clicks, negative_weight, chunk_items)


def l2_penalty(vectors: Tensor, strength: float) -> Tensor:
    """Ω(W) = λ ‖W‖²_F (000 §4.2), λ = `strength` ≥ 0; 0-d float64."""
    if strength < 0:
        raise ValueError(f"an L2 strength below 0 rewards large weights; got {strength}")
    return strength * vectors.square().sum(dtype=torch.float64)


def click_matrix(clicks: Clicks, dtype: torch.dtype = torch.float64) -> Tensor:
    """[N, M] counts n_ui as a dense table. For small cases: the losses themselves never build it."""
    table = torch.zeros(clicks.n_users, clicks.n_items, dtype=dtype)
    table[clicks.users, clicks.items] = clicks.counts.to(dtype)
    return table


def table_loss(user_vectors: Tensor, item_vectors: Tensor, clicks: Clicks) -> Tensor:
    """The corrected loss by its formula, with N×M tables: the reference that the chunked one is tested with.

    Same arguments and value as `negative_log_likelihood` with negative_weight 1.
    """
    check_factors(user_vectors, item_vectors, clicks)
    clicked = click_matrix(clicks, user_vectors.dtype)
    scores = user_vectors @ item_vectors.t()
    # 1 - σ(s) = σ(-s); torch's softplus would round log(1 + eˢ) to s from s = 20 on
    return -(clicked * logsigmoid(scores) + (clicked == 0) * logsigmoid(-scores)).sum() / clicks.n_users


def gradient_by_hand(user_vectors: Tensor, item_vectors: Tensor, clicks: Clicks) -> tuple[Tensor, Tensor]:
    """∂L/∂X [N, d] and ∂L/∂W [M, d] of the corrected loss, derived by hand: G W / N and Gᵀ X / N.

    G_ui = f_ui where there was no click, and n_ui (f_ui − 1) where there was. Builds N×M tables.
    """
    check_factors(user_vectors, item_vectors, clicks)
    clicked = click_matrix(clicks, user_vectors.dtype)
    probability = torch.sigmoid(user_vectors @ item_vectors.t())
    slope = torch.where(clicked > 0, clicked * (probability - 1), probability)
    return slope @ item_vectors / clicks.n_users, slope.t() @ user_vectors / clicks.n_users
