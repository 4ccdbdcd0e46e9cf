"""A Transformer over the vectors of a user's items, whose output is the user vector x_u (SASRec, BSARec).

One module for two architectures. Causal attention alone is SASRec (Kang & McAuley 2018, arXiv:1808.09781) in
the post-norm form of the S3-Rec repository, whose table is the published one for these files. With
`low_pass` > 0 every layer mixes attention with a low-pass filter of the sequence, as BSARec does (Shin et
al. 2024, arXiv:2312.10325): the slow components of a history are a user's lasting taste, which attention over
short histories hardly learns.

The filter of BSARec is an FFT over a history padded to 50. Here it is the same projection written as an
[L, L] matrix for each length L, so that a user's vector does not depend on how far the batch was padded.

B: histories. T: length of the longest. d: width. L: a history's own length, 1 ≤ L ≤ max_items.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu, scaled_dot_product_attention


def low_pass_matrices(max_items: int, frequencies: int) -> Tensor:
    """[max_items + 1, max_items, max_items]: matrix L keeps the lowest `frequencies` bins of L positions.

    Row and column 0 are the oldest item. Where L has no more bins than that, matrix L is the identity.
    """
    matrices = torch.zeros(max_items + 1, max_items, max_items)
    for length in range(1, max_items + 1):
        spectrum = torch.fft.rfft(torch.eye(length), dim=0)
        spectrum[frequencies:] = 0
        matrices[length, :length, :length] = torch.fft.irfft(spectrum, n=length, dim=0)
    return matrices


class SequenceLayer(nn.Module):
    """Attention, optionally mixed with the filtered sequence, then a feed-forward part; both post-norm."""

    def __init__(self, width: int, heads: int, drop: float, low_pass: float):
        super().__init__()
        self.heads, self.drop, self.low_pass = heads, drop, low_pass
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        if low_pass:
            self.high_share = nn.Parameter(torch.randn(width))  # its square weighs the high frequencies
            self.filter_norm = nn.LayerNorm(width)

    def forward(self, states: Tensor, mask: Tensor, smooth: Tensor | None, newest: Tensor | None) -> Tensor:
        """states [B, T, d], mask [B, 1, T, T] -> [B, T, d], or [B, 1, d] at the positions `newest` [B].

        smooth: [B, T, T] low-pass matrices, where the layer filters.
        """
        batch, _, width = states.shape
        split = (batch, -1, self.heads, width // self.heads)
        query, key, value = self.query_key_value(states).chunk(3, dim=-1)
        kept = states
        if newest is not None:  # in the last layer only one position is needed
            rows = torch.arange(batch, device=states.device)
            query, kept = query[rows, newest][:, None], states[rows, newest][:, None]
            mask = mask[rows, :, newest][:, :, None]
            smooth = None if smooth is None else smooth[rows, newest][:, None]
        attended = scaled_dot_product_attention(
            *(part.reshape(split).transpose(1, 2) for part in (query, key, value)),
            attn_mask=mask,
            dropout_p=self.drop if self.training else 0.0,
        )
        attended = self.output(attended.transpose(1, 2).reshape(batch, -1, width))
        mixed = self.attention_norm(kept + self._dropped(attended))
        if self.low_pass:
            low = smooth @ states
            filtered = low + self.high_share**2 * (kept - low)
            filtered = self.filter_norm(kept + self._dropped(filtered))
            mixed = self.low_pass * filtered + (1 - self.low_pass) * mixed
        return self.feed_forward_norm(mixed + self._dropped(self.narrow(gelu(self.widen(mixed)))))

    def _dropped(self, states: Tensor) -> Tensor:
        return dropout(states, self.drop, self.training)


class ItemSequenceEncoder(nn.Module):
    """Histories of item vectors -> user vectors.

    Args:
        width: d of item and user vectors, divisible by heads.
        layers, heads: of the Transformer.
        drop: share of activations dropped in training, in [0, 1).
        max_items: the longest history; callers keep the newest items of a longer one.
        low_pass: weight of the filter branch in [0, 1); 0 is SASRec.
        frequencies: bins that the filter passes, ≥ 1.

    Raises:
        ValueError: an argument out of its range.
    """

    def __init__(
        self,
        width: int = 64,
        layers: int = 2,
        heads: int = 2,
        drop: float = 0.5,
        max_items: int = 50,
        low_pass: float = 0.0,
        frequencies: int = 3,
    ):
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(f"width must be divisible by heads ≥ 1, got {width} and {heads}")
        for name, value in (("drop", drop), ("low_pass", low_pass)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be in [0, 1), got {value}")
        if min(layers, max_items, frequencies) < 1:
            raise ValueError("layers, max_items and frequencies must be at least 1")
        self.max_items, self.drop, self.low_pass = max_items, drop, low_pass
        self.places = nn.Embedding(max_items, width)  # 0 is the newest item
        self.input_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(SequenceLayer(width, heads, drop, low_pass) for _ in range(layers))
        if low_pass:
            matrices = low_pass_matrices(max_items, frequencies)
            self.register_buffer("smooth", matrices, persistent=False)
        self.apply(initialise)

    def forward(self, vectors: Tensor, lengths: Tensor, every_position: bool = False) -> Tensor:
        """Encode histories, oldest item first, padded at the end.

        Args:
            vectors: [B, T, d]; the padding may hold anything.
            lengths: [B] ints in 1 … T.
            every_position: return the state after each item [B, T, d] (a position attends to older items
                only) instead of the state after the newest [B, d].

        Raises:
            ValueError: every_position with a low-pass filter, which sees newer items too.
        """
        if every_position and self.low_pass:
            raise ValueError("the low-pass filter looks ahead: train it on prefixes, one target each")
        order = torch.arange(vectors.shape[1], device=vectors.device)
        age = (lengths[:, None] - 1 - order).clamp(min=0)
        states = dropout(self.input_norm(vectors + self.places(age)), self.drop, self.training)
        valid = order < lengths[:, None]
        causal = order[:, None] >= order
        # padded positions attend to the first item, so that no row of the softmax is empty
        mask = (causal & valid[:, None, :])[:, None]
        smooth = None
        if self.low_pass:
            smooth = self.smooth[lengths, : len(order), : len(order)]
        for layer in self.layers:
            last = layer is self.layers[-1] and not every_position
            states = layer(states, mask, smooth, lengths - 1 if last else None)
        return states if every_position else states[:, 0]


def initialise(module: nn.Module) -> None:
    """Normal(0, .02) weights and zero biases, as BERT and the S3-Rec repository start."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
