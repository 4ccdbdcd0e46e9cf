"""What notebook 09_model_fusion computes: pools of members, fusion methods at equal budget, their metrics.

S: scorers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from recsys.ensembling.budget import BUDGET, Budget
from recsys.ensembling.candidate_lists import PARTS, Kept, Pool, fused_positions, union
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.fusion import Fused, fuse
from recsys.ensembling.steadiness import by_week
from recsys.metrics.lists import NO_ITEM, coverage_and_novelty
from recsys.metrics.ranking import new_targets, ranking_metrics
from recsys.metrics.significance import paired_bootstrap
from recsys.models.next_item.data import NextItemData

CUTOFF, METRIC = 10, "ndcg@10"


def pools(kept: Sequence[Kept]) -> dict[str, Pool]:
    """Pools of the members' candidate lists, for validation and test.

    Raises:
        EnsembleError: no member, or members with different data, catalogues or splits.
    """
    if not kept:
        raise EnsembleError("no members to fuse")
    for other in kept[1:]:
        if other.identity != kept[0].identity:
            names = [one.lists["test"].name for one in (kept[0], other)]
            raise EnsembleError(
                f"{names[0]} and {names[1]} keep lists of different data, catalogues or splits: run both anew"
            )
    return {part: union([one.lists[part] for one in kept]) for part in PARTS}


def targets(data: NextItemData) -> dict[str, pd.DataFrame]:
    """Targets by part: pairs whose user did not have the item before."""
    return {part: new_targets(data.split, part) for part in PARTS}


def singles(pool: Mapping[str, Pool], wanted: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per member: NDCG@10 on validation and test, of its own list."""
    rows = []
    for place, name in enumerate(pool["test"].names):
        row = {"member": name}
        for part in PARTS:
            positions = fused_positions(pool[part], pool[part].scores[place], wanted[part])
            row[f"{METRIC}_{part}"] = ranking_metrics(positions, (CUTOFF,))[0][METRIC]
        rows.append(row)
    return pd.DataFrame(rows)


def compare(
    methods: Sequence[str],
    pool: Mapping[str, Pool],
    wanted: Mapping[str, pd.DataFrame],
    budget: Budget = BUDGET,
    folds: int = 3,
) -> dict[str, Fused]:
    """Fit and evaluate every method with the same budget; see `recsys.ensembling.fusion.fuse`."""
    return {
        name: fuse(name, pool["validation"], pool["test"], dict(wanted), budget, folds) for name in methods
    }


def comparison_table(fused: Mapping[str, Fused]) -> pd.DataFrame:
    """One row per method: cross-fitted validation and test NDCG@10, calls and seconds of the search."""
    rows = [
        {
            "method": name,
            f"{METRIC}_validation": ranking_metrics(one.validation, (CUTOFF,))[0][METRIC],
            f"{METRIC}_test": ranking_metrics(one.test, (CUTOFF,))[0][METRIC],
            "calls": len(one.fusion.trials),
            "seconds": one.seconds,
        }
        for name, one in fused.items()
    ]
    return pd.DataFrame(rows)


def judged(name: str, fused: Mapping[str, Fused], pool: Pool, data: NextItemData) -> dict[str, float]:
    """Metrics of one method against the best single member, which validation chose ("single" in `fused`).

    Args:
        name: of the method.
        pool: of the test part.
        data: whose training events give each item's popularity.

    Returns:
        hr, recall, ndcg at 5, 10, 20, mrr, map; ndcg@10_validation (cross-fitted); ndcg@10_single; gain,
        gain_low and gain_high (paired over users, 95 %); gain_share (gain ÷ the single's); where the split
        follows time, sd_between_weeks of NDCG@10 and sd_between_weeks_single; coverage@10, novelty@10;
        choice_calls and choice_seconds.
    """
    one, single = fused[name], fused["single"]
    train_counts = np.bincount(data.train["item"], minlength=data.split.n_items)
    metrics, per_user = ranking_metrics(one.test)
    _, single_per_user = ranking_metrics(single.test)
    gain = paired_bootstrap(per_user[METRIC], single_per_user[METRIC])
    metrics[f"{METRIC}_validation"] = ranking_metrics(one.validation, (CUTOFF,))[0][METRIC]
    metrics[f"{METRIC}_single"] = float(single_per_user[METRIC].mean())
    metrics |= {"gain": gain.difference, "gain_low": gain.low, "gain_high": gain.high}
    metrics["gain_share"] = gain.difference / max(metrics[f"{METRIC}_single"], 1e-12)
    if data.split.kind == "global_time":
        for word, scorer in (("", one), ("_single", single)):
            weeks = by_week(scorer.test, data.split.test)
            metrics |= {f"sd_between_weeks{word}": float(weeks.std())} if len(weeks) > 1 else {}
    metrics |= coverage_and_novelty(lists_of(pool, one.fusion.fuse(pool)), train_counts)
    metrics["choice_calls"] = float(len(one.fusion.trials))
    metrics["choice_seconds"] = one.seconds
    return metrics


def lists_of(pool: Pool, fused: np.ndarray, top: int = CUTOFF) -> np.ndarray:
    """[B, C] fused scores -> [B, top] ids, best first, equal scores by ascending id; NO_ITEM pads."""
    order = np.argsort(-fused, axis=1, kind="stable")[:, :top]  # ids ascend within a row
    ids = np.take_along_axis(pool.ids, order, axis=1).astype(np.int64)
    ids[~np.isfinite(np.take_along_axis(fused, order, axis=1))] = NO_ITEM
    if ids.shape[1] < top:
        ids = np.pad(ids, ((0, 0), (0, top - ids.shape[1])), constant_values=NO_ITEM)
    return ids
