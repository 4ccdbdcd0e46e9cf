"""Forms of attention with sub-quadratic cost in a text's length, and their costs by formula.

Windowed attention looks at neighbours only (Beltagy, Peters and Cohan 2020, arXiv:2004.05150); linear
attention replaces the softmax by a product of feature maps (Katharopoulos et al. 2020, arXiv:2006.16236).

B: texts. H: heads. T: tokens of the longest text. d: width of a head. w: window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import elu, pad, scaled_dot_product_attention

# q, k, v [B, H, T, d] and lengths [B] int64, each 1 to T, padding on the right and of any finite number ->
# [B, H, T, d], 0 at padding
Attend = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def full_attention(query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
    """softmax(q k' / √d) v over all real tokens of a text; see `Attend`."""
    real = _real(lengths, query.shape[2])
    # without padding no mask: the kernel is faster
    mask = None if bool(real.all()) else real[:, None, None, :]
    return _zero_padding(scaled_dot_product_attention(query, key, value, attn_mask=mask), real)


def windowed_attention(query: Tensor, key: Tensor, value: Tensor, lengths: Tensor, window: int) -> Tensor:
    """Full attention restricted to tokens at most `window` positions away, on either side; see `Attend`.

    Computed in blocks of w queries, each with the keys of its own block and both neighbours: 3 w keys, of
    which on average 2 w lie in the window.

    Raises:
        ValueError: `window` below 1.
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    texts, heads, tokens, width = query.shape
    blocks = -(-tokens // window)
    missing = blocks * window - tokens
    asked = pad(query, (0, 0, 0, missing)).view(texts, heads, blocks, window, width)
    asked = asked.transpose(1, 2).reshape(texts * blocks, heads, window, width)
    around = [
        pad(part, (0, 0, window, window + missing)).unfold(2, 3 * window, window).permute(0, 2, 1, 4, 3)
        for part in (key, value)
    ]
    key, value = (part.reshape(texts * blocks, heads, 3 * window, width) for part in around)
    steps = torch.arange(-window, 2 * window)  # positions of the keys relative to a block's first query
    near = (steps[None, :] - torch.arange(window)[:, None]).abs() <= window
    places = torch.arange(blocks)[:, None] * window + steps
    there = (places >= 0) & (places < lengths[:, None, None])
    mask = (near & there[:, :, None, :]).view(texts * blocks, 1, window, 3 * window)
    found = scaled_dot_product_attention(asked, key, value, attn_mask=mask)
    found = found.view(texts, blocks, heads, window, width).transpose(1, 2).reshape(texts, heads, -1, width)
    return _zero_padding(found[:, :, :tokens], _real(lengths, tokens))


def linear_attention(query: Tensor, key: Tensor, value: Tensor, lengths: Tensor) -> Tensor:
    """φ(q) Σ φ(k)' v ÷ φ(q) Σ φ(k)' with φ = elu + 1 (arXiv:2006.16236 eq. 5 and 7); see `Attend`."""
    real = _real(lengths, query.shape[2])
    query, key = elu(query) + 1, _zero_padding(elu(key) + 1, real)
    mixed = query @ (key.transpose(2, 3) @ value)
    return _zero_padding(mixed / (query @ key.sum(dim=2)[..., None]), real)


@dataclass(frozen=True)
class AttentionForm:
    """One form, as data.

    idea: one line. attend: the function. flops: operations of one head on one text, from T and d; softmax and
    feature maps are not counted. scores: most intermediate numbers of one head for one text between its two
    products, from T and d; a fused kernel needs fewer.
    """

    idea: str
    attend: Attend
    flops: Callable[[int, int], float]
    scores: Callable[[int, int], float]

    def bytes(self, tokens: int, width: int) -> float:
        """Minimum float32 traffic in bytes of one head on one text: read q, k and v, write the result."""
        return 4.0 * 4 * tokens * width


def windowed(window: int) -> AttentionForm:
    """The windowed form with window w ≥ 1: 12 T w d operations, with T rounded up to whole blocks."""

    def scores(tokens: int, width: int) -> float:
        return 3.0 * -(-tokens // window) * window**2

    attend = partial(windowed_attention, window=window)
    idea = f"{window} tokens to either side"
    return AttentionForm(idea, attend, lambda tokens, width: 4 * width * scores(tokens, width), scores)


AttentionForms = {
    "full": AttentionForm(
        "every token looks at every other",
        full_attention,
        lambda tokens, width: 4.0 * tokens**2 * width,
        lambda tokens, width: float(tokens**2),
    ),
    "windowed-64": windowed(64),
    "linear": AttentionForm(
        "one sum over all tokens for every query",
        linear_attention,
        lambda tokens, width: 4.0 * tokens * width**2 + 3 * tokens * width,
        lambda tokens, width: float(width**2 + width),
    ),
}


def _real(lengths: Tensor, tokens: int) -> Tensor:
    """[B, T] bool."""
    return torch.arange(tokens) < lengths[:, None]


def _zero_padding(rows: Tensor, real: Tensor) -> Tensor:
    return rows.masked_fill(~real[:, None, :, None], 0)
