"""Cross-attention over modality tokens: a learned query attends to the modalities that are present.

Vaswani et al. 2017 for the attention; pooling a set by a learned query is Lee et al. 2019 (set transformer,
arXiv:1810.00825, section 3.2). B: items of a batch. W: inner width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from recsys.multimodal.fusion.operator import Operator, Parts, projections, seen_by_all, tokens

HEADS = 4


class CrossAttention(Operator):
    """Self-attention among the modality tokens, then the query attends to them; missing tokens are masked
    out."""

    def __init__(self, widths: Mapping[str, int], outputs: int, inner: int = 256, drop: float = 0.2):
        super().__init__(widths, outputs, inner, drop)
        self.maps = projections(widths, inner)
        self.kind = nn.Parameter(torch.randn(len(widths), inner) * 0.02)
        self.query = nn.Parameter(torch.randn(inner) * 0.02)
        self.norm = nn.LayerNorm(inner)
        self.among = nn.MultiheadAttention(inner, HEADS, dropout=drop, batch_first=True)
        self.read = nn.MultiheadAttention(inner, HEADS, dropout=drop, batch_first=True)
        self.hidden = nn.Linear(inner, inner)
        self.out = nn.Linear(inner, outputs)

    def forward(self, parts: Parts, present: Tensor) -> Tensor:
        absent = ~seen_by_all(present)
        states = self.norm(tokens(self.maps, parts, self.names) + self.kind)
        states = states + self.among(states, states, states, key_padding_mask=absent, need_weights=False)[0]
        query = self.query.expand(len(present), 1, -1)
        fused = self.read(query, states, states, key_padding_mask=absent, need_weights=False)[0][:, 0]
        return self.out(fused + self._dropped(gelu(self.hidden(self._dropped(fused)))))
