"""Contrastive alignment: two towers over frozen encoders map pictures and texts into one vector space.

Radford et al. 2021 (CLIP, arXiv:2103.00020) for the symmetric loss; the encoders stay frozen, as the picture
tower does in Zhai et al. 2022 (LiT, arXiv:2111.07991). Several pictures may belong to one text.

n: rows of the left side (photos). m: rows of the right side (texts). D: width of the common space. B, U: rows
of a batch: left, and distinct right.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout, gelu, normalize

from recsys.metrics.ranking import rank_positions, ranking_metrics
from recsys.multimodal.classifier import batch_of, input_scales
from recsys.multimodal.features import FeatureError, Features
from recsys.multimodal.fusion.operator import projections, tokens


@dataclass(frozen=True)
class AlignSettings:
    """How the towers are trained.

    width: D. drop: dropout of the towers' inputs and hidden entries. rate, decay: learning rate and weight
    decay of AdamW. epochs: maximum. patience: epochs without a better validation recall@10 before training
    stops.
    batch: left rows. temperature: the initial one; it is learned.
    """

    width: int = 256
    drop: float = 0.3
    rate: float = 2e-3
    decay: float = 0.05
    epochs: int = 40
    patience: int = 8
    batch: int = 512
    temperature: float = 0.05
    seed: int = 0


class Tower(nn.Module):
    """Several modalities to one unit-length vector: a linear map of each, summed, and a residual hidden
    layer."""

    def __init__(self, widths: Mapping[str, int], width: int, drop: float):
        super().__init__()
        self.names, self.drop = tuple(widths), drop
        self.maps = projections(widths, width)
        self.of_mask = nn.Linear(len(widths), width)
        self.norm = nn.LayerNorm(width)
        self.hidden, self.out = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        nn.init.zeros_(self.out.weight)  # starts as the linear tower that is hard to beat
        nn.init.zeros_(self.out.bias)

    def forward(self, parts: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """[B, D] of parts [B, D_m] and their mask [B, modalities]."""
        dropped = {name: dropout(parts[name], self.drop, self.training) for name in self.names}
        linear = tokens(self.maps, dropped, self.names).sum(dim=1) + self.of_mask(present.float())
        inner = dropout(gelu(self.hidden(self.norm(linear))), self.drop, self.training)
        return normalize(linear + self.out(inner), dim=1)


@dataclass(frozen=True)
class DualTower:
    """Two trained towers.

    scales: of left and right, modality → the factor by which its vectors are multiplied. recall: recall@10 on
    validation. seconds: training time. log: one row per epoch.
    """

    left: Tower
    right: Tower
    scales: tuple[dict[str, float], dict[str, float]]
    recall: float
    seconds: float
    log: list[dict[str, float]]

    @property
    def parameters(self) -> int:
        """Number of trained parameters of both towers."""
        return sum(p.numel() for tower in (self.left, self.right) for p in tower.parameters())

    def left_vectors(self, features: Mapping[str, Features], rows: np.ndarray) -> np.ndarray:
        """[rows, D] unit-length vectors of the left side."""
        return _vectors(self.left, features, self.scales[0], rows)

    def right_vectors(self, features: Mapping[str, Features], rows: np.ndarray) -> np.ndarray:
        """[rows, D] unit-length vectors of the right side."""
        return _vectors(self.right, features, self.scales[1], rows)


def fit_dual_tower(
    left: Mapping[str, Features],
    right: Mapping[str, Features],
    partner: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    settings: AlignSettings,
) -> DualTower:
    """Train both towers on the pairs of the training part; stop early by recall@10 on validation.

    Args:
        left: modality → n rows. right: modality → m rows.
        partner: [n] index of the right row that belongs to each left row.
        train, validation: left row numbers. On validation, the candidates are the partners of its own rows.
        settings: see `AlignSettings`.

    Raises:
        FeatureError: a partner index that the right side does not have.
    """
    if partner.min(initial=0) < 0 or partner.max(initial=0) >= len(next(iter(right.values()))):
        raise FeatureError("a left row's partner is no row of the right side")
    started = time.perf_counter()
    torch.manual_seed(settings.seed)
    draws = torch.Generator().manual_seed(settings.seed)
    scales = input_scales(left, train), input_scales(right, np.unique(partner[train]))
    towers = nn.ModuleList(
        Tower({name: one.width for name, one in side.items()}, settings.width, settings.drop)
        for side in (left, right)
    )
    heat = nn.Parameter(torch.tensor(float(np.log(1 / settings.temperature))))
    optimizer = torch.optim.AdamW(
        [{"params": towers.parameters()}, {"params": [heat], "weight_decay": 0.0}],
        lr=settings.rate,
        weight_decay=settings.decay,
    )
    steps = max(1, len(train) // settings.batch)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps * settings.epochs)
    best, state, waited, log = -1.0, copy.deepcopy(towers.state_dict()), 0, []
    for epoch in range(settings.epochs):
        towers.train()
        losses = []
        for rows in np.array_split(train[torch.randperm(len(train), generator=draws).numpy()], steps):
            distinct, place = np.unique(partner[rows], return_inverse=True)
            loss = contrastive_loss(
                towers[0](*batch_of(left, scales[0], rows)),
                towers[1](*batch_of(right, scales[1], distinct)),
                torch.from_numpy(place),
                heat.exp().clamp(max=100),
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            cosine.step()
            losses.append(float(loss.detach()))
        made = DualTower(towers[0], towers[1], scales, 0.0, 0.0, [])
        now = recall_at(made, left, right, partner, validation)
        log.append({"epoch": epoch, "loss": float(np.mean(losses)), "recall@10": now})
        waited += 1
        if now > best:
            best, state, waited = now, copy.deepcopy(towers.state_dict()), 0
        if waited >= settings.patience:
            break
    towers.load_state_dict(state)
    towers.eval()
    return DualTower(towers[0], towers[1], scales, best, time.perf_counter() - started, log)


def contrastive_loss(left: Tensor, right: Tensor, place: Tensor, heat: Tensor) -> Tensor:
    """Mean of the losses of both directions (left → right and right → left).

    From right to left the target probability is spread equally over all left rows of the batch that belong to
    the right row.

    Args:
        left: [B, D] unit-length. right: [U, D] unit-length, distinct. place: [B] index of each left row's
            partner in `right`. heat: inverse temperature, by which cosines are multiplied.
    """
    logits = heat * left @ right.T
    forward = cross_entropy(logits, place)
    own = torch.nn.functional.one_hot(place, len(right)).T.to(logits.dtype)  # [U, B]
    log = logits.T.log_softmax(dim=1)
    backward = -(own * log).sum(dim=1) / own.sum(dim=1)
    return (forward + backward.mean()) / 2


def pair_positions(
    towers: DualTower,
    left: Mapping[str, Features],
    right: Mapping[str, Features],
    partner: np.ndarray,
    rows: np.ndarray,
    candidates: np.ndarray | None = None,
):
    """Rank position of each left row's partner among the candidates (default: the partners of these rows).

    Returns the columns of `recsys.metrics.ranking`: `user` is the left row, `item` the index of the
    candidate, `better` and `equal` how many candidates score higher and the same.
    """
    candidates = np.unique(partner[rows]) if candidates is None else candidates
    scores = towers.left_vectors(left, rows) @ towers.right_vectors(right, candidates).T
    return positions_of(scores, partner[rows], rows, candidates)


def positions_of(scores: np.ndarray, wanted: np.ndarray, rows: np.ndarray, candidates: np.ndarray):
    """Rank positions from scores [rows, candidates].

    Args:
        wanted: the right row of each left row. candidates: right rows, sorted.
    """
    import pandas as pd

    targets = pd.DataFrame({"user": rows, "item": np.searchsorted(candidates, wanted)})
    return rank_positions(scores, rows, targets)


def recall_at(towers: DualTower, left, right, partner: np.ndarray, rows: np.ndarray, k: int = 10) -> float:
    """Share of left rows whose partner is among the k nearest."""
    metrics, _ = ranking_metrics(pair_positions(towers, left, right, partner, rows), (k,))
    return metrics[f"hr@{k}"]


def _vectors(tower: Tower, features: Mapping[str, Features], scales, rows: np.ndarray) -> np.ndarray:
    tower.eval()
    with torch.inference_mode():
        found = [
            tower(*batch_of(features, scales, rows[start : start + 1024])).numpy()
            for start in range(0, len(rows), 1024)
        ]
    return np.concatenate(found)
