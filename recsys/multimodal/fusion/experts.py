"""Mixture of experts: one expert per modality and one over all of them; a router weighs them for each item.

Jacobs et al. 1991, "Adaptive mixtures of local experts". All experts are computed (dense routing): there are
few of them, so sparse routing would gain nothing. B: items of a batch. W: inner width. E: experts.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from recsys.multimodal.fusion.operator import Operator, Parts, projections, tokens


class MixtureOfExperts(Operator):
    """Σ_e r_e · expert_e; r is a softmax over the experts whose modality is present and the joint one."""

    def __init__(self, widths: Mapping[str, int], outputs: int, inner: int = 256, drop: float = 0.2):
        super().__init__(widths, outputs, inner, drop)
        self.maps = projections(widths, inner)
        self.norm = nn.LayerNorm(inner)
        joined = inner * len(widths)
        self.joint = nn.Linear(joined, inner)
        self.router = nn.Linear(joined + len(widths), len(widths) + 1)
        self.out = nn.ModuleList(nn.Linear(inner, outputs) for _ in range(len(widths) + 1))

    def forward(self, parts: Parts, present: Tensor) -> Tensor:
        answers, routes = self._routed(parts, present)
        return (routes[..., None] * answers).sum(dim=1)

    def shares(self, parts: Parts, present: Tensor) -> Tensor:
        """[B, E] weights of the experts, the joint one last; they sum to 1."""
        return self._routed(parts, present)[1]

    def _routed(self, parts: Parts, present: Tensor) -> tuple[Tensor, Tensor]:
        mapped = self.norm(tokens(self.maps, parts, self.names)) * present[..., None]
        joined = mapped.flatten(1)
        inner = torch.cat([gelu(mapped), gelu(self.joint(self._dropped(joined)))[:, None]], dim=1)
        inner = self._dropped(inner)
        answers = torch.stack([head(inner[:, place]) for place, head in enumerate(self.out)], dim=1)
        asked = self.router(torch.cat([joined, present.to(joined.dtype)], dim=1))
        open_to = torch.cat([present, torch.ones_like(present[:, :1])], dim=1)
        return answers, asked.masked_fill(~open_to, -torch.inf).softmax(dim=1)
