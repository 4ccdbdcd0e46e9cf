"""Fits any next-item model by name, in the same way for all, and lists its costs.

Settings are searched by `recsys.models.next_item.search`: with `search_seconds` baselines and trained models
get the same core seconds; otherwise the tuned baselines get equal numbers of trials, and the trained models
their default settings, or `trained_trials`. "text" is trained for one epoch on the two newest purchases of
each user: as far as two cores allow.

The names are those of `recsys.models.next_item.registry.MODELS` and, with settings searched on validation,
of `recsys.baselines.candidates.BASELINES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import pandas as pd

from recsys.baselines.candidates import BASELINES
from recsys.code.registry import Registry
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelSettings
from recsys.models.next_item.registry import MODELS
from recsys.models.next_item.search import fit_baseline, fit_trained, search_costs
from recsys.training.next_item import NextItemRecommender


@dataclass(frozen=True)
class Fitted:
    """A fitted model and how it was fitted.

    Attributes:
        model: has `score` and, where it reads histories, `with_history`.
        seconds: of fitting, search included.
        trials: the search of a tuned baseline, or the training curve; None for a model without either.
        searched: the search of a trained model, where there was one.
    """

    model: Any
    seconds: float
    trials: pd.DataFrame | None = None
    searched: pd.DataFrame | None = None


def names() -> Registry:
    """All models and tuned baselines."""
    return Registry("model", {**MODELS, **BASELINES})


def fit(name: str, data: NextItemData, settings: ModelSettings) -> Fitted:
    """Fit the model of that name on `data.train`, choosing on validation.

    Example:
        >>> from recsys.models.next_item.data import load_next_item
        >>> from recsys.models.next_item.evaluation import judge
        >>> data = load_next_item("demo_store")
        >>> metrics, positions = judge(fit("popularity", data, ModelSettings()).model, data)
        >>> 0 < metrics["ndcg@10"] < metrics["hr@10"] < 1
        True

    Raises:
        RegistryError: no such name; the message suggests the nearest.
        ValueError: a model of texts on a data set without titles.
    """
    start = perf_counter()
    size = (data.split.n_users, data.split.n_items)
    if name in BASELINES:
        model, trials = fit_baseline(name, data, settings)
        return Fitted(model, perf_counter() - start, trials)
    names().check(name)
    entry = MODELS.load(name)
    if not entry.trained:
        model = entry.make(data, settings).fit(data.train, *size)
        return Fitted(model, perf_counter() - start)
    model, trials = fit_trained(name, entry.make, data, settings)
    return Fitted(model, perf_counter() - start, model.result.history, trials)


def recorded(fitted: Fitted) -> dict[str, pd.DataFrame]:
    """The tables that a run's record keeps, where there are: trials, and searched."""
    tables = {"trials": fitted.trials, "searched": fitted.searched}
    return {name: table for name, table in tables.items() if table is not None}


def costs(fitted: Fitted) -> dict[str, float]:
    """Costs of fitting, as metrics.

    fit_seconds (search included); search_trials and search_core_seconds where settings were searched; of
    trained models the number of trained parameters, steps, tokens_per_second.
    """
    found = {"fit_seconds": fitted.seconds}
    found |= search_costs(fitted.trials if fitted.searched is None else fitted.searched)
    if isinstance(fitted.model, NextItemRecommender):
        learned = (p.numel() for p in fitted.model.network.parameters() if p.requires_grad)
        result = fitted.model.result
        found |= {"trained_parameters": float(sum(learned)), "steps": float(result.steps)}
        found |= {"train_seconds": result.seconds, "tokens_per_second": result.tokens_per_second}
    return found
