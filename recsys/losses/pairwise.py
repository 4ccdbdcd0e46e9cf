"""Pairwise loss: a clicked item should score above an item that was not clicked.

N: users. M: items. d: width. P: distinct clicked pairs. R: negatives for each clicked pair.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding, logsigmoid

from recsys.losses.click_likelihood import pair_scores
from recsys.losses.clicks import Clicks, check_factors


def bayesian_personalised_ranking(
    user_vectors: Tensor, item_vectors: Tensor, clicks: Clicks, negatives: Tensor
) -> Tensor:
    """BPR: −1/N Σ_(u,i) n_ui · mean over the negatives j of log σ(x_u·w_i − x_u·w_j).

    Rendle et al. 2009 (arXiv:1205.2618), without their penalty.

    Args:
        user_vectors: [N, d] x_u. item_vectors: [M, d] w_i.
        clicks: from `recsys.losses.clicks.click_pairs`.
        negatives: [P, R] item codes, row p for the p-th clicked pair, R ≥ 1; see `draw_negatives`.

    Returns:
        0-d float64, ≥ 0.

    Raises:
        ValueError: shapes do not fit or a code is out of range.
    """
    check_factors(user_vectors, item_vectors, clicks)
    pairs = len(clicks.items)
    if negatives.ndim != 2 or len(negatives) != pairs or not negatives.shape[1]:
        raise ValueError(
            f"negatives must be [{pairs} clicked pairs, at least 1], got shape {tuple(negatives.shape)}"
        )
    if pairs and not 0 <= int(negatives.min()) <= int(negatives.max()) < clicks.n_items:
        raise ValueError(f"negatives hold codes outside 0 to {clicks.n_items - 1}")
    own = pair_scores(user_vectors, item_vectors, clicks.users, clicks.items)
    users = embedding(clicks.users, user_vectors)
    others = torch.einsum("pd,prd->pr", users, embedding(negatives, item_vectors))
    surprise = -logsigmoid(own[:, None] - others).mean(1)
    return (clicks.counts * surprise).sum(dtype=torch.float64) / clicks.n_users


def draw_negatives(clicks: Clicks, per_pair: int, generator: torch.Generator) -> Tensor:
    """[P, per_pair] item codes, uniform over the items that the pair's user did not click.

    Draws from all items and redraws what was clicked.

    Raises:
        ValueError: per_pair < 1, or a user clicked every item.
    """
    if per_pair < 1:
        raise ValueError(f"need at least one negative for each pair, got per_pair={per_pair}")
    if len(clicks.users) and int(torch.bincount(clicks.users).max()) >= clicks.n_items:
        raise ValueError("a user clicked every item, so there is no negative to draw")
    keys = clicks.items * clicks.n_users + clicks.users  # ascending: Clicks are sorted so
    drawn = torch.randint(clicks.n_items, (len(clicks.users), per_pair), generator=generator)
    while True:
        wanted = drawn * clicks.n_users + clicks.users[:, None]
        place = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
        clicked = keys[place] == wanted if len(keys) else torch.zeros_like(wanted, dtype=torch.bool)
        again = int(clicked.sum())
        if not again:
            return drawn
        drawn[clicked] = torch.randint(clicks.n_items, (again,), generator=generator)
