"""Low-rank bilinear fusion: products of the modalities' entries, without the full tensor.

Liu et al. 2018, "Efficient low-rank multimodal fusion with modality-specific factors" (arXiv:1806.00064),
section 3.2. B: items of a batch. W: inner width. R: rank.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recsys.multimodal.fusion.operator import Operator, Parts

RANK = 4


class LowRankBilinear(Operator):
    """Σ_r Π_m (A_m,r x_m + b_m,r), then a linear map; the bias takes the place of the 1 that the paper
    appends.

    The sum therefore contains products of fewer modalities too, and a missing modality (x = 0) contributes a
    factor that is the same for all items.
    """

    def __init__(self, widths: Mapping[str, int], outputs: int, inner: int = 256, drop: float = 0.2):
        super().__init__(widths, outputs, inner, drop)
        self.factors = nn.ModuleDict({name: nn.Linear(w, inner * RANK) for name, w in widths.items()})
        for factor in self.factors.values():
            # all factors start near 1, so that at first no modality multiplies the others by zero
            nn.init.ones_(factor.bias)
        self.norm = nn.LayerNorm(inner)
        self.out = nn.Linear(inner, outputs)

    def forward(self, parts: Parts, present: Tensor) -> Tensor:
        product = torch.ones((), device=present.device)
        for name in self.names:
            product = product * self.factors[name](parts[name])
        fused = product.view(len(present), RANK, self.inner).sum(dim=1)
        return self.out(self._dropped(self.norm(fused)))
