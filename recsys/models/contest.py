"""Every next-item model by name, fitted with the same budget and judged in the same way.

Names: random, popularity, popularity_window (trivial); item_knn, ease, als, bpr (settings searched on
validation, the same number of trials each); sasrec_bce (as published), sasrec, sequence (ids only,
cross-entropy; per user, per prefix with the low-pass filter), titles (the same without ids: text-only, frozen
encoder), title_sequence (ids and titles); text (fine-tuned encoder, text-only), text_ids; printed (the
articles' classifier, mended so that it runs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import pandas as pd

from recsys.baselines.candidates import BASELINES, candidate_settings
from recsys.baselines.popularity import trivial_scorer
from recsys.baselines.sasrec import PUBLISHED, SASRec
from recsys.baselines.tuned import search
from recsys.models import title_sequence
from recsys.models.next_item_data import NextItemData
from recsys.models.printed_classifier import PRINTED, PrintedClassifier
from recsys.models.text_recommender import SETTINGS as TEXT_SETTINGS
from recsys.models.text_recommender import Reading, TextRecommender
from recsys.models.title_sequence import TitleSequence
from recsys.training.next_item import NextItemRecommender

TRIVIAL = ("random", "popularity", "popularity_window")
DRAWN = ("als", "bpr")  # start from random numbers
WINDOW_DAYS = 30.0


@dataclass(frozen=True)
class Plan:
    """What a run changes; a value of 0, "" or None leaves the model's own.

    trials: settings searched for each tuned baseline. settings: fields of `TrainingSettings` to replace.
    reading: how the text models read a history. options: keyword arguments of the model's class.
    judged: whether training is stopped on, and the best epoch chosen by, validation; needs all users.
    """

    seed: int = 0
    trials: int = 4
    settings: dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    reading: Reading = field(default_factory=Reading)
    judged: bool = True
    progress: bool = False


@dataclass(frozen=True)
class Fitted:
    """model: has score and, where it reads histories, with_history. seconds: of fitting, search included.

    trials: what was searched, or how training went; None for a model without either."""

    model: Any
    seconds: float
    trials: pd.DataFrame | None = None


def fit(name: str, data: NextItemData, plan: Plan) -> Fitted:
    """Fit the model of that name on `data.train`, choosing on validation.

    Raises:
        ValueError: no such name, or a model of texts on a data set without titles.
    """
    start = perf_counter()
    size = (data.split.n_users, data.split.n_items)
    if name in TRIVIAL:
        model = trivial_scorer(name, plan.seed, WINDOW_DAYS).fit(data.train, *size)
        return Fitted(model, perf_counter() - start)
    if name in BASELINES:
        make = BASELINES[name]
        space = candidate_settings(name, plan.trials)
        seeded = [
            {**settings, "seed": plan.seed} if name in ("als", "bpr") else settings for settings in space
        ]
        found = search(make, seeded, replace(data.split, train=data.train))
        return Fitted(found.model, perf_counter() - start, found.trials)
    if name not in TRAINED:
        raise ValueError(f"no model {name!r}; there are {', '.join((*TRIVIAL, *BASELINES, *TRAINED))}")
    model = TRAINED[name](data, plan)
    model.fit(data.train, *size, split=data.split if plan.judged else None, progress=plan.progress)
    history = model.result.history
    return Fitted(model, perf_counter() - start, history)


def _settings(base, plan: Plan):
    return replace(base, seed=plan.seed, **(plan.settings or {}))


def _sasrec(loss: str) -> Callable[[NextItemData, Plan], NextItemRecommender]:
    return lambda data, plan: SASRec(loss, settings=_settings(PUBLISHED, plan), **(plan.options or {}))


def _sequence(titles: bool, ids: bool) -> Callable[[NextItemData, Plan], NextItemRecommender]:
    def make(data: NextItemData, plan: Plan) -> NextItemRecommender:
        text = data.text_vectors() if titles else None
        settings = _settings(title_sequence.SETTINGS, plan)
        return TitleSequence(text, ids=ids, settings=settings, **(plan.options or {}))

    return make


def _text(ids: bool) -> Callable[[NextItemData, Plan], NextItemRecommender]:
    def make(data: NextItemData, plan: Plan) -> NextItemRecommender:
        settings, options = _settings(TEXT_SETTINGS, plan), plan.options or {}
        return TextRecommender(
            data.required_titles(), ids=ids, reading=plan.reading, settings=settings, **options
        )

    return make


def _printed(data: NextItemData, plan: Plan) -> NextItemRecommender:
    settings = _settings(replace(PRINTED, mixed_precision="bf16", length_buckets=True), plan)
    return PrintedClassifier(data.required_titles(), settings=settings, **(plan.options or {}))


TRAINED: dict[str, Callable[[NextItemData, Plan], NextItemRecommender]] = {
    "sasrec_bce": _sasrec("bce"),
    "sasrec": _sasrec("cross_entropy"),
    "sequence": _sequence(titles=False, ids=True),
    "titles": _sequence(titles=True, ids=False),
    "title_sequence": _sequence(titles=True, ids=True),
    "text": _text(ids=False),
    "text_ids": _text(ids=True),
    "printed": _printed,
}
