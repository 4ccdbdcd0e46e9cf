"""Classifier over fused modalities: an operator trained on frozen features, stopped early by validation.

The features are fixed, so an epoch over ten thousand items takes a second. Every operator gets the same list
of candidate settings, the same number of epochs and the same stopping rule.

n: items. C: classes. B: items of a batch.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from recsys.multimodal.discriminant import fit_discriminant
from recsys.multimodal.features import FeatureError, Features
from recsys.multimodal.fusion.operator import Operator
from recsys.multimodal.fusion.registry import OPERATORS
from recsys.multimodal.linear_classifier import fit_linear


@dataclass(frozen=True)
class FitSettings:
    """How an operator is trained.

    operator: a name of `OPERATORS`; "linear" is logistic regression, "discriminant" a regularised linear
    discriminant: they have one optimum and read nothing below but `strength`.
    strength: of "linear", inverse of the penalty; of "discriminant" the share of the identity.
    inner: width of the hidden vector. drop: of its entries.
    rate: AdamW's learning rate, the peak of one cosine. decay: weight decay. epochs: passes at most.
    patience: epochs without a better validation loss before stopping. batch: items.
    modality_dropout: probability that a modality which is present is hidden from one training item; one
    modality at least stays.
    """

    operator: str = "concatenation"
    strength: float = 0.1
    inner: int = 256
    drop: float = 0.3
    rate: float = 2e-3
    decay: float = 0.05
    epochs: int = 15
    patience: int = 3
    batch: int = 256
    modality_dropout: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class FusedClassifier:
    """A trained operator and its training cost.

    scales: modality → factor by which its vectors are multiplied (`input_scales`). seconds: of training.
    epochs: passes until early stopping. trials: one row per setting tried.
    """

    operator: Operator
    scales: dict[str, float]
    settings: FitSettings
    validation_loss: float
    seconds: float
    epochs: int
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(parameter.numel() for parameter in self.operator.parameters())

    def scores(self, features: Mapping[str, Features], rows: np.ndarray, batch: int = 1024) -> np.ndarray:
        """[rows, C] log-probabilities."""
        found = []
        self.operator.eval()
        with torch.inference_mode():
            for start in range(0, len(rows), batch):
                parts, present = batch_of(features, self.scales, rows[start : start + batch])
                found.append(self.operator(parts, present).float().log_softmax(dim=1).numpy())
        return np.concatenate(found) if found else np.empty((0, self.operator.outputs), np.float32)


def fit_classifier(
    features: Mapping[str, Features],
    labels: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    settings: FitSettings,
    tried: tuple[Mapping[str, float], ...] = ({},),
) -> FusedClassifier:
    """Train an operator; of several settings keep the one with the lowest validation loss.

    Args:
        features: modality → n rows.
        labels: [n] class codes 0 … C − 1; −1 where an item has none (such rows must be in neither part).
        train, validation: row numbers.
        settings: see `FitSettings`.
        tried: changes to `settings`, each trained once; giving every operator the same list is an equal
        budget.

    Raises:
        FeatureError: no modality, modalities of different lengths, or a row of a part without a label.
    """
    _check(features, labels, np.concatenate([train, validation]))
    started = time.perf_counter()
    scales = input_scales(features, train)
    best: FusedClassifier | None = None
    trials = []
    for change in tried:
        fit = _fit_at_once if settings.operator in ONE_OPTIMUM else _fit_one
        fitted = fit(features, scales, labels, train, validation, replace(settings, **change))
        trials.append({**change, "validation_loss": fitted.validation_loss, "seconds": fitted.seconds})
        if best is None or fitted.validation_loss < best.validation_loss:
            best = fitted
    return replace(best, seconds=time.perf_counter() - started, trials=pd.DataFrame(trials))


def batch_of(
    features: Mapping[str, Features], scales: Mapping[str, float], rows: np.ndarray
) -> tuple[dict[str, Tensor], Tensor]:
    """Scaled vectors of some rows as tensors, modality → [rows, D_m], and the mask [rows, modalities]."""
    parts = {
        name: torch.from_numpy(np.ascontiguousarray(one.dense(rows))) * scales[name]
        for name, one in features.items()
    }
    present = np.stack([one.present[rows] for one in features.values()], axis=1)
    return parts, torch.from_numpy(present)


def input_scales(features: Mapping[str, Features], known: np.ndarray) -> dict[str, float]:
    """Modality → the factor that scales the known rows' vectors to a root-mean-square length of `LENGTH`.

    Adam steps all weights by about the same amount, so a modality with long vectors would be learned first
    and the others late.
    """
    scales = {}
    for name, one in features.items():
        seen = one.dense(known[one.present[known]][:2000])
        length = float(np.sqrt(np.square(seen).sum(axis=1).mean())) if len(seen) else 0.0
        scales[name] = LENGTH / length if length > 0 else 1.0
    return scales


LENGTH = 8.0  # root-mean-square length of a scaled vector


def hide_some(present: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Modality dropout: hide each present modality with this probability, but never an item's last one."""
    draw = torch.rand(present.shape, generator=generator)
    hidden = (draw < share) & present
    # where all would be hidden, keep the one with the largest random number
    alone = torch.zeros_like(present).scatter_(1, (draw * present).argmax(dim=1, keepdim=True), True)
    kept = present & ~hidden
    return torch.where(kept.any(dim=1, keepdim=True), kept, alone & present)


ONE_OPTIMUM = {"linear": fit_linear, "discriminant": fit_discriminant}  # nothing is drawn, no seed counts


def _fit_at_once(features, scales, labels, train, validation, settings: FitSettings) -> FusedClassifier:
    fit = ONE_OPTIMUM[settings.operator]
    operator, seconds = fit(features, scales, labels, train, settings.strength)
    made = FusedClassifier(operator, scales, settings, 0.0, seconds, 1)
    log = made.scores(features, validation)
    return replace(made, validation_loss=float(-log[np.arange(len(validation)), labels[validation]].mean()))


def _fit_one(features, scales, labels, train, validation, settings: FitSettings) -> FusedClassifier:
    started = time.perf_counter()
    torch.manual_seed(settings.seed)
    draws = torch.Generator().manual_seed(settings.seed)
    classes = int(labels[train].max()) + 1
    widths = {name: one.width for name, one in features.items()}
    operator: Operator = OPERATORS.load(settings.operator)(widths, classes, settings.inner, settings.drop)
    optimizer = torch.optim.AdamW(operator.parameters(), lr=settings.rate, weight_decay=settings.decay)
    steps = -(-len(train) // settings.batch)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps * settings.epochs)
    held = batch_of(features, scales, validation)
    wanted = torch.from_numpy(labels[validation])
    least, state, waited, epoch = float("inf"), None, 0, 0
    for epoch in range(1, settings.epochs + 1):  # noqa: B007 - told below
        operator.train()
        for rows in np.array_split(train[torch.randperm(len(train), generator=draws).numpy()], steps):
            parts, present = batch_of(features, scales, rows)
            if settings.modality_dropout > 0:
                present = hide_some(present, settings.modality_dropout, draws)
                parts = {name: parts[name] * present[:, [k]] for k, name in enumerate(parts)}
            answers = operator.heads(parts, present)
            loss = sum(cross_entropy(answer, torch.from_numpy(labels[rows])) for answer in answers)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            cosine.step()
        operator.eval()
        operator.settle(*held, wanted)
        with torch.inference_mode():
            now = float(cross_entropy(operator(*held), wanted))
        waited += 1
        if now < least - 1e-4:
            least, state, waited = now, copy.deepcopy(operator.state_dict()), 0
        if waited >= settings.patience:
            break
    operator.load_state_dict(state)
    return FusedClassifier(operator, scales, settings, least, time.perf_counter() - started, epoch)


def _check(features: Mapping[str, Features], labels: np.ndarray, rows: np.ndarray) -> None:
    if not features:
        raise FeatureError("a classifier needs at least one modality")
    lengths = {name: len(one) for name, one in features.items()}
    if set(lengths.values()) != {len(labels)}:
        raise FeatureError(f"modalities and labels differ in length: {lengths}, {len(labels)} labels")
    if (labels[rows] < 0).any():
        raise FeatureError(f"{int((labels[rows] < 0).sum())} rows have no label: leave them out of the parts")
