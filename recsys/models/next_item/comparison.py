"""Every next-item model by name, fitted and judged in the same way.

Budgets differ with the model and are recorded, not hidden. The tuned baselines have equal numbers of trials;
the trained models have settings of their own, of which "sequence" takes those that were chosen for
"title_sequence", and "text" reads two purchases of each user once: as far as two cores allow.

The names are those of `recsys.models.next_item.registry.MODELS` and, with settings searched on validation,
of `recsys.baselines.candidates.BASELINES`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import pandas as pd

from recsys.baselines.candidates import BASELINES, candidate_settings
from recsys.baselines.new_users import NewUsersGetPopular
from recsys.baselines.tuned import search
from recsys.code.registry import Registry
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelSettings
from recsys.models.next_item.registry import MODELS
from recsys.training.next_item import NextItemRecommender

DRAWN = ("als", "bpr")  # start from random numbers


@dataclass(frozen=True)
class Fitted:
    """model: has score and, where it reads histories, with_history. seconds: of fitting, search included.

    trials: what was searched, or how training went; None for a model without either."""

    model: Any
    seconds: float
    trials: pd.DataFrame | None = None


def names() -> Registry:
    """All models and tuned baselines."""
    return Registry("model", {**MODELS, **BASELINES})


def fit(name: str, data: NextItemData, settings: ModelSettings) -> Fitted:
    """Fit the model of that name on `data.train`, choosing on validation.

    Example:
        >>> data = load_next_item("demo_store")
        >>> fitted = fit("ease", data, ModelSettings(trials=4))
        >>> metrics, positions = judge(fitted.model, data)

    Raises:
        RegistryError: no such name; the nearest is told.
        ValueError: a model of texts on a data set without titles.
    """
    start = perf_counter()
    size = (data.split.n_users, data.split.n_items)
    if name in BASELINES:
        found = _searched(name, data, settings)
        return Fitted(found.model, perf_counter() - start, found.trials)
    names().check(name)
    entry = MODELS.load(name)
    model = entry.make(data, settings)
    if not entry.trained:
        return Fitted(model.fit(data.train, *size), perf_counter() - start)
    judge_by = data.split if settings.judged_users else None
    model.fit(data.train, *size, split=judge_by, progress=settings.progress)
    return Fitted(model, perf_counter() - start, model.result.history)


def _searched(name: str, data: NextItemData, settings: ModelSettings):
    space = candidate_settings(name, settings.trials)
    if name in DRAWN:
        space = [{**candidate, "seed": settings.seed} for candidate in space]

    maker = BASELINES.load(name)

    def make(**candidate: Any) -> NewUsersGetPopular:
        return NewUsersGetPopular(maker(**candidate))

    return search(make, space, replace(data.split, train=data.train))


def costs(fitted: Fitted) -> dict[str, float]:
    """fit_seconds (search included); trained models: parameters that learned, steps, tokens_per_second."""
    found = {"fit_seconds": fitted.seconds}
    if isinstance(fitted.model, NextItemRecommender):
        learned = (p.numel() for p in fitted.model.network.parameters() if p.requires_grad)
        result = fitted.model.result
        found |= {"trained_parameters": float(sum(learned)), "steps": float(result.steps)}
        found |= {"train_seconds": result.seconds, "tokens_per_second": result.tokens_per_second}
    return found
