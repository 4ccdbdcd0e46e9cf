"""Fit a next-item model with given hyperparameters on training events and measure it on validation.

Data sets and models are those of `recsys.models.next_item.comparison`: a new registry entry of either can be
swept at once. The data that a trial sees hold no event of the test period.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from time import perf_counter
from typing import Any

import numpy as np

from recsys.baselines.candidates import BASELINES
from recsys.baselines.new_users import NewUsersGetPopular
from recsys.data.splits import evenly
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.models.next_item.data import NextItemData, load_next_item
from recsys.models.next_item.evaluation import with_training_history
from recsys.models.next_item.model_settings import ModelSettings
from recsys.models.next_item.registry import MODELS
from recsys.models.next_item.search import fit_once, search_ranges, with_settings
from recsys.sweeps.functions.registry import Declared, Report, TrialFunction
from recsys.training.hyperparameter_search.spaces import Choice, Range, Whole

OWN = {
    "dataset": Declared((str,), "demo_store"),
    "model": Declared((str,), "item_knn"),
    "seed": Declared((int,), 0),
    "judged_users": Declared((int,), 5000),  # number of validation users; 0: all
    "epochs": Declared((float, int), 0.0),  # of a trained model; 0: the model's default
}
FROZEN_TEXTS = ("titles", "title_sequence", "title_cosine")  # models on text vectors that are computed once


def declared(fixed: Mapping[str, Any]) -> dict[str, Declared]:
    """`OWN`, and the hyperparameters of the chosen model.

    Raises:
        ValueError: the model has no hyperparameters to search.
    """
    model = fixed.get("model", OWN["model"].default)
    ranges = search_ranges(model)
    if not ranges:
        known = [name for name in (*BASELINES, *MODELS) if search_ranges(name)]
        raise ValueError(f"no model {model!r} with settings to search; there are {', '.join(known)}")
    defaults = BASELINES.load(model).default if model in BASELINES else {}
    own = {name: Declared(_types(one), defaults.get(name)) for name, one in ranges.items()}
    return OWN | own


def run(settings: dict[str, Any], report: Report) -> dict[str, float]:
    """Returns ndcg@10, recall@10 and mrr of validation, the number of trained parameters, and ms per user
    scored.

    Settings left out take the model's defaults. Trained models report ndcg@10 after each epoch.
    """
    data = trial_data(settings["dataset"])
    name, seed = settings["model"], settings["seed"]
    chosen = {key: value for key, value in settings.items() if key not in OWN and value is not None}
    if name in BASELINES:
        model = fit_baseline(name, data, chosen, seed)
        learned = 0.0
    else:
        model = fit_trained(name, data, chosen, settings, report)
        learned = float(sum(p.numel() for p in model.network.parameters() if p.requires_grad))
    return measured(model, data, settings["judged_users"]) | {"parameters": learned}


def prepare(settings: dict[str, Any]) -> None:
    """Load the data and, for a model of frozen texts, their vectors."""
    data = trial_data(settings["dataset"])
    if settings["model"] in FROZEN_TEXTS:
        data.text_vectors()


def fit_baseline(name: str, data: NextItemData, chosen: dict[str, Any], seed: int) -> NewUsersGetPopular:
    """A baseline fitted with these settings, and its defaults for the rest."""
    baseline = BASELINES.load(name)
    model = NewUsersGetPopular(baseline.make(**baseline.default | chosen, **baseline.seeds(seed)))
    return model.fit(data.train, data.split.n_users, data.split.n_items)


def fit_trained(
    name: str, data: NextItemData, chosen: dict[str, Any], settings: Mapping[str, Any], report: Report
) -> Any:
    """A neural model trained with these settings, evaluated after each epoch."""
    shortened = {"epochs": float(settings["epochs"])} if settings["epochs"] else {}
    asked = with_settings(ModelSettings(seed=settings["seed"], settings=shortened), chosen)
    asked = replace(asked, judged_users=settings["judged_users"] or data.split.n_users)

    def make(data: NextItemData, settings: ModelSettings) -> Any:
        model = MODELS.load(name).make(data, settings)
        model.on_judged = lambda value: report({"ndcg@10": value})
        return model

    return fit_once(make, data, asked)


def measured(model: Any, data: NextItemData, judged_users: int) -> dict[str, float]:
    """Validation metrics, and the milliseconds that scoring a single user takes (median of 20)."""
    parts, users = data.split, data.split.validation["user"]
    if judged_users:
        chosen = parts.validation[users.isin(evenly(users, judged_users))]
        parts = replace(parts, validation=chosen)
    asked = with_training_history(model, data)
    metrics, _ = ranking_metrics(evaluate(asked, parts, "validation"), (10,))
    users = parts.validation["user"].unique()[:20]
    times = [_seconds(asked, users[k : k + 1]) for k in range(len(users))]
    kept = {name: metrics[name] for name in ("ndcg@10", "recall@10", "mrr")}
    return kept | {"milliseconds": 1000 * float(np.median(times))}


def _seconds(model: Any, users: np.ndarray) -> float:
    start = perf_counter()
    model.score(users)
    return perf_counter() - start


@lru_cache(maxsize=2)
def trial_data(dataset: str) -> NextItemData:
    """Kept for the next trial of this process; without the test part."""
    return load_next_item(dataset).without_test()


def _types(one: Range) -> tuple[type, ...]:
    if isinstance(one, Choice):
        found = {type(value) for value in one.values}
        return tuple(found | {int, float}) if found & {int, float} else tuple(found)
    return (int,) if isinstance(one, Whole) else (float, int)


NEXT_ITEM = TrialFunction(
    run, declared, ("ndcg@10", "recall@10", "mrr", "milliseconds", "parameters"), prepare
)
