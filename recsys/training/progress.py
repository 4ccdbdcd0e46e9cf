"""How far a run has come: everything about it that is neither a weight nor the optimiser's."""

from __future__ import annotations

from dataclasses import dataclass, field

from recsys.training.result import COLUMNS

SHOWN = 5  # losses that an error message quotes


@dataclass
class Progress:
    """Plain numbers and lists, as JSON keeps them bit by bit.

    Attributes:
        step: optimiser steps taken. epoch: from 0. position: micro-batches of this epoch that are done.
        seconds: of training. tokens: of training, padding left out.
        best_metric, best_step: of the best evaluation. stale: evaluations since.
        stopped_early: patience ran out. finished: the weights beside this are the result.
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
        """A step's numbers, in the order of `COLUMNS`."""
        for name, value in zip(COLUMNS, row, strict=True):
            self.history[name].append(value)
        self.tokens += self.history["tokens"][-1]

    def last_losses(self) -> list[float]:
        return self.history["loss"][-SHOWN:]

    def evaluated(self, metric: float, patience: int | None) -> bool:
        """Note an evaluation of the last step. True: it is the best so far."""
        self.history["metric"][-1] = metric
        if self.best_metric is None or metric > self.best_metric:
            self.best_metric, self.best_step, self.stale = metric, self.step, 0
            return True
        self.stale += 1
        self.stopped_early = patience is not None and self.stale >= patience
        return False
