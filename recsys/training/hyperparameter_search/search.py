"""The hyperparameter search of the kit, the same for baselines and new models.

Settings are chosen on validation, never on test: the objective gets data without the test part. The budget is
a number of trials or of core seconds (processor time of all threads), which does not depend on how busy the
machine is. A trial that ends after the budget is spent is logged but not chosen, so that a long last trial is
no advantage. The first trial always counts: it is the model without a search.
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

from recsys.training.diverged import TrainingDiverged
from recsys.training.hyperparameter_search.samplers import Sampler
from recsys.training.hyperparameter_search.trial import DONE, FAILED, Trial, as_frame, best_of
from recsys.training.hyperparameter_search.trial_log import TrialLog
from recsys.training.hyperparameter_search.validation_only import without_test

# errors of one setting that do not end the search; programming errors are not among them
SURVIVABLE = (TrainingDiverged, MemoryError, ArithmeticError)


class SearchError(ValueError):
    """The search cannot be done as asked, or no trial succeeded."""


@dataclass(frozen=True)
class Budget:
    """How much a search may spend: trials (≥ 1) or core seconds (> 0), exactly one of the two.

    Raises:
        SearchError: none or both, or out of range.

    Example:
        >>> Budget(trials=20).left(started=19, spent=0.0)
        True
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
        """Whether another trial may start after `started` trials and `spent` core seconds."""
        return started < self.trials if self.trials is not None else spent < self.core_seconds

    def counts(self, number: int, spent: float) -> bool:
        """Whether trial `number` may be chosen, which ended when `spent` core seconds were used."""
        return number == 0 or self.core_seconds is None or spent <= self.core_seconds


@dataclass(frozen=True)
class Measured:
    """What an objective returns.

    Attributes:
        metrics: on validation, name → number.
        kept: what to keep of the best trial, such as the fitted model.
    """

    metrics: Mapping[str, float]
    kept: Any = None


@dataclass(frozen=True)
class Found:
    """Result of a search: the best trial, what it kept, and all trials in order."""

    best: Trial
    kept: Any
    trials: list[Trial] = field(repr=False)

    @property
    def frame(self) -> pd.DataFrame:
        """All trials as `trial.as_frame`, with a column `chosen` (bool)."""
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
        objective: called as `objective(settings, without_test(data))`; returns a `Measured`.
        data: a split, or anything that `validation_only.without_test` takes.
        sampler: what to try; `samplers.Listed` puts defaults first.
        budget: when to stop.
        metric: name of the metric to choose by. direction: "max" or "min".
        log: file of the trials; an interrupted search resumes from it.
        identity: what is searched, for the log: names of model and data, seed, space.
        after_trial: called with each new trial and what it kept.

    Raises:
        SearchError: nothing to try, an unknown metric or direction, or every trial failed.
        TrialLogError: the log is of another search.
        Exception: what the objective raises, except what a bad setting can cause (`SURVIVABLE`, a metric
            that is not finite): such a trial is logged as failed and the search continues.

    Example:
        >>> from recsys.training.hyperparameter_search.samplers import make_sampler
        >>> from recsys.training.hyperparameter_search.spaces import Real
        >>> class Parabola:  # stands for a data split
        ...     def without_test(self):
        ...         return self
        >>> def objective(settings, data):
        ...     return Measured({"ndcg@10": 1 - (settings["rate"] - 0.3) ** 2})
        >>> sampler = make_sampler("quasi_random", {"rate": Real(0.0, 1.0)})
        >>> found = search(objective, Parabola(), sampler, Budget(trials=16), metric="ndcg@10")
        >>> found.best.metrics["ndcg@10"] > 0.99
        True
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
    """Holds what the best trial so far kept, so that only one model is in memory."""

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
    # the best trial may come from the log of an interrupted search: then it is repeated to get what it kept
    again = keeper.best is None or keeper.best.number != best.number
    kept = objective(dict(best.settings), data).kept if again else keeper.kept
    return Found(best, kept, trials)


def core_seconds() -> float:
    """Processor time of this process and its ended children, all threads."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))
