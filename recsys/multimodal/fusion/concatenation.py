"""Concatenation of all vectors, followed by a linear map or by a network with one hidden layer.

B: items of a batch. O: outputs. W: inner width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from recsys.multimodal.fusion.operator import Operator, Parts, projections, tokens


class Linear(Operator):
    """One linear map of the concatenated vectors and the mask: as a classifier, logistic regression."""

    def __init__(self, widths: Mapping[str, int], outputs: int, inner: int = 256, drop: float = 0.2):
        super().__init__(widths, outputs, inner, drop)
        self.maps = projections(widths, outputs)
        self.of_mask = nn.Linear(len(widths), outputs)

    def forward(self, parts: Parts, present: Tensor) -> Tensor:
        dropped = {name: self._dropped(parts[name]) for name in self.names}
        return tokens(self.maps, dropped, self.names).sum(dim=1) + self.of_mask(present.float())


class Concatenation(Operator):
    """Each modality mapped to W, all concatenated with the mask, one hidden layer, one map to the outputs."""

    def __init__(self, widths: Mapping[str, int], outputs: int, inner: int = 256, drop: float = 0.2):
        super().__init__(widths, outputs, inner, drop)
        self.maps = projections(widths, inner)
        self.norm = nn.LayerNorm(inner * len(widths))
        self.hidden = nn.Linear((inner + 1) * len(widths), inner)
        self.out = nn.Linear(inner, outputs)

    def forward(self, parts: Parts, present: Tensor) -> Tensor:
        mapped = self.norm(tokens(self.maps, parts, self.names).flatten(1))
        inner = torch.cat([mapped, present.float()], dim=1)
        return self.out(self._dropped(gelu(self.hidden(self._dropped(inner)))))
