"""Tunes a baseline's settings on validation; the test part is never used.

A weak baseline is often an untuned one (Ferrari Dacrema et al. 2019, arXiv:1907.06902): give every row of a
table the same budget, over `recsys.baselines.candidates.candidates`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd

from recsys.metrics.ranking import Ties, evaluate, ranking_metrics
from recsys.training.hyperparameter_search import search as hyperparameter_search
from recsys.training.hyperparameter_search.samplers import Listed, Sampler
from recsys.training.hyperparameter_search.search import Budget, Measured

CUTOFFS = (5, 10, 20)


@dataclass(frozen=True)
class SearchResult:
    """What `search` found.

    best: the chosen settings.
    trials: one row per trial in the order tried: a column per setting (NaN or None where a trial does not
        have it), chosen (bool), fit_seconds and score_seconds (wall time), core_seconds, the validation
        metrics of `recsys.metrics.ranking.ranking_metrics`, and the other columns of
        `recsys.training.hyperparameter_search.trial.as_frame`.
    model: the best model, fitted on train.
    """

    best: dict[str, Any]
    trials: pd.DataFrame
    model: Any


def search(
    make: Callable[..., Any],
    space: Sequence[dict[str, Any]] | Sampler,
    split,
    metric: str = "ndcg@10",
    ties: Ties = "id",
    *,
    budget: Budget | None = None,
    log: Path | None = None,
    identity: dict[str, Any] | None = None,
) -> SearchResult:
    """Fit every setting on train, measure it on validation with seen items masked, keep the best.

    Only the best model so far and the current one are in memory. Of equally good settings the first wins.

    Args:
        make: `make(**settings)` gives an unfitted baseline, for example a class of this package.
        space: the settings, at least one; or a sampler, which needs a budget.
        split: a `recsys.data.splits.Split`; its test part is removed before anything is fitted.
        metric: a name of `ranking_metrics`, higher is better: hr, recall or ndcg with any cutoff ("hr@50"),
            mrr or map.
        ties: of `recsys.metrics.ranking.evaluate`.
        budget: trials or core seconds; None tries all of the settings.
        log, identity: see `recsys.training.hyperparameter_search.search.search`.

    Raises:
        ValueError: an empty space, no such metric, no target in validation, or a sampler without a budget.

    Example:
        >>> from recsys.baselines.candidates import candidate_settings
        >>> from recsys.baselines.ease import EASE
        >>> from recsys.data.load import load_dataset
        >>> from recsys.data.splits import split as split_events
        >>> parts = split_events(load_dataset("demo_store", size="small"))
        >>> found = search(EASE, candidate_settings("ease", trials=2), parts)
        >>> sorted(found.best), len(found.trials)
        (['l2'], 2)
    """
    cutoffs = (*CUTOFFS, *_cutoff(metric))
    if isinstance(space, Sequence):
        if not space:
            raise ValueError("need at least one setting to try")
        budget, space = budget or Budget(trials=len(space)), Listed(space)
    if budget is None:
        raise ValueError("a sampler never ends: say for how many trials or core seconds")

    def fit_and_measure(settings: dict[str, Any], parts) -> Measured:
        start = perf_counter()
        model = make(**settings).fit(parts.train, parts.n_users, parts.n_items)
        fitted = perf_counter()
        metrics, _ = ranking_metrics(evaluate(model, parts, "validation", ties=ties), cutoffs)
        seconds = {"fit_seconds": fitted - start, "score_seconds": perf_counter() - fitted}
        return Measured({**seconds, **metrics}, model)

    found = hyperparameter_search.search(
        fit_and_measure, split, space, budget, metric=metric, log=log, identity=identity
    )
    return SearchResult(found.best.settings, found.frame, found.kept)


def _cutoff(metric: str) -> tuple[int, ...]:
    """The list length in the metric's name, if it has one."""
    name, _, cutoff = metric.partition("@")
    if name in ("hr", "recall", "ndcg") and cutoff.isdecimal() and int(cutoff) >= 1:
        return (int(cutoff),)
    if metric in ("mrr", "map"):
        return ()
    raise ValueError(f"metric must be hr@k, recall@k, ndcg@k, mrr or map, not {metric!r}")
