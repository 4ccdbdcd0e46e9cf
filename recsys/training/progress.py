"""Progress of a training run: all of its state but the weights and the optimiser's state."""

from __future__ import annotations

from dataclasses import dataclass, field

from recsys.training.result import COLUMNS

SHOWN = 5  # losses that an error message quotes


@dataclass
class Progress:
    """Counters and curves as plain numbers and lists, which JSON stores exactly.

    Attributes:
        step: optimiser steps taken. epoch: from 0. position: micro-batches of this epoch that are done.
        seconds: of training. tokens: of training, without padding.
        best_metric, best_step: of the best evaluation. stale: number of evaluations since then.
        stopped_early: whether patience ran out. finished: whether training has ended.
        history: lists of equal length, one for each of `COLUMNS`.
    """

    step: int = 0
    epoch: int = 0
    position: int = 0
    seconds: float = 0.0
    tokens: int = 0
    best_metric: float | None = None
    best_step: int | None = None
    stale: int = 0
    stopped_early: bool = False
    finished: bool = False
    history: dict[str, list] = field(default_factory=lambda: {name: [] for name in COLUMNS})

    def add(self, row: tuple) -> None:
        """Append one step's numbers to the history, in the order of `COLUMNS`."""
        for name, value in zip(COLUMNS, row, strict=True):
            self.history[name].append(value)
        self.tokens += self.history["tokens"][-1]

    def last_losses(self) -> list[float]:
        """The losses of the last few steps, for an error message."""
        return self.history["loss"][-SHOWN:]

    def evaluated(self, metric: float, patience: int | None) -> bool:
        """Record an evaluation after the last step; returns True if it is the best so far."""
        self.history["metric"][-1] = metric
        if self.best_metric is None or metric > self.best_metric:
            self.best_metric, self.best_step, self.stale = metric, self.step, 0
            return True
        self.stale += 1
        self.stopped_early = patience is not None and self.stale >= patience
        return False
