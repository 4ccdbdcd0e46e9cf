"""Ray Tune's population-based training over a sweep's space (Jaderberg et al. 2017, arXiv:1711.09846)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from ray.tune.schedulers import PopulationBasedTraining

from recsys.sweeps.functions.registry import FUNCTIONS
from recsys.sweeps.spec import Spec
from recsys.training.hyperparameter_search.spaces import Choice, Range

FACTORS = (1.25, 0.8)  # of a number that is changed a little; a choice moves to its neighbour
DRAWN_ANEW = 0.25  # how often a changed setting is drawn from its whole range instead
Told = Callable[[str, str, dict[str, Any], int], None]


class Population(PopulationBasedTraining):
    """All members wait for each other at every exchange: what comes out does not depend on who ran beside
    whom, and a population may be larger than the number of cores.

    Args:
        told: called as told(trial id, donor's trial id, new configuration, reports so far) at every exchange.
    """

    def __init__(self, told: Told, **options: Any):
        super().__init__(synch=True, log_config=False, require_attrs=False, **options)
        self._told = told

    def _exploit(self, tune_controller: Any, trial: Any, trial_to_clone: Any) -> None:
        super()._exploit(tune_controller, trial, trial_to_clone)
        reports = int(self._trial_state[trial].last_train_time)
        self._told(trial.trial_id, trial_to_clone.trial_id, trial.config, reports)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """A member that fails is the last that the others wait for, perhaps: they would wait for ever."""
        super().on_trial_complete(tune_controller, trial, result)
        self._go_on_without(tune_controller, trial)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        super().on_trial_error(tune_controller, trial)
        self._go_on_without(tune_controller, trial)

    def _go_on_without(self, tune_controller: Any, gone: Any) -> None:
        others = [self._trial_state[one] for one in tune_controller.get_live_trials() if one is not gone]
        if others and all(one.last_train_time >= self._next_perturbation_sync for one in others):
            self._next_perturbation_sync += self._perturbation_interval

    def __getstate__(self) -> dict[str, Any]:
        """Tune writes snapshots of itself, which nobody reads: the arm's open log stays out of them."""
        return {}


def make_population(spec: Spec, method: Any, told: Told) -> Population:
    """The scheduler of a method with `scheduler: pbt`.

    Changed numbers stay within their ranges, those over a logarithm with three significant digits.
    """
    objective = spec.objectives[0]
    changeable = FUNCTIONS.load(spec.function).changeable
    ranges = {name: one for name, one in spec.ranges.items() if name in changeable}

    def within(config: dict[str, Any]) -> dict[str, Any]:
        settings = {name: _within(ranges[name], config["ask"]["settings"][name]) for name in ranges}
        return {**config, "ask": {**config["ask"], "settings": config["ask"]["settings"] | settings}}

    return Population(
        told,
        time_attr="training_iteration",
        metric=objective.metric,
        mode=objective.direction,
        perturbation_interval=method.every,
        quantile_fraction=method.share,
        resample_probability=DRAWN_ANEW,
        perturbation_factors=FACTORS,
        hyperparam_mutations={"ask": {"settings": _mutations(ranges)}},
        custom_explore_fn=within,
    )


def _mutations(ranges: Mapping[str, Range]) -> dict[str, Any]:
    """As Tune wants them: the values of a choice, or a function that draws."""
    return {
        name: list(one.values) if isinstance(one, Choice) else lambda one=one: one.at(random.random())
        for name, one in ranges.items()
    }


def _within(one: Range, value: Any) -> Any:
    if isinstance(one, Choice):
        return value
    value = min(max(value, one.low), one.high)
    return float(f"{value:.3g}") if one.log and isinstance(value, float) else value
