"""The kit's one search over settings, for baselines and new models alike.

Choose by validation, never by test: the objective is given data that the test part was taken out of. The
budget is a number of trials or of core seconds (processor time of all threads), which a busy machine does
not shorten; a trial that ends after the budget is spent is logged and not chosen, so that nobody gains by a
long last trial. The first trial always counts: it is what the model does without a search.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from recsys.training.hyperparameter_search.samplers import Sampler
from recsys.training.hyperparameter_search.trial import DONE, FAILED, Trial, as_frame, best_of
from recsys.training.hyperparameter_search.trial_log import TrialLog
from recsys.training.hyperparameter_search.validation_only import without_test
from recsys.training.result import TrainingDiverged

# what one setting may do without taking the search with it; a programming error is not among them
SURVIVABLE = (TrainingDiverged, MemoryError, ArithmeticError)


class SearchError(ValueError):
    """A search cannot be done as asked, or nothing came of it."""


@dataclass(frozen=True)
class Budget:
    """Exactly one of the two: trials ≥ 1, or core seconds > 0.

    Raises:
        SearchError: none or both, or out of range.
    """

    trials: int | None = None
    core_seconds: float | None = None

    def __post_init__(self):
        if (self.trials is None) == (self.core_seconds is None):
            raise SearchError("a budget is either a number of trials or of core seconds")
        if self.trials is not None and (not isinstance(self.trials, int) or self.trials < 1):
            raise SearchError(f"a budget needs at least one trial, got {self.trials!r}")
        if self.core_seconds is not None and not self.core_seconds > 0:
            raise SearchError(f"a budget needs more than 0 core seconds, got {self.core_seconds!r}")

    def left(self, started: int, spent: float) -> bool:
        """May another trial start?"""
        return started < self.trials if self.trials is not None else spent < self.core_seconds

    def counts(self, number: int, spent: float) -> bool:
        """May a trial be chosen that ended when so much was spent?"""
        return number == 0 or self.core_seconds is None or spent <= self.core_seconds


@dataclass(frozen=True)
class Measured:
    """What an objective returns: metrics of validation, and what to keep of the best trial (a model)."""

    metrics: Mapping[str, float]
    kept: Any = None


@dataclass(frozen=True)
class Found:
    """The chosen trial, what it kept, and all trials in their order."""

    best: Trial
    kept: Any
    trials: list[Trial] = field(repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """See `trial.as_frame`; with a column chosen."""
        table = as_frame(self.trials)
        return table.assign(chosen=table["number"] == self.best.number)


Objective = Callable[[dict[str, Any], Any], Measured]


def search(
    objective: Objective,
    data: Any,
    sampler: Sampler,
    budget: Budget,
    *,
    metric: str,
    direction: str = "max",
    log: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    after_trial: Callable[[Trial, Any], None] | None = None,
) -> Found:
    """Try settings until the budget is spent and keep the best.

    Args:
        objective: `objective(settings, data)`; `data` is `without_test(data)`.
        data: see `validation_only.without_test`.
        sampler: what to try; `samplers.Listed` puts defaults first.
        metric: by which the best is chosen. direction: "max" or "min".
        log: file of the trials; a search that was cut off goes on from it.
        identity: what is searched, for the log: names of model and data, seed, space.
        after_trial: told each new trial and what it kept, in the caller's hands and not the objective's.

    Raises:
        SearchError: nothing to try, an unknown metric or direction, or every trial failed.
        TrialLogError: the log is of another search.
        Exception: what an objective raises, but for what a bad setting can cause (`SURVIVABLE`, a metric
            that is not finite): such a trial is logged as failed and the search goes on.
    """
    if direction not in ("max", "min"):
        raise SearchError(f"direction must be 'max' or 'min', not {direction!r}")
    keeper = _Keeper(metric, direction)
    told = None
    if log is not None:
        told = TrialLog(log, {"metric": metric, "direction": direction, **(identity or {})})
    trials = [Trial.read(event) for event in told.events] if told else []
    given = without_test(data)
    try:
        while budget.left(len(trials), trials[-1].spent if trials else 0.0):
            settings = sampler.propose(len(trials), trials)
            if settings is None:
                break
            trial, kept = _run(objective, settings, given, trials, budget, metric)
            trials.append(trial)
            if told:
                told.append(trial.written())
            if after_trial:
                after_trial(trial, kept)
            keeper.see(trial, kept)
            del kept  # or it would still be there while the next one is made
    finally:
        if told:
            told.close()
    return _found(trials, keeper, objective, given)


class _Keeper:
    """Holds what the best trial so far kept, and nothing else."""

    def __init__(self, metric: str, direction: str):
        self.metric, self.direction = metric, direction
        self.best: Trial | None = None
        self.kept: Any = None

    def see(self, trial: Trial, kept: Any) -> None:
        candidates = [one for one in (self.best, trial) if one is not None]
        if best_of(candidates, self.metric, self.direction) is trial:
            self.best, self.kept = trial, kept


def _run(
    objective: Objective,
    settings: dict[str, Any],
    data: Any,
    before: Sequence[Trial],
    budget: Budget,
    metric: str,
) -> tuple[Trial, Any]:
    clock, processor = time.perf_counter(), core_seconds()
    state, reason, metrics, kept = DONE, "", {}, None
    try:
        measured = objective(dict(settings), data)
        metrics, kept = {name: float(value) for name, value in measured.metrics.items()}, measured.kept
    except SURVIVABLE as error:
        state, reason = FAILED, f"{type(error).__name__}: {error}".splitlines()[0]
    if state == DONE and metric not in metrics:
        raise SearchError(f"the objective gives no {metric!r}; it gives {', '.join(metrics) or 'nothing'}")
    if state == DONE and not math.isfinite(metrics[metric]):
        state, reason, kept = FAILED, f"{metric} is {metrics[metric]}", None
    metrics = {name: value for name, value in metrics.items() if math.isfinite(value)}
    seconds, used = time.perf_counter() - clock, core_seconds() - processor
    spent = (before[-1].spent if before else 0.0) + used
    number = len(before)
    counts = budget.counts(number, spent)
    return Trial(number, settings, state, metrics, reason, seconds, used, spent, counts), kept


def _found(trials: list[Trial], keeper: _Keeper, objective: Objective, data: Any) -> Found:
    if not trials:
        raise SearchError("nothing to try: need at least one setting")
    best = best_of(trials, keeper.metric, keeper.direction)
    if best is None:
        reasons = "; ".join(f"{trial.settings}: {trial.reason}" for trial in trials[:3])
        raise SearchError(f"none of {len(trials)} settings could be used: {reasons}")
    # the best may come from the log of a search that was cut off: what it kept is made once more
    again = keeper.best is None or keeper.best.number != best.number
    kept = objective(dict(best.settings), data).kept if again else keeper.kept
    return Found(best, kept, trials)


def core_seconds() -> float:
    """Processor time of this process and its ended children, all threads."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))
