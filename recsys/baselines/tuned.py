"""Choose a baseline's settings on validation. The test part is never looked at.

A weak baseline is mostly an untuned one (Ferrari Dacrema et al. 2019, arXiv:1907.06902): give every row of a
table the same number of trials, `recsys.baselines.candidates.candidate_settings`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from recsys.metrics.ranking import Ties, evaluate, ranking_metrics

CUTOFFS = (5, 10, 20)


@dataclass(frozen=True)
class SearchResult:
    """What `search` found.

    best: the chosen settings, an element of the space.
    trials: one row per setting in the order tried: a column per setting (NaN or None where a trial does not
        have it), chosen (bool), fit_seconds and score_seconds (wall time), and the validation metrics of
        `recsys.metrics.ranking.ranking_metrics`.
    model: the best model, fitted on train.
    """

    best: dict[str, Any]
    trials: pd.DataFrame
    model: Any


def search(
    make: Callable[..., Any],
    space: list[dict[str, Any]],
    split,
    metric: str = "ndcg@10",
    ties: Ties = "id",
) -> SearchResult:
    """Fit every setting on train, measure it on validation with seen items masked, keep the best.

    Only the best model so far and the one on trial are in memory. Of equally good settings the first wins.

    Args:
        make: `make(**settings)` gives an unfitted baseline, for example a class of this package.
        space: the settings, at least one.
        split: a `recsys.data.splits.Split`; its test part is not read.
        metric: a name of `ranking_metrics`, higher is better: hr, recall or ndcg with any cutoff ("hr@50"),
            mrr or map.
        ties: of `recsys.metrics.ranking.evaluate`.

    Raises:
        ValueError: an empty space, no such metric, or no target in validation.
    """
    if not space:
        raise ValueError("need at least one setting to try")
    cutoffs = (*CUTOFFS, *_cutoff(metric))
    best, top, rows = None, -np.inf, []
    for number, settings in enumerate(space):
        start = perf_counter()
        model = make(**settings).fit(split.train, split.n_users, split.n_items)
        fitted = perf_counter()
        metrics, _ = ranking_metrics(evaluate(model, split, "validation", ties=ties), cutoffs)
        seconds = {"fit_seconds": fitted - start, "score_seconds": perf_counter() - fitted}
        rows.append({**settings, "chosen": False, **seconds, **metrics})
        if metrics[metric] > top:
            best, top, chosen = model, metrics[metric], number
        del model  # or it would still be there while the next one is fitted
    rows[chosen]["chosen"] = True
    return SearchResult(space[chosen], pd.DataFrame(rows), best)


def _cutoff(metric: str) -> tuple[int, ...]:
    """The list length in the metric's name, if it has one."""
    name, _, cutoff = metric.partition("@")
    if name in ("hr", "recall", "ndcg") and cutoff.isdecimal() and int(cutoff) >= 1:
        return (int(cutoff),)
    if metric in ("mrr", "map"):
        return ()
    raise ValueError(f"metric must be hr@k, recall@k, ndcg@k, mrr or map, not {metric!r}")
