"""Stability of a single model, an ensemble of its seeds, and a mixed ensemble, over the same seeds.

Repeats of a kind share no seed. S single models make S repeats; groups of two seeds make S / 2; the mixed
ensemble has one seed in each of its S repeats, and so the single's number of trained models.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import Kept, fused_positions
from recsys.ensembling.diversity import overlap
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.fusion import Fused, fit
from recsys.ensembling.members import Member, fit_members, is_drawn
from recsys.ensembling.repeats import seeds_of, under_changes
from recsys.ensembling.seed_groups import disjoint_groups
from recsys.ensembling.steadiness import history_groups, seed_steadiness
from recsys.ensembling.study import CUTOFF, lists_of, pools, targets
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelSettings

KINDS = ("single", "seeds", "mixed")
FEWEST_SEEDS = 4  # two groups of two


def parted(members: str) -> tuple[str, list[str]]:
    """Of blank-separated models the one that starts from random numbers, and the others, which do not.

    Raises:
        EnsembleError: not one such model, or none beside it.
    """
    drawn = [name for name in members.split() if is_drawn(name)]
    others = [name for name in members.split() if not is_drawn(name)]
    if len(drawn) != 1 or not others:
        raise EnsembleError(
            f"steadiness by kind needs one model with seeds and one without beside it, got {members!r}"
        )
    return drawn[0], others


def groups_of(members: str, seeds: int) -> dict[str, list[list[str]]]:
    """Members of every repeat, by kind.

    Args:
        members: blank-separated, see `parted`.
        seeds: 0, 1, … of the drawn model, at least four; 0: no groups at all.

    Raises:
        EnsembleError: one, two or three seeds; see `parted` too.

    Example:
        >>> groups_of("als ease", 4)["seeds"]
        [['als/0', 'als/1'], ['als/2', 'als/3']]
    """
    if not seeds:
        return {}
    drawn, others = parted(members)
    if seeds < FEWEST_SEEDS:
        raise EnsembleError(f"steadiness by kind needs {FEWEST_SEEDS} seeds of {drawn}, got {seeds}")
    seeds = range(seeds)
    return {
        "single": [[f"{drawn}/{seed}"] for seed in seeds],
        "seeds": [[f"{drawn}/{seed}" for seed in group] for group in disjoint_groups(seeds, 2)],
        "mixed": [[f"{drawn}/{seed}", *others] for seed in seeds],
    }


def over_seeds(
    groups: Mapping[str, Sequence[Sequence[str]]],
    kept: Mapping[str, Kept],
    data: NextItemData,
    budget: Budget,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How far repeats of each kind differ; weights are chosen anew in each repeat.

    Args:
        groups: from `groups_of`. kept: lists by member.

    Returns:
        One row a kind: kind, repeats and the columns of `seed_steadiness`; and per user the mean overlap@10
        between repeats of each kind: list (the user), single, seeds, mixed, and "steady_mixed:difference"
        and "steady_seeds:difference", each minus single.
    """
    wanted, rows, per_user, users = targets(data), [], {}, None
    for kind, repeats in groups.items():
        positions, lists = [], []
        for names in repeats:
            pool = pools([kept[name] for name in names])
            method = "single" if len(names) == 1 else "convex"
            fused = fit(method, pool["validation"], wanted["validation"], budget).fuse(pool["test"])
            positions.append(fused_positions(pool["test"], fused, wanted["test"]))
            lists.append(lists_of(pool["test"], fused))
            users = pool["test"].rows
        told = seed_steadiness(positions, lists, history_groups(data.train, users))
        rows.append({"kind": kind, "repeats": len(repeats), **told})
        shared = [overlap(a, b) for a, b in itertools.combinations(lists, 2)]
        per_user[kind] = np.mean(shared, axis=0)
    table = pd.DataFrame({"list": users, **per_user})
    for kind in ("mixed", "seeds"):
        table[f"steady_{kind}:difference"] = table[kind] - table["single"]
    return pd.DataFrame(rows), table


def over_changes(
    members: str, data: NextItemData, settings: ModelSettings, budget: Budget, users: int
) -> pd.DataFrame:
    """Overlap@10 of lists before and after a small change of histories, by kind; the models are fitted here.

    Args:
        members: blank-separated, see `parted`.
        users: so many of the test part are asked; 0: all.

    Returns:
        One row a change and kind: change, kind, overlap@10.
    """
    drawn, others = parted(members)
    seeds = seeds_of(0, 2, settings.seed, 1)  # no run shares a model with another
    fitted = {m.name: m for m in fit_members([*(f"{drawn}/{s}" for s in seeds), *others], data, settings)}
    wanted, rows = targets(data), []
    asked = np.sort(wanted["test"]["user"].unique())
    asked = asked[np.linspace(0, len(asked) - 1, min(users or len(asked), len(asked))).astype(int)]
    first = f"{drawn}/{seeds[0]}"
    kinds = {"single": [first], "seeds": [f"{drawn}/{s}" for s in seeds], "mixed": [first, *others]}
    for kind, names in kinds.items():
        own: list[Member] = [fitted[name] for name in names]
        pool = pools([member.kept for member in own])
        method = "single" if len(own) == 1 else "convex"
        fusion = fit(method, pool["validation"], wanted["validation"], budget)
        nothing = pd.DataFrame()
        table = under_changes(own, Fused(fusion, 0.0, nothing, nothing), data, asked, settings.seed)
        table = table[table["scorer"] == "fusion"].assign(kind=kind)
        rows.append(table[["change", "kind", f"overlap@{CUTOFF}"]])
    return pd.concat(rows, ignore_index=True)


def steady_metrics(over: pd.DataFrame | None, changes: pd.DataFrame | None = None) -> dict[str, float]:
    """The tables as metrics: sd_single, overlap@10_mixed, worst_group_seeds, drop_overlap@10_mixed, ..."""
    found = {}
    for _, row in over.iterrows() if over is not None else ():
        for name in ("sd", "user_sd", f"overlap@{CUTOFF}", "worst_group", "worst_group_sd"):
            found[f"{name}_{row['kind']}"] = float(row[name])
    for _, row in changes.iterrows() if changes is not None else ():
        found[f"{row['change']}_overlap@{CUTOFF}_{row['kind']}"] = float(row[f"overlap@{CUTOFF}"])
    return found
