"""Task quality of faster encoders: search (Home Depot's judged lists) and zero-shot recommendation by titles.

Every encoder is compared with the baseline of `recsys.benchmarks.comparison`, list by list (user by user for
`recsys.models.next_item.zero_shot`).
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
MARGIN = 0.1  # non-inferiority margin, as a share of the baseline's NDCG@10 above a random order


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
        lists: number of lists; -1 takes all; 0 computes nothing and returns no scores.
        queries_only: encoders encode queries only, and the baseline all titles; else each encodes both.
        model: of the baseline; if given, its vectors are cached for later calls and runs.

    Raises:
        DataUnavailable: Home Depot's files cannot be obtained.
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
        users: number of users, evenly spread; -1 takes all; 0 returns no scores.
        model: of the baseline; if given, its vectors are cached for later calls and runs.

    Raises:
        DataUnavailable: the shop's files cannot be obtained.
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
    """Table of `search_scores` or `purchase_scores`, one row per encoder; empty without scores.

    ndcg@10, random, difference (to the baseline, paired by list), low, high (95 %), margin (a tenth of the
    distance from a random order to the baseline), holds (non-inferior by that margin), spare (low + margin,
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
    """Differences to the baseline in NDCG@10, one row per list (or user), columns "encoder:difference".

    A record keeps them for paired tests. Empty without scores.
    """
    if not scores:
        return pd.DataFrame()
    right = scores[BASELINE].per_list
    others = (name for name in scores if name != BASELINE)
    found = {f"{name}{BETWEEN}difference": scores[name].per_list - right for name in others}
    return pd.DataFrame(found, index=right.index).reset_index()
