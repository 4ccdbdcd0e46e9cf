"""A sequential recommender network: item vectors, and the Transformer that reads a history of them.

B: histories. T: length of the longest. M: items. d: width.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from recsys.encoders.item_sequence import ItemSequenceEncoder, initialise
from recsys.encoders.item_vectors import ItemVectors


class SequenceNetwork(nn.Module):
    """Item vectors w_i (`items`) and the encoder of histories that gives x_u (`encoder`).

    Both start from Normal(0, .02).
    """

    def __init__(self, items: ItemVectors, encoder: ItemSequenceEncoder):
        super().__init__()
        self.items, self.encoder = items, encoder
        self.items.apply(initialise)

    def item_vectors(self) -> Tensor:
        """Vectors of all items, [M, d]."""
        return self.items()

    def forward(self, items: Tensor, lengths: Tensor, every_position: bool = False) -> tuple[Tensor, Tensor]:
        """[B, T] item codes, [B] lengths -> states ([B, d], or [B, T, d]) and the item vectors [M, d]."""
        vectors = self.items()
        return self.encoder(embedding(items, vectors), lengths, every_position), vectors

    def read(self, items: np.ndarray, lengths: np.ndarray, vectors: Tensor) -> Tensor:
        """The same for codes on the CPU and item vectors that are computed already: [B, d] float32."""
        states = embedding(torch.from_numpy(items).to(vectors.device), vectors)
        return self.encoder(states, torch.from_numpy(lengths).to(vectors.device)).float()
