"""Settings of a training run, checked when they are created."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

Optimizer = Literal["adamw", "adam", "adafactor"]
Schedule = Literal["linear", "cosine", "constant"]
Precision = Literal["no", "bf16", "fp16"]
Tracker = Literal["tensorboard", "wandb", "mlflow"]

# These do not change the result, only what is written beside it: a resumed run may change them.
WITHOUT_EFFECT = ("checkpoint_minutes", "tracker")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings of `recsys.training.train`.

    Attributes:
        epochs: passes over the samples, > 0; fractions allowed. Counted in optimiser steps of the first
            epoch where the number of batches differs from epoch to epoch (token budgets).
        learning_rate: peak, > 0; of parameters whose name begins "backbone." where there is a
            `head_learning_rate`, else of all.
        head_learning_rate: peak of all other parameters, > 0; None: the same as `learning_rate`.
        max_steps: optimiser steps, ≥ 1, at which training ends even before `epochs`; None: no limit.
        optimizer: "adamw", "adam" (weight decay inside the gradient) or "adafactor" (less memory).
        weight_decay: ≥ 0; which parameters take it, see `recsys.training.optimisers`.
        schedule: of the learning rate after the warm-up: "linear" or "cosine" fall to 0, "constant" stays.
        warmup_share: share of all optimiser steps in which the rate rises linearly from 0, in [0, 1).
        batch_size: samples of a micro-batch, ≥ 1, over all processes.
        token_budget: padded tokens of a micro-batch, ≥ 1, over all processes. Give exactly one of batch_size
            and token_budget.
        length_buckets: batch samples of similar length (where lengths are known), which saves padding.
        accumulation: micro-batches of one optimiser step, ≥ 1.
        clip_norm: largest norm of the gradient, > 0; None: no clipping.
        mixed_precision: "no", "bf16" (GPU or CPU) or "fp16" (GPU only).
        gradient_checkpointing: recompute activations in the backward pass instead of keeping them.
        seed: of batches, dropout and drawn negatives, ≥ 0. Not of the model's first weights.
        patience: evaluations in a row without a new best, ≥ 1, after which training stops; None: never.
        evaluate_every: optimiser steps between evaluations, ≥ 1; None: at the end of each epoch.
            The end of training is always evaluated.
        checkpoint_minutes: minutes between checkpoints, ≥ 0; 0: after every step.
        tracker: where the curves are sent: None, "tensorboard", "wandb" or "mlflow".

    Raises:
        ValueError: a field is out of range; names field, value and range.

    Example:
        >>> TrainingSettings(epochs=2, learning_rate=1e-3, batch_size=32).optimizer
        'adamw'
    """

    epochs: float
    learning_rate: float
    head_learning_rate: float | None = None
    max_steps: int | None = None
    optimizer: Optimizer = "adamw"
    weight_decay: float = 0.0
    schedule: Schedule = "linear"
    warmup_share: float = 0.1
    batch_size: int | None = None
    token_budget: int | None = None
    length_buckets: bool = True
    accumulation: int = 1
    clip_norm: float | None = 1.0
    mixed_precision: Precision = "no"
    gradient_checkpointing: bool = False
    seed: int = 0
    patience: int | None = None
    evaluate_every: int | None = None
    checkpoint_minutes: float = 5.0
    tracker: Tracker | None = None

    def __post_init__(self):
        for field in ("epochs", "learning_rate"):
            _positive(field, getattr(self, field))
        for field in ("head_learning_rate", "clip_norm"):
            if getattr(self, field) is not None:
                _positive(field, getattr(self, field))
        for field in ("weight_decay", "checkpoint_minutes"):
            _not_negative(field, getattr(self, field))
        for field in ("max_steps", "batch_size", "token_budget", "patience", "evaluate_every"):
            if getattr(self, field) is not None:
                _whole(field, getattr(self, field), least=1)
        _whole("accumulation", self.accumulation, least=1)
        _whole("seed", self.seed, least=0)
        for field in ("length_buckets", "gradient_checkpointing"):
            if not isinstance(getattr(self, field), bool):
                raise ValueError(f"{field} must be True or False, got {getattr(self, field)!r}")
        _one_of("optimizer", self.optimizer, get_args(Optimizer))
        _one_of("schedule", self.schedule, get_args(Schedule))
        _one_of("mixed_precision", self.mixed_precision, get_args(Precision))
        _one_of("tracker", self.tracker, (None, *get_args(Tracker)))
        if not _is_number(self.warmup_share) or not 0 <= self.warmup_share < 1:
            raise ValueError(f"warmup_share must be in [0, 1), got {self.warmup_share!r}")
        if (self.batch_size is None) == (self.token_budget is None):
            raise ValueError(
                "give exactly one of batch_size (samples) and token_budget (padded tokens), "
                f"got batch_size={self.batch_size!r} and token_budget={self.token_budget!r}"
            )


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive(field: str, value) -> None:
    if not _is_number(value) or value <= 0:
        raise ValueError(f"{field} must be a number above 0, got {value!r}")


def _not_negative(field: str, value) -> None:
    if not _is_number(value) or value < 0:
        raise ValueError(f"{field} must be a number of at least 0, got {value!r}")


def _whole(field: str, value, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{field} must be a whole number of at least {least}, got {value!r}")


def _one_of(field: str, value, allowed: tuple) -> None:
    if value not in allowed:
        raise ValueError(f"{field} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
