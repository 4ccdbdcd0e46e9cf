"""The result of training."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from torch import nn

COLUMNS = ("step", "epoch", "loss", "learning_rate", "seconds", "tokens", "samples", "metric")


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and how training went.

    Attributes:
        model: the model that was given, trained in place, in eval mode; with the best weights where there
            were evaluations, else the last.
        history: one row for each optimiser step: step (from 1), epoch (passes so far, a fraction), loss (mean
            over the step's samples), learning_rate (in that step, of the first parameter group: the
            backbone's where there is one), seconds (of training so far, without evaluations), tokens and
            samples (of this step), metric (NaN where there was no evaluation).
        best_metric: of the best evaluation; None without evaluations.
        best_step: its step; None without evaluations.
        seconds: of training, without evaluations, checkpoints and the time between kill and resumption.
        tokens_per_second: real tokens, not padding, where batches have masks ("…_mask") or samples have
            lengths; else samples per second.
        steps: optimiser steps taken.
        stopped_early: whether training stopped because patience ran out.
    """

    model: nn.Module
    history: pd.DataFrame
    best_metric: float | None
    best_step: int | None
    seconds: float
    tokens_per_second: float
    steps: int
    stopped_early: bool

    @property
    def step_seconds(self) -> float:
        """Median of the optimiser steps' seconds."""
        seconds = self.history["seconds"]
        return float(seconds.diff().fillna(seconds).median())
