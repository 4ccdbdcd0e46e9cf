"""A budget in seconds: how many steps fit into it, the search before them included."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np

from recsys.models.tuning.comparison import shortened
from recsys.models.tuning.task import NextItem, TunedTask
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
) -> tuple[int, float]:
    """Optimiser steps of the training that fit into `seconds` with those of the search, by timing a few.

    What the first training does for all (a linear head, fitted on the untuned encoder) counts once, what each
    one does before its steps counts for every try and for the final one. Not counted: vectors of a shop's
    titles, which "zero_shot", too, needs; and the judgement on validation, whose size the comparison chooses.

    Returns:
        The steps, and the seconds of what the first training did for all: the later ones find it done.

    Raises:
        ValueError: seconds not above 0, or too few for one step after the search.
    """
    if seconds <= 0:
        raise ValueError(f"seconds must be above 0, got {seconds}")
    brief = replace(settings, max_steps=TIMED_STEPS, epochs=max(settings.epochs, 100.0))
    if isinstance(task, NextItem):
        task.item_vectors  # noqa: B018 (kept by the task from here on)
    (first, _), (again, step) = (_timed(task, method, brief) for _ in range(2))
    once, around = max(0.0, first - again), max(0.0, again - TIMED_STEPS * step)
    tries = rates_tried if rates_tried > 1 else 0  # one rate is taken without a search
    fitting = int((seconds - once - (1 + tries) * around) / step)

    def needed(steps: int) -> int:
        # a try's steps are rounded up
        return steps + tries * shortened(replace(settings, max_steps=steps), search_share).max_steps

    steps = max(0, int(fitting / (1 + tries * search_share)))
    while steps and needed(steps) > fitting:
        steps -= 1
    if not steps:
        raise ValueError(
            f"a step takes {step:.1f} s, its start {once:.1f} s once and {around:.1f} s for each training: "
            f"{seconds:g} s hold no training with {tries} tries before it"
        )
    return steps, once


def _timed(task: TunedTask, method: str, settings: TrainingSettings) -> tuple[float, float]:
    """Seconds of a whole training, and of one of its steps."""
    start = perf_counter()
    history = task.fit(tuning(method), settings).result.history
    return perf_counter() - start, float(np.median(np.diff(history["seconds"].to_numpy())))
