"""Hyperparameter search of next-item models: which settings, over which ranges, with which budget.

Baselines and trained models get the same budget (`ModelSettings.search_seconds`, or `trials` and
`trained_trials`), the model's defaults first. Models with printed or published settings are not searched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pandas as pd

from recsys.baselines import tuned
from recsys.baselines.candidates import BASELINES, candidates
from recsys.baselines.new_users import NewUsersGetPopular
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelSettings
from recsys.models.next_item.registry import MODELS
from recsys.training.hyperparameter_search import search as hyperparameter_search
from recsys.training.hyperparameter_search.samplers import Listed, make_sampler
from recsys.training.hyperparameter_search.search import Budget, Measured, SearchError
from recsys.training.hyperparameter_search.spaces import Range
from recsys.training.next_item import METRIC, NextItemRecommender
from recsys.training.settings import TrainingSettings

OF_TRAINING = {field.name for field in fields(TrainingSettings)}
Make = Callable[[NextItemData, ModelSettings], NextItemRecommender]


def logarithmic(name: str) -> list[str]:
    """Settings of a model that are searched on a logarithmic scale, for the axes of plots."""
    return [key for key, one in search_ranges(name).items() if getattr(one, "log", False)]


def search_ranges(name: str) -> dict[str, Range]:
    """Search space of a model; empty where its settings are not searched."""
    registry = BASELINES if name in BASELINES else MODELS
    return dict(registry.load(name).ranges) if name in registry else {}


def fit_baseline(name: str, data: NextItemData, asked: ModelSettings, sampler: str = "quasi_random") -> tuple:
    """(model fitted on `data.train`, trials) of a tuned baseline."""
    baseline = BASELINES.load(name)

    def make(**settings: Any) -> NewUsersGetPopular:
        return NewUsersGetPopular(baseline.make(**settings, **baseline.seeds(asked.seed)))

    parts = replace(data.split, train=data.train)
    found = tuned.search(make, candidates(name, sampler=sampler), parts, budget=budget(asked, asked.trials))
    return found.model, found.trials


def fit_trained(
    name: str, make: Make, data: NextItemData, asked: ModelSettings, sampler: str = "quasi_random"
) -> tuple:
    """(fitted model, trials or None) of a trained model; searched only where that is asked for.

    Raises:
        SearchError: a search without validation users.
    """
    space = {
        key: one for key, one in search_ranges(name).items() if key not in asked.settings | asked.options
    }
    allowed = budget(asked, asked.trained_trials)
    if not space or allowed.trials == 1:
        return fit_once(make, data, asked), None
    if not asked.judged_users:
        raise SearchError(f"{name} cannot be searched with judged_users=0: validation chooses its settings")

    def fit_and_measure(settings: dict[str, Any], given: NextItemData) -> Measured:
        model = fit_once(make, given, with_settings(asked, settings))
        result = model.result
        return Measured({METRIC: result.best_metric, "steps": result.steps}, model)

    # the first trial has no settings: the model's defaults
    proposals = Listed([{}], make_sampler(sampler, space, asked.seed))
    found = hyperparameter_search.search(fit_and_measure, data, proposals, allowed, metric=METRIC)
    return found.kept, found.frame


def fit_once(make: Make, data: NextItemData, asked: ModelSettings) -> NextItemRecommender:
    """One fit with the settings asked for."""
    model = make(data, asked)
    size = (data.split.n_users, data.split.n_items)
    return model.fit(
        data.train, *size, split=data.split if asked.judged_users else None, progress=asked.progress
    )


def with_settings(asked: ModelSettings, settings: dict[str, Any]) -> ModelSettings:
    """`asked` with searched settings added, each to the training settings or to the model's options."""
    training = {name: value for name, value in settings.items() if name in OF_TRAINING}
    options = {name: value for name, value in settings.items() if name not in OF_TRAINING}
    return replace(asked, settings=asked.settings | training, options=asked.options | options)


def budget(asked: ModelSettings, trials: int) -> Budget:
    """A budget of the core seconds asked for, where there are any, else of `trials`."""
    return Budget(core_seconds=asked.search_seconds) if asked.search_seconds else Budget(trials=trials)


def search_costs(trials: pd.DataFrame | None) -> dict[str, float]:
    """Costs of a search: search_trials, search_core_seconds; {} where there was none."""
    if trials is None or "core_seconds" not in trials:
        return {}
    return {
        "search_trials": float(len(trials)),
        "search_core_seconds": float(trials["core_seconds"].sum()),
    }
