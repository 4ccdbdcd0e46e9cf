"""α and β of S = α s + β f (004 §4.2, notebook 07), as a sweep's trial.

s: cosine of query and title. f: one number of feedback for each product of a list. Judged by clicks on lists
in random order, those of the time that chooses; a trial's data hold no list of the time that judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from recsys.search.ranking import rank_scores
from recsys.search.studies.logged_feedback import predicted, user_ndcg
from recsys.search.studies.logged_lists import LoggedLists, logged_lists
from recsys.sweeps.functions.registry import Declared, Report, TrialFunction

DECLARED = {
    "backbone": Declared((str,), "minilm"),
    "alpha": Declared((float, int), 1.0),
    "beta": Declared((float, int), 0.0),  # only their ratio decides an order
    "normalisation": Declared((str,), "z_score"),  # within each list: z_score, min_max, rank
    "feedback": Declared((str,), "rate"),  # rate: clicks by views, corrected for places; model: of features
    "seed": Declared((int,), 0),
}
FEATURES = ["rate", "own", "price"]  # of the model: the match is s, and counted there
KINDS = ("rate", "model")


def declared(fixed: Mapping[str, Any]) -> dict[str, Declared]:
    """The same for every sweep.

    Raises:
        ValueError: no such kind of feedback.
    """
    if fixed.get("feedback", "rate") not in KINDS:
        raise ValueError(f"feedback is one of {', '.join(KINDS)}, got {fixed['feedback']!r}")
    return DECLARED


def run(settings: dict[str, Any], report: Report) -> dict[str, float]:
    """ndcg@10 of clicks, mean by user; lists without a click, or full of them, have none.

    Raises:
        ValueError: both weights are 0, or one is below. SearchError, EnsembleError: no such normalisation.
    """
    alpha, beta = float(settings["alpha"]), float(settings["beta"])
    if min(alpha, beta) < 0 or alpha + beta == 0:
        raise ValueError(f"alpha and beta are at least 0 and not both 0, got {alpha} and {beta}")
    rows = _rows(settings["backbone"], settings["seed"])
    scores = rank_scores(
        rows["search"].to_numpy(),
        rows["match"].to_numpy(),
        rows[settings["feedback"]].to_numpy(),
        alpha / (alpha + beta),
        settings["normalisation"],
    )
    return {"ndcg@10": float(user_ndcg(rows.assign(scores=scores), "scores").mean())}


def prepare(settings: dict[str, Any]) -> None:
    """Embed queries and titles, count clicks, learn the feedback model."""
    _rows(settings["backbone"], settings["seed"])


@lru_cache(maxsize=1)
def _rows(backbone: str, seed: int) -> pd.DataFrame:
    """The lists of the time that chooses, with column "model"."""
    logged = before_judging(logged_lists(backbone, seed))
    rows = logged.part("choosing").reset_index(drop=True)
    return rows.assign(model=np.asarray(predicted(logged, FEATURES, rows)))


def before_judging(logged: LoggedLists) -> LoggedLists:
    """Without the lists of the last time, and without the shop's events of it."""
    table = logged.table[logged.table["part"] != "judging"]
    events = logged.shop.events
    shop = replace(logged.shop, events=events[events["time"] <= table["time"].max()])
    return replace(logged, shop=shop, table=table)


ALPHA_BETA = TrialFunction(run, declared, ("ndcg@10",), prepare)
