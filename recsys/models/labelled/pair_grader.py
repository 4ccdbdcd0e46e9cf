"""Two texts -> one grade: how near their vectors are, dimension by dimension.

y(a, b) = Σ_d w_d · â_d · b̂_d + c with unit vectors â, b̂. All w equal is the cosine on a line, and training
starts there: the encoder was made for cosines, and a few hundred pairs teach a network that reads both texts
in one sequence nothing (Home Depot, 48 steps: the order of a random list).

B: pairs. T: tokens. D: width of the backbone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recsys.encoders.backbone import Backbone


class PairGrader(nn.Module):
    """backbone: text -> h, the same for both. head: D weights and a bias, from `start_from`."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.width, 1)
        nn.init.ones_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, pair_ids: Tensor, pair_mask: Tensor
    ) -> Tensor:
        """Token ids and masks of both texts, [B, T] each -> [B, 1]."""
        first = normalize(self.backbone(input_ids, attention_mask).float(), dim=-1)
        second = normalize(self.backbone(pair_ids, pair_mask).float(), dim=-1)
        return self.head(first * second)

    @torch.no_grad()
    def start_from(self, cosines: np.ndarray, grades: np.ndarray) -> None:
        """The line through cosines and grades ([N] each) with the least squared error."""
        spread = float(np.var(cosines))
        slope = float(np.cov(cosines, grades, bias=True)[0, 1] / spread) if spread > 0 else 0.0
        self.head.weight.fill_(slope)
        self.head.bias.fill_(float(np.mean(grades) - slope * np.mean(cosines)))
