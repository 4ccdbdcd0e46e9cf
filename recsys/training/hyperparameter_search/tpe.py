"""Tree-structured Parzen estimators (Bergstra et al. 2011; Optuna, Akiba et al. 2019, arXiv:1907.10902).

For each proposal an Optuna study is rebuilt from the finished trials of our own log, so that an interrupted
search resumes from its history. (Ray's OptunaSearch keeps its study in a pickle that a restored Tuner does
not read again, ray#30861.)
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from recsys.training.hyperparameter_search.spaces import Choice, Range, Real, Space
from recsys.training.hyperparameter_search.trial import DONE, STOPPED, Trial

optuna.logging.set_verbosity(optuna.logging.WARNING)

STARTUP = 10  # random trials before the model is used: Optuna's default


class TPE:
    """Sampler by Optuna's TPE; what it proposes depends on (seed, number, history, running) alone.

    Args:
        metrics: what to learn from; several make it a search for the Pareto front.
        directions: "max" or "min" for each metric.
    """

    def __init__(
        self,
        space: Space,
        seed: int = 0,
        metrics: Sequence[str] = ("ndcg@10",),
        directions: Sequence[str] = ("max",),
    ):
        self.space, self.seed = dict(space), seed
        self.metrics, self.directions = list(metrics), list(directions)

    def propose(self, number, history, running=()):
        # a seed of its own for each trial, so that nothing depends on how often the study was asked
        seed = zlib.crc32(f"{self.seed} {number}".encode())
        with warnings.catch_warnings():  # Optuna's `constant_liar` is marked experimental
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = TPESampler(seed=seed, n_startup_trials=STARTUP, constant_liar=True)
        study = as_study(history, self.space, self.metrics, self.directions, sampler)
        for settings in running:
            if _fits(settings, self.space):
                study.add_trial(_frozen(settings, self.space, TrialState.RUNNING))
        trial = study.ask({name: distribution(one) for name, one in self.space.items()})
        return {name: _as_range(self.space[name], value) for name, value in trial.params.items()}


def distribution(one: Range) -> BaseDistribution:
    """Optuna's counterpart of a range."""
    if isinstance(one, Choice):
        return CategoricalDistribution(one.values)
    return (FloatDistribution if isinstance(one, Real) else IntDistribution)(one.low, one.high, log=one.log)


def as_study(
    trials: Sequence[Trial],
    space: Space,
    metrics: Sequence[str],
    directions: Sequence[str],
    sampler: optuna.samplers.BaseSampler | None = None,
) -> optuna.Study:
    """The trials as an Optuna study: its samplers, its measures of importance and its fronts read it.

    Failed trials, those without a metric and those outside the space are left out.
    """
    names = ["maximize" if direction == "max" else "minimize" for direction in directions]
    study = optuna.create_study(directions=names, sampler=sampler)
    usable = [
        trial
        for trial in sorted(trials, key=lambda trial: trial.number)
        if trial.state in (DONE, STOPPED)
        and all(metric in trial.metrics for metric in metrics)
        and _fits(trial.settings, space)
    ]
    study.add_trials(
        [
            _frozen(one.settings, space, TrialState.COMPLETE, [one.metrics[metric] for metric in metrics])
            for one in usable
        ]
    )
    return study


def _frozen(
    settings: Mapping[str, Any], space: Space, state: TrialState, values: Sequence[float] | None = None
) -> FrozenTrial:
    return create_trial(
        state=state,
        params={name: settings[name] for name in space},
        distributions={name: distribution(one) for name, one in space.items()},
        values=values,
    )


def _fits(settings: Mapping[str, Any], space: Space) -> bool:
    """A default may lie outside the searched ranges: Optuna would refuse it."""
    return all(name in settings and one.holds(settings[name]) for name, one in space.items())


def _as_range(one: Range, value: Any) -> Any:
    if isinstance(one, Real) and one.log:
        return min(max(float(f"{value:.3g}"), one.low), one.high)
    return value
