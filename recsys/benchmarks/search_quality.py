"""What a task notices of a faster encoder: a search, Home Depot's judged lists ordered by its vectors; and a
recommender from titles alone, where nothing is trained (`recsys.models.next_item.zero_shot`).

The baseline stands beside every encoder, list by list: `recsys.benchmarks.comparison` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys.benchmarks.cached_vectors import cached_vectors
from recsys.benchmarks.comparison import BASELINE, KEPT_AS, MADE_BY, encode_with
from recsys.benchmarks.comparison_records import BETWEEN
from recsys.metrics.judged_lists import JudgedNdcg
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.metrics.significance import non_inferiority
from recsys.models.next_item.data import load_next_item
from recsys.models.next_item.evaluation import fewer_users
from recsys.models.next_item.zero_shot import ZeroShot
from recsys.speed.quality import Encode, home_depot_ndcg

if TYPE_CHECKING:
    from recsys.encoders.backbone import Backbone

CUTOFF = 10
MARGIN = 0.1  # of the distance from a random order to the baseline, in NDCG@10


def search_scores(
    baseline,
    encoders: Mapping[str, object],
    part: str = "test",
    lists: int = -1,
    queries_only: bool = False,
    model: str | Path | Backbone | None = None,
) -> dict[str, JudgedNdcg]:
    """Home Depot's NDCG@10 of the baseline and each encoder, list by list.

    Args:
        baseline, encoders: with sentence-transformers' `encode`.
        part: "train", "validation" or "test".
        lists: only so many; -1 takes all, 0 none: then nothing is computed, and there are no scores.
        queries_only: encoders encode queries, the baseline all titles; else each encodes both.
        model: of the baseline, whose vectors are then kept for later calls and runs.

    Raises:
        DataUnavailable: Home Depot's files cannot be had.
    """
    if lists == 0:
        return {}

    def judged(own: Encode, reference: Encode) -> JudgedNdcg:
        return home_depot_ndcg(own, reference if queries_only else own, part, None if lists < 0 else lists)

    return _side_by_side(baseline, encoders, model, judged)


def purchase_scores(
    baseline,
    encoders: Mapping[str, object],
    dataset: str = "beauty",
    part: str = "test",
    users: int = -1,
    model: str | Path | Backbone | None = None,
) -> dict[str, JudgedNdcg]:
    """NDCG@10 of the next purchase, user by user, of the baseline and each encoder.

    Args:
        baseline, encoders: with sentence-transformers' `encode`.
        dataset: a shop with titles. part: "validation" or "test".
        users: only so many, evenly drawn; -1 takes all, 0 none: then there are no scores.
        model: of the baseline, whose vectors are then kept for later calls and runs.

    Raises:
        DataUnavailable: the shop's files cannot be had.
        ValueError: it has no titles.
    """
    if users == 0:
        return {}
    data = load_next_item(dataset)
    data.required_titles()
    parts = data.split if users < 0 else fewer_users(data.split, users)
    known = data.known if part == "test" else data.split.train
    random = sum(1 / np.log2(place + 1) for place in range(1, CUTOFF + 1)) / data.split.n_items

    def judged(own: Encode, _: Encode) -> JudgedNdcg:
        scorer = ZeroShot(own(data.described)).fit(known, data.split.n_users, data.split.n_items)
        per_user = ranking_metrics(evaluate(scorer, parts, part), (CUTOFF,))[1][f"ndcg@{CUTOFF}"]
        return JudgedNdcg(per_user, pd.Series(random, per_user.index), 0)

    return _side_by_side(baseline, encoders, model, judged)


def _side_by_side(
    baseline,
    encoders: Mapping[str, object],
    model: str | Path | Backbone | None,
    judged: Callable[[Encode, Encode], JudgedNdcg],
) -> dict[str, JudgedNdcg]:
    """`judged` of the baseline and of each encoder; its second argument is the baseline."""
    reference = encode_with(baseline)
    if model is not None:
        reference = cached_vectors(reference, model, MADE_BY, KEPT_AS)
    own = {BASELINE: reference} | {name: encode_with(encoder) for name, encoder in encoders.items()}
    return {name: judged(encode, reference) for name, encode in own.items()}


def search_table(scores: Mapping[str, JudgedNdcg]) -> pd.DataFrame:
    """A row an encoder, of `search_scores` or `purchase_scores`; empty without.

    ndcg@10, random, difference (to the baseline, list by list), low, high (95 %), margin (a tenth of the
    distance from a random order to the baseline), holds (not worse by that margin), spare (low + margin:
    above 0 where it holds).
    """
    rows = {name: {"ndcg@10": found.mean, "random": found.random_mean} for name, found in scores.items()}
    for name in rows.keys() - {BASELINE}:
        right = scores[BASELINE]
        margin = MARGIN * (right.mean - right.random_mean)
        tested = non_inferiority(scores[name].per_list, right.per_list, margin)
        rows[name] |= {**asdict(tested), "spare": tested.low + margin}
    return pd.DataFrame.from_dict(rows, orient="index")


def search_by_list(scores: Mapping[str, JudgedNdcg]) -> pd.DataFrame:
    """A row a list (or a user), "encoder:difference" to the baseline in NDCG@10: what a record keeps, to be
    paired by; empty without scores."""
    if not scores:
        return pd.DataFrame()
    right = scores[BASELINE].per_list
    others = (name for name in scores if name != BASELINE)
    found = {f"{name}{BETWEEN}difference": scores[name].per_list - right for name in others}
    return pd.DataFrame(found, index=right.index).reset_index()
