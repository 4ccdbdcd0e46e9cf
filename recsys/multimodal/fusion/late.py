"""Late fusion: one model per modality, their scores combined with weights chosen on validation.

The combination is `recsys.ensembling.score_fusion`. B: items of a batch. O: outputs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from recsys.ensembling.fusion_weights import coordinate_search
from recsys.ensembling.score_fusion import convex
from recsys.multimodal.fusion.operator import Operator, Parts


class Late(Operator):
    """One network with a hidden layer per modality, each trained alone with the task's loss.

    Scores are log-probabilities (log-softmax of the outputs), weighted and summed. A modality that an item
    lacks contributes nothing to its score.
    """

    def __init__(self, widths: Mapping[str, int], outputs: int, inner: int = 256, drop: float = 0.2):
        super().__init__(widths, outputs, inner, drop)
        self.hidden = nn.ModuleDict({name: nn.Linear(w, inner) for name, w in widths.items()})
        self.out = nn.ModuleDict({name: nn.Linear(inner, outputs) for name in widths})
        self.register_buffer("weights", torch.full((len(widths),), 1 / len(widths), dtype=torch.float64))

    def heads(self, parts: Parts, present: Tensor) -> list[Tensor]:
        return [
            self.out[name](self._dropped(gelu(self.hidden[name](self._dropped(parts[name])))))
            for name in self.names
        ]

    def forward(self, parts: Parts, present: Tensor) -> Tensor:
        scores = torch.stack([head.log_softmax(dim=1) for head in self.heads(parts, present)])
        return self._combined(scores, present, self.weights.numpy())

    def settle(self, parts: Parts, present: Tensor, labels: Tensor) -> None:
        """Choose the weights by coordinate search: maximise the likelihood of the true classes on validation
        rows."""
        with torch.no_grad():
            scores = torch.stack([head.log_softmax(dim=1) for head in self.heads(parts, present)])

        def likelihood(weights: np.ndarray) -> float:
            return -float(nn.functional.cross_entropy(self._combined(scores, present, weights), labels))

        chosen = coordinate_search(likelihood, len(self.names))
        self.weights.copy_(torch.from_numpy(chosen.weights))

    def _combined(self, scores: Tensor, present: Tensor, weights: np.ndarray) -> Tensor:
        """[modalities, B, O] -> [B, O]."""
        silent = np.where(present.T.numpy()[..., None], scores.detach().numpy(), 0.0)
        return torch.from_numpy(convex(silent, weights, normalisation="none")).float()
