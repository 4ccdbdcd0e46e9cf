"""Which settings of the contest's models are searched, over what, and by the one search of the kit.

Baselines and trained models get the same budget (`Plan.search_seconds`, or `trials` and `trained_trials`),
the model's own defaults first. Models that are printed or published stay as they are printed or published.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pandas as pd

from recsys.baselines import tuned
from recsys.baselines.candidates import BASELINES, RANGES, candidates
from recsys.baselines.new_users import NewUsersGetPopular
from recsys.models.contest_plan import Plan
from recsys.models.next_item_data import NextItemData
from recsys.training.hyperparameter_search import search as hyperparameter_search
from recsys.training.hyperparameter_search.samplers import Listed, make_sampler
from recsys.training.hyperparameter_search.search import Budget, Measured, SearchError
from recsys.training.hyperparameter_search.spaces import Choice, Range, Real
from recsys.training.next_item import METRIC, NextItemRecommender
from recsys.training.settings import TrainingSettings

DRAWN = ("als", "bpr")  # start from random numbers
# Adam's penalty inside the gradient: 0 is the default, and a logarithm does not reach it
PENALTY = Choice((0.0, 1e-6, 1e-5, 1e-4, 1e-3))
SEQUENCE: dict[str, Range] = {
    "learning_rate": Real(2e-4, 1e-2, log=True),
    "batch_size": Choice((128, 256, 512, 1024)),
    "weight_decay": PENALTY,
    "drop": Real(0.1, 0.7),
    "width": Choice((64, 128)),
}
# batch_size: of the eight micro-batches that make a step
SASREC = {**SEQUENCE, "batch_size": Choice((16, 32, 64)), "width": Choice((32, 64, 128))}
# 000 §9, Q2: one or two orders of magnitude below pre-training's rate
TEXT: dict[str, Range] = {
    "learning_rate": Real(1e-5, 3e-4, log=True),
    "head_learning_rate": Real(3e-4, 3e-3, log=True),
    "weight_decay": Choice((0.0, 1e-3, 1e-2, 1e-1)),
}
TRAINED_RANGES: dict[str, dict[str, Range]] = {
    "sasrec": SASREC,
    "sequence": SEQUENCE,
    "titles": SEQUENCE,
    "title_sequence": SEQUENCE,
    "text": TEXT,
    "text_ids": TEXT,
    "text_lora": TEXT | {"learning_rate": Real(3e-5, 3e-3, log=True)},
}
OF_TRAINING = {field.name for field in fields(TrainingSettings)}
Make = Callable[[NextItemData, Plan], NextItemRecommender]


def logarithmic(name: str) -> list[str]:
    """The settings of a model that are spread over their logarithm: so should an axis be."""
    return [key for key, one in search_ranges(name).items() if getattr(one, "log", False)]


def search_ranges(name: str) -> dict[str, Range]:
    """What is searched of a model; empty where it is taken as it is."""
    return {**RANGES, **TRAINED_RANGES}.get(name, {})


def fit_baseline(name: str, data: NextItemData, plan: Plan, sampler: str = "quasi_random") -> tuple:
    """(model fitted on `data.train`, trials) of a tuned baseline."""

    def make(**settings: Any) -> NewUsersGetPopular:
        seeded = {"seed": plan.seed} if name in DRAWN else {}
        return NewUsersGetPopular(BASELINES[name](**settings, **seeded))

    parts = replace(data.split, train=data.train)
    found = tuned.search(make, candidates(name, sampler=sampler), parts, budget=budget(plan, plan.trials))
    return found.model, found.trials


def fit_trained(
    name: str, make: Make, data: NextItemData, plan: Plan, sampler: str = "quasi_random"
) -> tuple:
    """(fitted model, trials or None) of a trained model; searched only where the plan says so.

    Raises:
        SearchError: a search without validation users to judge by.
    """
    space = {key: one for key, one in search_ranges(name).items() if key not in plan.settings | plan.options}
    allowed = budget(plan, plan.trained_trials)
    if not space or allowed.trials == 1:
        return fit_once(make, data, plan), None
    if not plan.judged_users:
        raise SearchError(f"{name} cannot be searched with judged_users=0: validation chooses its settings")

    def fit_and_measure(settings: dict[str, Any], given: NextItemData) -> Measured:
        model = fit_once(make, given, with_settings(plan, settings))
        result = model.result
        return Measured({METRIC: result.best_metric, "steps": result.steps}, model)

    # with no settings of its own the first trial is the model as it is
    proposals = Listed([{}], make_sampler(sampler, space, plan.seed))
    found = hyperparameter_search.search(fit_and_measure, data, proposals, allowed, metric=METRIC)
    return found.kept, found.frame


def fit_once(make: Make, data: NextItemData, plan: Plan) -> NextItemRecommender:
    """One fit with the plan's settings."""
    model = make(data, plan)
    size = (data.split.n_users, data.split.n_items)
    return model.fit(
        data.train, *size, split=data.split if plan.judged_users else None, progress=plan.progress
    )


def with_settings(plan: Plan, settings: dict[str, Any]) -> Plan:
    """The plan with searched settings, each where it belongs: to the training or to the model."""
    training = {name: value for name, value in settings.items() if name in OF_TRAINING}
    options = {name: value for name, value in settings.items() if name not in OF_TRAINING}
    return replace(plan, settings=plan.settings | training, options=plan.options | options)


def budget(plan: Plan, trials: int) -> Budget:
    """The plan's core seconds where it has some, else so many trials."""
    return Budget(core_seconds=plan.search_seconds) if plan.search_seconds else Budget(trials=trials)


def search_costs(trials: pd.DataFrame | None) -> dict[str, float]:
    """What a search cost: search_trials, search_core_seconds; nothing where there was none."""
    if trials is None or "core_seconds" not in trials:
        return {}
    return {
        "search_trials": float(len(trials)),
        "search_core_seconds": float(trials["core_seconds"].sum()),
    }
