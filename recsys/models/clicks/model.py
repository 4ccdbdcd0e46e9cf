"""The click model of 000 §4.2: f_ui = σ(x_u · w_i), one vector a user, one vector an item.

The first entry of every x_u is 1, so the first entry of w_i is the item's bias, the log-odds of its base
rate: without it f could not be near a click rate of 1 % for all users. The other d − 1 entries of x_u are
either given features or learned.

N: users. M: items. d: width. B: users in a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recsys.models.clicks.data import ClickData

INITIAL_SCALE = 0.01  # standard deviation of the initial weights: enough to break ties
LEARNED_SCALE = 0.1  # where both vectors are learned: with 0.01 for both the gradients would be too small


@dataclass(frozen=True)
class ClickModel:
    """User vectors [N, d] and item vectors [M, d], float32."""

    user_vectors: Tensor
    item_vectors: Tensor

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] scores x_u · w_i; σ of a score is the click probability."""
        with torch.no_grad():
            return (self.user_vectors[torch.as_tensor(users)] @ self.item_vectors.t()).numpy()


def untrained(data: ClickData, width: int = 100, seed: int = 0) -> ClickModel:
    """The initial model of training: random vectors, every bias at the data's overall click rate.

    Args:
        width: d of learned user vectors, ≥ 2; given features bring their own.
        seed: of the random numbers.
    """
    if data.features is None and width < 2:
        raise ValueError(f"width must be at least 2, a constant and one learned entry; got {width}")
    generator = torch.Generator().manual_seed(seed)
    if data.features is None:
        users = LEARNED_SCALE * torch.randn(data.n_users, width, generator=generator)
        users[:, 0] = 1
    else:
        users = torch.as_tensor(data.features)
    scale = LEARNED_SCALE if data.features is None else INITIAL_SCALE
    items = scale * torch.randn(data.n_items, users.shape[1], generator=generator)
    rate = len(data.clicks.users) / (data.n_users * data.n_items)
    items[:, 0] = math.log(rate / (1 - rate))
    return ClickModel(users, items)


def popularity(data: ClickData, width: int = 100) -> ClickModel:
    """The maximum-likelihood click model with the constant feature only: the popularity baseline.

    Its w_i1 is the log-odds of item i's click rate, so items are ranked by how many users clicked them. Half
    a click is added to both outcomes, because an item without clicks would have −∞.
    """
    start = untrained(data, width)
    items = torch.zeros_like(start.item_vectors)
    clickers = torch.bincount(data.clicks.items, minlength=data.n_items).float()
    items[:, 0] = torch.log((clickers + 0.5) / (data.n_users - clickers + 0.5))
    return ClickModel(start.user_vectors, items)
