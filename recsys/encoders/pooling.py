"""Pooling: one vector per text from the hidden states of its tokens.

B: texts. T: tokens of the longest text of the batch. D: width.
"""

from __future__ import annotations

import torch
from torch import Tensor

POOLINGS = ("mean", "cls", "last")


def pool(hidden: Tensor, mask: Tensor, how: str) -> Tensor:
    """Pool the real tokens of every row; padding may be on either side and hold anything, NaN too.

    Args:
        hidden: [B, T, D] floating point.
        mask: [B, T], non-zero at real tokens.
        how: "mean" of the real tokens, "cls" for the first real token, "last" for the last.

    Returns:
        [B, D], float32, or float64 where `hidden` is: a mean summed in bf16 would lose its last digits.

    Raises:
        ValueError: no such pooling, shapes that do not fit, a row without a real token.

    Example:
        >>> hidden = torch.tensor([[[1.0, 0.0], [3.0, 4.0], [9.0, 9.0]]])  # the third token is padding
        >>> pool(hidden, torch.tensor([[1, 1, 0]]), "mean")
        tensor([[2., 2.]])
    """
    if how not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, not {how!r}")
    if hidden.ndim != 3 or mask.shape != hidden.shape[:2]:
        raise ValueError(
            f"hidden must be [B, T, D] and mask [B, T], got {tuple(hidden.shape)} and {tuple(mask.shape)}"
        )
    real = mask != 0
    counts = real.sum(dim=1)
    if (counts == 0).any():
        row = int((counts == 0).nonzero()[0])
        raise ValueError(f"row {row} of the batch has no real token: its mask is all 0")
    wide = torch.promote_types(hidden.dtype, torch.float32)
    if how == "mean":
        summed = hidden.masked_fill(~real[:, :, None], 0).sum(dim=1, dtype=wide)
        return summed / counts[:, None].to(wide)
    places = torch.arange(real.shape[1], device=real.device)
    if how == "cls":
        place = torch.where(real, places, real.shape[1]).amin(dim=1)
    else:
        place = torch.where(real, places, -1).amax(dim=1)
    return hidden[torch.arange(len(hidden), device=hidden.device), place].to(wide)
