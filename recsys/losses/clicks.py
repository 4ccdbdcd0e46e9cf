"""Who clicked what, in the order in which the losses read it: sorted by item, repeated clicks counted.

N: users. M: items. P: distinct (user, item) pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Clicks:
    """Distinct clicked pairs, ascending by item, then user.

    Attributes:
        users, items: [P] int64 codes in [0, n_users) and [0, n_items).
        counts: [P] int64 ≥ 1, how often the pair was clicked: Σ_j 𝕀(i_j = i) in 000 §4.1.
        n_users, n_items: N and M.
    """

    users: Tensor
    items: Tensor
    counts: Tensor
    n_users: int
    n_items: int

    @property
    def total(self) -> int:
        """Clicks, repeats included."""
        return int(self.counts.sum())

    def per_user(self) -> Tensor:
        """[N] int64: the clicks of each user, repeats included (the k of 000 §4.1)."""
        return torch.bincount(self.users, self.counts, minlength=self.n_users).to(torch.int64)

    def between(self, first: int, last: int) -> tuple[Tensor, Tensor, Tensor]:
        """(item − first, user, count) of the pairs whose item lies in [first, last)."""
        edges = torch.tensor([first, last], device=self.items.device)
        start, stop = torch.searchsorted(self.items, edges).tolist()
        return self.items[start:stop] - first, self.users[start:stop], self.counts[start:stop]

    def of_users(self, users: Tensor) -> Clicks:
        """The clicks of some users [B], renumbered 0 to B−1.

        Raises:
            ValueError: a user stands twice in `users`.
        """
        place = torch.full((self.n_users,), -1, device=self.users.device)
        place[users] = torch.arange(len(users), device=self.users.device)
        if int((place >= 0).sum()) != len(users):
            raise ValueError("a user stands twice in the batch; draw users without replacement")
        kept = place[self.users] >= 0
        return _sorted(place[self.users[kept]], self.items[kept], self.counts[kept], len(users), self.n_items)


def click_pairs(users: np.ndarray | Tensor, items: np.ndarray | Tensor, n_users: int, n_items: int) -> Clicks:
    """Collapse a log of clicks into distinct pairs with counts.

    Args:
        users, items: [C] integer codes of one click each; a pair may stand there more than once; C may be 0.
        n_users, n_items: N ≥ 1 and M ≥ 1; the codes lie below them.

    Raises:
        ValueError: codes are not integers, not one-dimensional, not equally many, or out of range.

    Example:
        >>> clicks = click_pairs(np.array([0, 0, 1]), np.array([4, 4, 2]), n_users=2, n_items=5)
        >>> clicks.items.tolist(), clicks.users.tolist(), clicks.counts.tolist()
        ([2, 4], [1, 0], [1, 2])
    """
    if n_users < 1 or n_items < 1:
        raise ValueError(f"need at least one user and one item, got n_users={n_users}, n_items={n_items}")
    users, items = _codes("users", users, n_users), _codes("items", items, n_items)
    if len(users) != len(items):
        raise ValueError(f"{len(users)} users but {len(items)} items: give one of each for every click")
    keys, counts = torch.unique(items * n_users + users, return_counts=True)
    return Clicks(keys % n_users, keys // n_users, counts, n_users, n_items)


def _codes(name: str, codes: np.ndarray | Tensor, size: int) -> Tensor:
    codes = torch.as_tensor(np.array(codes) if not isinstance(codes, Tensor) else codes)
    if codes.numel() == 0:
        return torch.empty(0, dtype=torch.int64)
    if codes.dtype.is_floating_point or codes.dtype.is_complex or codes.dtype == torch.bool:
        raise ValueError(f"{name} must be integer codes, got {codes.dtype}; map ids to codes first")
    if codes.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, one code a click; got shape {tuple(codes.shape)}")
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= size:
        wrong = low if low < 0 else high
        raise ValueError(f"{name} hold the code {wrong}, but codes run from 0 to {size - 1}")
    return codes.to(torch.int64)


def _sorted(users: Tensor, items: Tensor, counts: Tensor, n_users: int, n_items: int) -> Clicks:
    order = torch.argsort(items * n_users + users)
    return Clicks(users[order], items[order], counts[order], n_users, n_items)


def check_factors(user_vectors: Tensor, item_vectors: Tensor, clicks: Clicks) -> None:
    """Refuse vectors that do not fit each other or the clicks.

    Args:
        user_vectors: [N, d] float. item_vectors: [M, d], same dtype and device.

    Raises:
        ValueError: a wrong shape, type or device, said in the names of the formula.
    """
    for name, vectors in (("user_vectors (x_u)", user_vectors), ("item_vectors (w_i)", item_vectors)):
        if vectors.ndim != 2 or not vectors.dtype.is_floating_point:
            raise ValueError(
                f"{name} must be a two-dimensional float tensor, one row a vector; "
                f"got {vectors.dtype} of shape {tuple(vectors.shape)}"
            )
    if user_vectors.shape[1] != item_vectors.shape[1]:
        raise ValueError(
            f"x_u · w_i needs one width d: user_vectors have {user_vectors.shape[1]} columns, "
            f"item_vectors {item_vectors.shape[1]}; is W transposed?"
        )
    if user_vectors.dtype != item_vectors.dtype or user_vectors.device != item_vectors.device:
        raise ValueError(
            f"user_vectors are {user_vectors.dtype} on {user_vectors.device}, "
            f"item_vectors {item_vectors.dtype} on {item_vectors.device}: bring both to one type and device"
        )
    expected = (clicks.n_users, clicks.n_items)
    if (len(user_vectors), len(item_vectors)) != expected:
        raise ValueError(
            f"the clicks speak of {expected[0]} users and {expected[1]} items, "
            f"but there are {len(user_vectors)} user and {len(item_vectors)} item vectors"
        )
