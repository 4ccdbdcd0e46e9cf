"""A sequence model of titles and ids plus the untuned cosine of titles, trained as one model.

A fusion of `TitleSequence` with the cosine of the newest title (`ZeroShot`) beats either, because the
sequence model maps titles into a space of its own and loses their original similarity. Here the untuned
cosine is one more term of the score, whose weights are trained with the rest:

    s_ui = x_u · w_i  +  Σ_k b_k cos(t_{u,k}, t_i)

t_{u,k} is the title vector of the k-th newest item of u, K terms in all, b_k > 0 by a softplus. The two parts
are one inner product, [x_u, Σ_k b_k t_{u,k}] · [w_i, t_i], so loss, scoring and vector index do not change. t
is first projected on its leading directions: 128 of 384 preserve the cosines well at little extra cost.

B: users in a batch. M: items. d: width. D: width of the text vectors. P: kept directions. K: newest items.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, normalize, softplus

from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import TRAINING, ModelEntry, ModelSettings
from recsys.models.next_item.title_sequence import RANGES, SETTINGS, TitleSequence
from recsys.training.next_item import catalogue_cross_entropy

START = 1.0  # initial b_1: cosines lie in [-1, 1], scores in about ±15; training changes it within an epoch
LATER = 0.1  # initial value of the other b_k
SPEED = 30.0  # factor on the steps of b, see CosineTerm


class CosineTerm(nn.Module):
    """Σ_k b_k t_{u,k} of histories.

    Args:
        text: [M, P] vectors of the items' titles, not trained.
        newest: K ≥ 1.

    Raises:
        ValueError: newest below 1.
    """

    def __init__(self, text: Tensor, newest: int):
        super().__init__()
        if newest < 1:
            raise ValueError(f"the cosine must read at least the newest item, got newest={newest}")
        self.register_buffer("text", text, persistent=False)
        start = torch.full((newest,), LATER)
        start[0] = START
        # Adam changes a weight by about its learning rate a step, 1e-3, whatever its gradient: four thousand
        # steps must carry a weight from 1 to 20, hence the factor
        self.raw = nn.Parameter(torch.log(torch.expm1(start)) / SPEED)

    def weights(self) -> Tensor:
        """[K] the weights b_k, newest item first, each > 0."""
        return softplus(SPEED * self.raw)

    def forward(self, items: Tensor, lengths: Tensor) -> Tensor:
        """[B, T] item codes, oldest first, padded behind, and [B] lengths -> [B, P]."""
        back = torch.arange(len(self.raw), device=items.device)
        place = lengths[:, None] - 1 - back
        newest = torch.gather(items, 1, place.clamp(min=0))
        weights = self.weights() * (place >= 0)
        return (weights[:, :, None] * embedding(newest, self.text)).sum(dim=1)


class TitleCosineNetwork(nn.Module):
    """A sequence network and a cosine term, joined in one inner product."""

    def __init__(self, sequence: nn.Module, cosine: CosineTerm):
        super().__init__()
        self.sequence, self.cosine = sequence, cosine

    def item_vectors(self) -> Tensor:
        """[M, d + P]."""
        return torch.cat([self.sequence.item_vectors(), self.cosine.text], dim=1)

    def forward(self, items: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T] item codes, [B] lengths -> user vectors [B, d + P] and item vectors [M, d + P]."""
        states, vectors = self.sequence(items, lengths)
        users = torch.cat([states.float(), self.cosine(items, lengths)], dim=1)
        return users, torch.cat([vectors.float(), self.cosine.text], dim=1)

    def read(self, items: np.ndarray, lengths: np.ndarray, vectors: Tensor) -> Tensor:
        """The same for codes on the CPU and item vectors that are computed already: [B, d + P] float32."""
        own = vectors[:, : vectors.shape[1] - self.cosine.text.shape[1]]
        device = vectors.device
        cosine = self.cosine(torch.from_numpy(items).to(device), torch.from_numpy(lengths).to(device))
        return torch.cat([self.sequence.read(items, lengths, own), cosine], dim=1)


class TitleCosineSequence(TitleSequence):
    """`TitleSequence` plus the cosine term of the module's docstring.

    Args:
        text: [M, D] unit-length title vectors of a pretrained model, as `TitleSequence` takes them.
        directions: P, at most D; 0 keeps all D.
        newest: K.
        rest: see `TitleSequence`.

    Raises:
        ValueError: directions below 0 or newest below 1.
    """

    def __init__(self, text: np.ndarray, directions: int = 128, newest: int = 3, **rest):
        super().__init__(text, **rest)
        if directions < 0 or newest < 1:
            raise ValueError(
                f"directions must be at least 0 and newest at least 1, got {directions}, {newest}"
            )
        self.untuned = leading_directions(torch.from_numpy(np.asarray(text)).float(), directions)
        self.newest = newest
        self.directions = directions

    def build(self, n_items: int) -> nn.Module:
        return TitleCosineNetwork(super().build(n_items), CosineTerm(self.untuned, self.newest))

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        users, items = network(batch["items"], batch["lengths"])
        return catalogue_cross_entropy(users, items, batch["target"])


def leading_directions(text: Tensor, directions: int) -> Tensor:
    """[M, D] vectors -> [M, P] unit-length ones whose inner products best approximate the cosines.

    The directions are the leading eigenvectors of TᵀT (not centred, because cosines are to be preserved).
    Rows of zeros (items without a title) stay zeros. With 0, or more than D, directions the vectors are only
    normalised.
    """
    text = normalize(text, dim=1)
    if not 0 < directions < text.shape[1]:
        return text
    _, vectors = torch.linalg.eigh(text.double().t() @ text.double())
    return normalize(text @ vectors[:, -directions:].float(), dim=1)


def _make(data: NextItemData, settings: ModelSettings) -> TitleCosineSequence:
    return TitleCosineSequence(data.text_vectors(settings.backbone), **settings.arguments(SETTINGS))


ENTRY = ModelEntry(_make, trained=True, takes=(*TRAINING, "most_per_user", "backbone"), ranges=RANGES)
