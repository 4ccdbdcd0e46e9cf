"""Stability of an ensemble: repeats with other seeds, and small changes of users' histories.

R: repeats. B: users. k: length of lists.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import Kept, candidate_lists, fused_positions, union
from recsys.ensembling.diversity import overlap
from recsys.ensembling.fusion import Fused, fit
from recsys.ensembling.members import Member, is_drawn
from recsys.ensembling.steadiness import history_groups, perturbed, seed_steadiness
from recsys.ensembling.study import CUTOFF, lists_of, pools
from recsys.metrics.ranking import earlier_events
from recsys.models.next_item.data import NextItemData

CHANGES = ("drop", "swap", "newest")


def seeds_of(repeat: int, each: int, seed: int, repeats: int) -> range:
    """Seeds of the random members in one repeat, disjoint from those of all other repeats and runs.

    Args:
        repeat: 0 … repeats − 1.
        each: number of seeds per random model, ≥ 1.
        seed: of the run.
        repeats: R of every run.

    Example:
        >>> [list(seeds_of(r, 2, seed, 1)) for seed in (0, 1) for r in (0,)]
        [[0, 1], [2, 3]]
    """
    first = (seed * repeats + repeat) * each
    return range(first, first + each)


def steadiness(
    repeats: Sequence[Sequence[str]],
    kept: Mapping[str, Kept],
    method: str,
    wanted: Mapping[str, pd.DataFrame],
    data: NextItemData,
    budget: Budget,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Differences between repeats of a fusion, and between repeats of its random members.

    Args:
        repeats: R lists of members' names, in the same order of models.
        kept: candidate lists by name.
        method: fusion method; its weights are chosen again in each repeat.
        wanted: targets by part.

    Returns:
        One row for the fusion and one per random model, columns of `seed_steadiness`; and per user the mean
        overlap@10 between repeats: list (the user), fusion, members (mean over the random models), and
        "steady:difference", fusion minus members.

    Raises:
        EnsembleError: fewer than two repeats.
    """
    pool = [pools([kept[name] for name in names]) for names in repeats]
    fused = [fit(method, one["validation"], wanted["validation"], budget).fuse(one["test"]) for one in pool]
    tests = [one["test"] for one in pool]
    rows = {"fusion": list(zip(tests, fused, strict=True))}
    for place, name in enumerate(repeats[0]):
        if is_drawn(name.partition("/")[0]):
            alone = [(one, one.scores[place]) for one in tests]
            rows[f"{name.partition('/')[0]} ({place})"] = alone
    groups = history_groups(data.train, tests[0].rows)
    table, per_user = [], {}
    for name, pairs in rows.items():
        positions = [fused_positions(one, scores, wanted["test"]) for one, scores in pairs]
        lists = [lists_of(one, scores) for one, scores in pairs]
        table.append({"scorer": name, **seed_steadiness(positions, lists, groups)})
        shared = [overlap(a, b) for a, b in itertools.combinations(lists, 2)]
        per_user[name] = np.mean(shared, axis=0)
    members = [values for name, values in per_user.items() if name != "fusion"]
    own = np.mean(members, axis=0) if members else np.ones(len(tests[0].rows))
    users = pd.DataFrame({"list": tests[0].rows, "fusion": per_user["fusion"], "members": own})
    users["steady:difference"] = users["fusion"] - users["members"]
    return pd.DataFrame(table), users


def under_changes(
    members: Sequence[Member], fused: Fused, data: NextItemData, users: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """Overlap@10 of lists before and after a small change of histories, for each member and the fusion.

    Args:
        members: with their models, in the order of the fusion.
        fused: of these members.
        users: whose lists are compared.
        seed: of random changes.

    Returns:
        One row per change and scorer: change, scorer, overlap@10.
    """
    seen = earlier_events(data.split, "test")

    def lists(events: pd.DataFrame) -> dict[str, np.ndarray]:
        asked = [
            m.model.with_history(events) if hasattr(m.model, "with_history") else m.model for m in members
        ]
        # the same items are masked, so that only changes of scores are measured
        pool = union(
            [candidate_lists(m.name, one, users, seen) for m, one in zip(members, asked, strict=True)]
        )
        own = {name: lists_of(pool, scores) for name, scores in zip(pool.names, pool.scores, strict=True)}
        return own | {"fusion": lists_of(pool, fused.fusion.fuse(pool))}

    before, rows = lists(data.known), []
    for change in CHANGES:
        after = lists(perturbed(data.known, change, seed))
        rows += [
            {
                "change": change,
                "scorer": name,
                f"overlap@{CUTOFF}": float(overlap(before[name], after[name]).mean()),
            }
            for name in before
        ]
    return pd.DataFrame(rows)
