"""A budget in seconds: how many steps fit into it, the search before them included."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recsys.models.tuning.comparison import shortened
from recsys.models.tuning.task import TunedTask
from recsys.models.tuning_method import tuning
from recsys.training.settings import TrainingSettings

TIMED_STEPS = 4  # steps that are timed to choose their number; the first is not counted


def steps_within(
    task: TunedTask,
    method: str,
    settings: TrainingSettings,
    seconds: float,
    rates_tried: int = 1,
    search_share: float = 0.25,
) -> int:
    """Optimiser steps of the training that fit into `seconds` with those of the search, by timing a few.

    Raises:
        ValueError: seconds not above 0, or too few for one step after the search.
    """
    if seconds <= 0:
        raise ValueError(f"seconds must be above 0, got {seconds}")
    brief = replace(settings, max_steps=TIMED_STEPS, epochs=max(settings.epochs, 100.0))
    history = task.fit(tuning(method), brief).result.history
    step = float(np.median(np.diff(history["seconds"].to_numpy())))
    tries = rates_tried if rates_tried > 1 else 0  # one rate is taken without a search
    fitting = int(seconds / step)

    def needed(steps: int) -> int:
        # a try's steps are rounded up
        return steps + tries * shortened(replace(settings, max_steps=steps), search_share).max_steps

    steps = int(fitting / (1 + tries * search_share))
    while steps and needed(steps) > fitting:
        steps -= 1
    if not steps:
        raise ValueError(
            f"a step takes {step:.1f} s: {seconds:g} s hold no training with {tries} tries before it"
        )
    return steps
