"""Conversion of a stack, estimated from the shop's log as if it had ordered the result lists, and checked.

Every result list of the test period keeps its products and gets the stack's order. Under the position-based
model a purchase at place p tells of p' = its new place:

    estimate = mean over lists of  Σ_i  bought_i · θ̂(p'_i) / θ̂(p_i)

θ̂: how often a place is looked at, estimated from lists *before* the test period, whose propensities are
known (Joachims, Swaminathan & Schnabel 2017, arXiv:1608.04468). The demo store also knows the truth,

    truth = mean over lists of  Σ_i  θ(p'_i) · attraction_i · P(purchase | click)_i

so that the estimate can be held against it, as no real shop's can. Conversion here is purchases a list;
the articles define it as purchases a click, which a list of fewer, better clicks would raise as well.

L: lists. n: views, eight a list.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.benchmarks.ladder.stack import Stack, blocks
from recsys.data import demo_store
from recsys.data.demo_store.conversion import part_of_year, purchase_given_click
from recsys.data.sources import DEMO_STORE
from recsys.models.next_item.data import NextItemData
from recsys.search.feedback.off_policy import estimate_policy
from recsys.search.feedback.result_lists import examination_curve, result_lists


@dataclass(frozen=True)
class ShopLists:
    """views: list (0 … L − 1), user, item, position, bought (0 or 1), value (purchases expected if looked
    at: the truth). histories: by state, columns user (the list), item, order. looks: θ̂ by place, the first
    is 1; true_looks: θ."""

    views: pd.DataFrame
    histories: dict[str, pd.DataFrame]
    looks: np.ndarray
    true_looks: np.ndarray


def shop_lists(data: NextItemData, seed: int = 0) -> ShopLists | None:
    """The result lists of the test period; None for a log without them, or whose truth nobody knows.

    Args:
        seed: of the demo store that `data` is.
    """
    if data.dataset.name != DEMO_STORE:
        return None
    events, cut = data.dataset.events, data.split.boundaries["test_from"]
    truth = demo_store.load_truth(seed=seed)
    lists = result_lists(events)
    looks = examination_curve(lists[lists["time"] < data.split.boundaries["validation_from"]])
    views = lists[lists["time"] >= cut].copy()
    views["list"] = pd.factorize(views["search"])[0]
    views["bought"] = _bought(events, views)
    attraction = truth.next_step[views.index] / truth.examination[views["position"]]
    chance = purchase_given_click(
        truth, events, views["user"].to_numpy(), views["item"].to_numpy(), part_of_year(views["time"])
    )
    views["value"] = attraction * chance * _open(events, views)
    starts = views.groupby("list").agg(user=("user", "first"), time=("time", "first")).reset_index()
    parts = [data.split.train, data.split.validation, data.split.test]
    histories = {
        "training": _histories(starts, data.split.train, data.split.boundaries["validation_from"]),
        "moment": _histories(starts, pd.concat(parts), None),
    }
    kept = ["list", "user", "item", "position", "bought", "value"]
    return ShopLists(views[kept].reset_index(drop=True), histories, looks.to_numpy(), truth.examination)


def conversion(stack: Stack, lists: ShopLists) -> tuple[dict[str, float], pd.DataFrame]:
    """What the shop would have sold on these lists, had the stack ordered them.

    Returns:
        conversion, conversion_low, conversion_high (a list; the counterfactual estimate with its 95 %
        bootstrap over users), conversion_truth, conversion_log and conversion_log_truth (of the shop's own
        order: what was sold, and what was to be expected); and one row a list: list, conversion,
        conversion_truth.
    """
    views, histories = lists.views, lists.histories[stack.state]
    scores = np.empty(len(views))
    for rows in blocks(int(views["list"].max()) + 1):
        inside = views["list"].between(rows[0], rows[-1]).to_numpy()
        own = views[inside]
        scores[inside] = stack.score(histories, rows)[own["list"] - rows[0], own["item"]]
    place = reordered(views, scores)
    return measured(views.assign(place=place), lists)


def reordered(views: pd.DataFrame, scores: np.ndarray) -> np.ndarray:
    """[n] new places from 0 by falling score within a list; equal scores keep the shop's order."""
    order = views.assign(score=-scores).sort_values(["list", "score", "position"], kind="stable")
    place = np.empty(len(views), dtype=np.int64)
    place[order.index] = order.groupby("list").cumcount()
    return place


def measured(views: pd.DataFrame, lists: ShopLists) -> tuple[dict[str, float], pd.DataFrame]:
    """The estimate of new places and its truth; see `conversion`.

    Args:
        views: of `lists`, with a column place.
    """
    old, new = views["position"].to_numpy(), views["place"].to_numpy()
    width = len(lists.looks)
    table = estimate_policy(
        views["bought"].to_numpy(), lists.looks[old], lists.looks[new], groups=views["user"].to_numpy()
    ).set_index("method")
    estimate = table.loc["ipw", ["value", "low", "high"]].to_numpy(float) * width
    sold = views["bought"] * lists.looks[new] / lists.looks[old]
    value = views["value"].to_numpy()
    per_list = pd.DataFrame(
        {
            "list": views["list"],
            "conversion": sold,
            "conversion_truth": value * lists.true_looks[new],
            "bought": views["bought"],
            "log_truth": value * lists.true_looks[old],
        }
    )
    per_list = per_list.groupby("list").sum().reset_index()
    metrics = dict(
        zip(("conversion", "conversion_low", "conversion_high"), map(float, estimate), strict=True)
    )
    metrics["conversion_truth"] = float(per_list["conversion_truth"].mean())
    metrics["conversion_log"] = float(per_list["bought"].mean())
    metrics["conversion_log_truth"] = float(per_list["log_truth"].mean())
    return metrics, per_list[["list", "conversion", "conversion_truth"]]


def _bought(events: pd.DataFrame, views: pd.DataFrame) -> np.ndarray:
    """[n] whether the view ended in a purchase: the log names session, query and place of each."""
    key = ["session", "query", "item", "position"]
    bought = events[(events["kind"] == "purchase") & events["position"].notna()]
    known = set(bought[key].itertuples(index=False, name=None))
    shown = events.loc[views.index, key]
    first = ~shown.duplicated()  # the same list twice in a session: its purchase counts once
    hit = [row in known for row in shown.itertuples(index=False, name=None)]
    return (np.array(hit) & first.to_numpy()).astype(np.int64)


def _open(events: pd.DataFrame, views: pd.DataFrame) -> np.ndarray:
    """[n] whether the view could still end in a purchase: a product goes into a session's cart once, and is
    bought once."""
    shown = events.loc[views.index, ["user", "item", "session"]].assign(time=views["time"])
    closed = np.zeros(len(shown), dtype=bool)
    for kind, key in (("purchase", ["user", "item"]), ("cart", ["session", "item"])):
        first = events[events["kind"] == kind].groupby(key)["time"].min()
        before = first.reindex(pd.MultiIndex.from_frame(shown[key])).to_numpy()
        closed |= before < shown["time"].to_numpy()  # never: NaT compares as False
    return ~closed


def _histories(starts: pd.DataFrame, events: pd.DataFrame, until: pd.Timestamp | None) -> pd.DataFrame:
    """Purchases before each list (and before a moment): columns user (the list), item, order."""
    both = starts.merge(events[["user", "item", "order", "time"]], on="user", suffixes=("", "_bought"))
    before = both["time_bought"] < both["time"]
    if until is not None:
        before &= both["time_bought"] < until
    found = both.loc[before, ["list", "item", "order"]].rename(columns={"list": "user"})
    return found.sort_values(["user", "order"], ignore_index=True)
