"""A backbone with a linear head: text -> logits of C classes, or one grade.

B: texts. T: tokens. C: outputs. D: width of the backbone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from recsys.encoders.backbone import Backbone


class SequenceClassifier(nn.Module):
    """`backbone`: text -> h. `head`: h -> outputs, initialised like transformers: Normal(0, .02), bias 0."""

    def __init__(self, backbone: Backbone, n_outputs: int):
        super().__init__()
        self.backbone = backbone
        config = backbone.model.config
        drop = getattr(config, "classifier_dropout", None)
        self.dropout = nn.Dropout(getattr(config, "hidden_dropout_prob", 0.1) if drop is None else drop)
        self.head = nn.Linear(backbone.width, n_outputs)
        nn.init.normal_(self.head.weight, std=getattr(config, "initializer_range", 0.02))
        nn.init.zeros_(self.head.bias)

    @torch.no_grad()
    def start_from(self, weight: np.ndarray, bias: np.ndarray) -> None:
        """Initialise the head with weights [C, D] and biases [C]."""
        self.head.weight.copy_(torch.from_numpy(weight))
        self.head.bias.copy_(torch.from_numpy(bias))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[B, T] token ids and mask -> [B, C]."""
        return self.head(self.dropout(self.backbone(input_ids, attention_mask)))

    def item_vectors(self) -> Tensor:
        """[C, D + 1]: where the classes are products, each one's weights and bias."""
        return torch.cat([self.head.weight, self.head.bias[:, None]], dim=1)
