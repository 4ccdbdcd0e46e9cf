"""Every next-item model by name, judged in the same way.

Settings are searched by `contest_search`: with `search_seconds` baselines and trained models get the same
core seconds, otherwise the tuned baselines have equal numbers of trials and the trained models settings of
their own, or `trained_trials`. "text" reads two purchases of each user once: as far as two cores allow.

Names: random, popularity, popularity_window (trivial); category_popularity (a hand-written rule), zero_shot
(titles compared by an untuned encoder); item_knn, ease, als, bpr (settings searched on
validation, the same number of trials each); sasrec_bce (as published), sasrec, sequence (ids only,
cross-entropy; per user, per prefix with the low-pass filter), titles (the same without ids: text-only, frozen
encoder), title_sequence (ids and titles); text (fine-tuned encoder, text-only), text_ids, text_lora; printed
(the articles' classifier, mended so that it runs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import pandas as pd

from recsys.baselines.candidates import BASELINES
from recsys.baselines.category_popularity import CategoryPopularity
from recsys.baselines.new_users import NewUsersGetPopular
from recsys.baselines.popularity import trivial_scorer
from recsys.baselines.sasrec import PUBLISHED, SASRec
from recsys.models import contest_search, title_sequence
from recsys.models.contest_plan import Plan
from recsys.models.next_item_data import NextItemData
from recsys.models.printed_classifier import PRINTED, PrintedClassifier
from recsys.models.text_recommender import SETTINGS as TEXT_SETTINGS
from recsys.models.text_recommender import TextRecommender
from recsys.models.title_sequence import TitleSequence
from recsys.models.tuning import Tuning
from recsys.models.zero_shot import ZeroShot
from recsys.training.next_item import NextItemRecommender
from recsys.training.settings import TrainingSettings

TRIVIAL = ("random", "popularity", "popularity_window")
WINDOW_DAYS = 30.0
Make = Callable[[NextItemData, Plan], NextItemRecommender]


@dataclass(frozen=True)
class Fitted:
    """model: has score and, where it reads histories, with_history. seconds: of fitting, search included.

    trials: what was searched, or how training went; None for a model without either.
    searched: the search of a trained model, where there was one."""

    model: Any
    seconds: float
    trials: pd.DataFrame | None = None
    searched: pd.DataFrame | None = None


def fit(name: str, data: NextItemData, plan: Plan) -> Fitted:
    """Fit the model of that name on `data.train`, choosing on validation.

    Raises:
        ValueError: no such name, or a model of texts on a data set without titles.
    """
    start = perf_counter()
    size = (data.split.n_users, data.split.n_items)
    if name in TRIVIAL or name in UNTRAINED:
        maker = UNTRAINED.get(name)
        scorer = maker(data, plan) if maker else trivial_scorer(name, plan.seed, WINDOW_DAYS)
        return Fitted(scorer.fit(data.train, *size), perf_counter() - start)
    if name in BASELINES:
        model, trials = contest_search.fit_baseline(name, data, plan)
        return Fitted(model, perf_counter() - start, trials)
    if name not in TRAINED:
        raise ValueError(
            f"no model {name!r}; there are {', '.join((*TRIVIAL, *UNTRAINED, *BASELINES, *TRAINED))}"
        )
    model, trials = contest_search.fit_trained(name, TRAINED[name], data, plan)
    return Fitted(model, perf_counter() - start, model.result.history, trials)


def costs(fitted: Fitted) -> dict[str, float]:
    """fit_seconds (search included), search_trials and search_core_seconds where settings were searched;
    trained models: parameters that learned, steps, tokens_per_second."""
    found = {"fit_seconds": fitted.seconds}
    searched = fitted.trials if fitted.searched is None else fitted.searched
    found |= contest_search.search_costs(searched)
    if isinstance(fitted.model, NextItemRecommender):
        learned = (p.numel() for p in fitted.model.network.parameters() if p.requires_grad)
        result = fitted.model.result
        found |= {"trained_parameters": float(sum(learned)), "steps": float(result.steps)}
        found |= {"train_seconds": result.seconds, "tokens_per_second": result.tokens_per_second}
    return found


def recorded(fitted: Fitted) -> dict[str, pd.DataFrame]:
    """The tables that a run keeps: trials, and the search of a trained model (searched), where there are."""
    tables = {"trials": fitted.trials, "searched": fitted.searched}
    return {name: table for name, table in tables.items() if table is not None}


def _arguments(base: TrainingSettings, plan: Plan) -> dict[str, Any]:
    settings = replace(base, seed=plan.seed, **plan.settings)
    return {"settings": settings, "judged_users": max(1, plan.judged_users), **plan.options}


def _sasrec(loss: str) -> Make:
    return lambda data, plan: SASRec(loss, **_arguments(PUBLISHED, plan))


def _sequence(titles: bool, ids: bool) -> Make:
    def make(data: NextItemData, plan: Plan) -> NextItemRecommender:
        text = data.text_vectors(plan.backbone) if titles else None
        return TitleSequence(text, ids=ids, **_arguments(title_sequence.SETTINGS, plan))

    return make


def _text(ids: bool, trainable: str = "all") -> Make:
    def make(data: NextItemData, plan: Plan) -> NextItemRecommender:
        # each epoch reads a user's two newest purchases: all prefixes would take hours on two cores
        arguments = {"most_per_user": 2, **_arguments(TEXT_SETTINGS, plan)}
        which = arguments.pop("trainable", trainable)
        arguments["tuning"] = Tuning({"all": "full", "none": "frozen"}.get(which, which))
        return TextRecommender(data.required_titles(), backbone=plan.backbone, ids=ids, **arguments)

    return make


def _printed(data: NextItemData, plan: Plan) -> NextItemRecommender:
    # the same maths as printed in a third of the time: no padding to 128, bf16 products
    faster = replace(PRINTED, mixed_precision="bf16", length_buckets=True)
    return PrintedClassifier(data.required_titles(), plan.backbone, repeats=False, **_arguments(faster, plan))


def _category_popularity(data: NextItemData, plan: Plan) -> CategoryPopularity:
    if "category" not in data.dataset.items:
        raise ValueError(f"{data.dataset.name} has no categories: choose popularity")
    return CategoryPopularity(data.dataset.items["category"])


def _zero_shot(data: NextItemData, plan: Plan) -> NewUsersGetPopular:
    return NewUsersGetPopular(ZeroShot(data.text_vectors(plan.backbone)))


UNTRAINED: dict[str, Callable[[NextItemData, Plan], Any]] = {
    "category_popularity": _category_popularity,
    "zero_shot": _zero_shot,
}
TRAINED: dict[str, Make] = {
    "sasrec_bce": _sasrec("bce"),
    "sasrec": _sasrec("cross_entropy"),
    "sequence": _sequence(titles=False, ids=True),
    "titles": _sequence(titles=True, ids=False),
    "title_sequence": _sequence(titles=True, ids=True),
    "text": _text(ids=False),
    "text_ids": _text(ids=True),
    "text_lora": _text(ids=False, trainable="lora"),
    "printed": _printed,
}
