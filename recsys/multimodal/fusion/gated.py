"""Gated multimodal units: every entry of the fused vector is a gated mixture of the modalities.

Arevalo et al. 2017 (arXiv:1702.01992), section 3.1, in its form for more than two modalities. B: items of a
batch. W: inner width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recsys.multimodal.fusion.operator import Operator, Parts, projections, seen_by_all, tokens


class Gated(Operator):
    """h_m = tanh(V_m x_m); gates z: a softmax over the modalities that are present, from all h; output Σ_m
    z_m h_m.

    The paper uses independent sigmoids for more than two modalities. This softmax is its gate for two, and
    gives a missing modality's share to the others.
    """

    def __init__(self, widths: Mapping[str, int], outputs: int, inner: int = 256, drop: float = 0.2):
        super().__init__(widths, outputs, inner, drop)
        self.maps = projections(widths, inner)
        self.gates = nn.Linear(inner * len(widths), inner * len(widths))
        self.out = nn.Linear(inner, outputs)

    def forward(self, parts: Parts, present: Tensor) -> Tensor:
        mapped, gates = self._gated(parts, present)
        return self.out(self._dropped((gates * mapped).sum(dim=1)))

    def shares(self, parts: Parts, present: Tensor) -> Tensor:
        """[B, modalities] mean gate of each modality; a row sums to 1."""
        return self._gated(parts, present)[1].mean(dim=2)

    def _gated(self, parts: Parts, present: Tensor) -> tuple[Tensor, Tensor]:
        mapped = torch.tanh(tokens(self.maps, parts, self.names))  # [B, modalities, W]
        asked = self.gates(mapped.flatten(1)).view_as(mapped)
        asked = asked.masked_fill(~seen_by_all(present)[..., None], -torch.inf)
        return mapped, asked.softmax(dim=1)
