"""Does what a user bought in one shop help to recommend in another? Whole catalogue, settings by validation.

N: users. M: items of the target shop.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from recsys.applications.shops_and_sectors.pairs import PairError, Parts, ShopPair, divide, load_pair
from recsys.code.registry import Registry
from recsys.metrics.lists import top_lists
from recsys.metrics.ranking import Scorer, rank_checked, ranking_metrics, score_batches

METHODS = Registry(
    "way between two shops",
    {
        "random": "recsys.applications.shops_and_sectors.transfer:RANDOM",
        "popularity": "recsys.applications.shops_and_sectors.transfer:POPULARITY",
        "single": "recsys.applications.shops_and_sectors.transfer:SINGLE",
        "merged": "recsys.applications.shops_and_sectors.transfer:MERGED",
        "mapped": "recsys.applications.shops_and_sectors.transfer:MAPPED",
    },
)
USERS = ("known", "new")
BOTH = "both_shops"  # merged or mapped, whichever validation prefers
BOTH_WAYS = ("merged", "mapped")
HISTORY_CUTS = (0, 4, 8, 16)  # items in the source shop: 1-4, 5-8, 9-16, more


@dataclass(frozen=True)
class ShopSettings:
    """dataset: a pair of `load_pair`. method: of METHODS, or "both_shops". users: "known" to both shops or
    "new" to the target. tries: settings that validation chooses from, for every method alike ("both_shops":
    half of them of each way, at least one). seed: of what is drawn."""

    dataset: str = "demo_store"
    method: str = "both_shops"
    users: str = "known"
    tries: int = 6
    seed: int = 0


@dataclass(frozen=True)
class ShopFound:
    """metrics: of the method. positions: user, item, better, equal. table: a row a method, with the trivial
    ones. trials: a row a setting tried. by_history: NDCG@10 by how much the source shop knows of a user."""

    pair: ShopPair
    metrics: dict[str, float]
    positions: pd.DataFrame
    table: pd.DataFrame
    trials: pd.DataFrame
    by_history: pd.DataFrame


def compare(settings: ShopSettings) -> ShopFound:
    """Choose a method's setting on validation, rank the whole target shop for the test users.

    Raises:
        PairError: no such kind of users, tries below 1, or nobody to judge.
        RegistryError, DataUnavailable: as `load_pair`; no such method.

    Example:
        >>> compare(ShopSettings(method="merged")).metrics["ndcg@10"]
    """
    if settings.users not in USERS or settings.tries < 1:
        raise PairError(
            f"users is one of {', '.join(USERS)} and tries at least 1: {settings.users}, {settings.tries}"
        )
    pair = load_pair(settings.dataset)
    parts = divide(pair, settings.users == "new")
    names = BOTH_WAYS if settings.method == BOTH else (settings.method,)
    tries = max(1, settings.tries // len(names))
    trials = pd.concat([_trials(name, tries, parts, settings.seed) for name in names], ignore_index=True)
    best = trials.loc[trials["ndcg@10_validation"].idxmax()]
    asked = {"random": ("random", 0), "popularity": ("popularity", 0)}
    asked[settings.method] = (best["method"], int(best["setting"]))
    judged = {name: _judge(way, parts.tests, settings.seed) for name, way in asked.items()}
    table = pd.DataFrame([{"method": name, **metrics} for name, (metrics, _) in judged.items()])
    metrics, positions = judged[settings.method]
    sizes = pair.source_sizes
    found = {
        **metrics,
        "ndcg@10_validation": float(best["ndcg@10_validation"]),
        "ndcg@10_popularity": judged["popularity"][0]["ndcg@10"],
        "users": float(positions["user"].nunique()),
        "source_items": float(sizes[positions["user"].unique()].mean()),
    }
    history = _by_history({name: rows for name, (_, rows) in judged.items()}, sizes)
    return ShopFound(pair, found, positions, table, trials, history)


def _made(name: str, setting: int, pair: ShopPair, seed: int) -> Scorer:
    make, options = METHODS.load(name)
    return make(pair, options[setting], seed)


def _trials(name: str, tries: int, parts: Parts, seed: int) -> pd.DataFrame:
    """The method's settings, the first `tries` of them, by NDCG@10 on validation."""
    options = METHODS.load(name)[1][:tries]
    rows = []
    for number, setting in enumerate(options):
        metrics, _ = _judge((name, number), (parts.validation,), seed)
        words = ", ".join(f"{key} {value:g}" for key, value in setting.items())
        rows.append((name, number, words, metrics["ndcg@10"]))
    return pd.DataFrame(rows, columns=["method", "setting", "words", "ndcg@10_validation"])


def _judge(
    way: tuple[str, int], pairs: tuple[ShopPair, ...], seed: int
) -> tuple[dict[str, float], pd.DataFrame]:
    """Metrics over all users with something hidden, and the positions of what is hidden.

    Args:
        way: method and number of its setting, fitted on each of the pairs and judged by what that one hides.
    """
    ranked, lists = [], []
    for pair in pairs:
        hidden = pair.hidden.drop_duplicates().sort_values(["user", "item"], ignore_index=True)
        known = pair.known
        known = known[known["user"].isin(hidden["user"])]
        for users, scores in score_batches(_made(*way, pair, seed), hidden["user"].unique(), known):
            ranked.append(rank_checked(scores, users, hidden[hidden["user"].isin(users)], "expected"))
            lists.append(top_lists(scores, min(10, scores.shape[1])))
    positions = pd.concat(ranked).sort_values(["user", "item"], ignore_index=True)
    metrics = ranking_metrics(positions)[0]
    reached = np.unique(np.concatenate(lists))
    metrics["coverage@10"] = float((reached >= 0).sum() / pairs[0].target.shape[1])
    wanted = ("ndcg@10", "hr@10", "mrr", "coverage@10")
    return {name: metrics[name] for name in wanted}, positions


def _by_history(positions: dict[str, pd.DataFrame], sizes: np.ndarray) -> pd.DataFrame:
    """NDCG@10 of each method by items in the source shop; with the number of users."""
    columns = {name: ranking_metrics(rows, cutoffs=(10,))[1]["ndcg@10"] for name, rows in positions.items()}
    table = pd.DataFrame(columns)
    edges = [*HISTORY_CUTS, np.inf]
    labels = [f"{low + 1} to {high}" if high < np.inf else f"over {low}" for low, high in pairwise(edges)]
    group = pd.cut(sizes[table.index], [-1, *edges], labels=["none", *labels])
    found = table.groupby(group, observed=True).agg("mean")
    found.insert(0, "users", table.groupby(group, observed=True).size())
    return found.rename_axis("source items").reset_index()
