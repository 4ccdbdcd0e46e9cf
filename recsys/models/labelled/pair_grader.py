"""A grade of two texts from a weighted cosine of their vectors.

y(a, b) = Σ_d w_d · â_d · b̂_d + c with unit vectors â, b̂. With equal w this is linear in the cosine, and
training starts there: the encoder was trained for cosines, and a cross-encoder, which reads both texts in
one sequence, learns nothing from a few hundred pairs (Home Depot, 48 steps: no better than a random order).

B: pairs. T: tokens. D: width of the backbone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recsys.encoders.backbone import Backbone


class PairGrader(nn.Module):
    """The network: `backbone` encodes both texts; the head has D weights and a bias (see `start_from`)."""

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
        """Initialise the head by linear regression of the grades on the cosines ([N] each)."""
        spread = float(np.var(cosines))
        slope = float(np.cov(cosines, grades, bias=True)[0, 1] / spread) if spread > 0 else 0.0
        self.head.weight.fill_(slope)
        self.head.bias.fill_(float(np.mean(grades) - slope * np.mean(cosines)))
