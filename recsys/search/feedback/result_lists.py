"""A shop's log as result lists: what was shown where, with which propensity, and what was clicked.

n: views (one product at one position of one list).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.search.errors import SearchError

NEEDED = ("user", "item", "kind", "order", "query", "position", "propensity")
POLICIES = ("production", "random")


def result_lists(events: pd.DataFrame) -> pd.DataFrame:
    """One row a view.

    Args:
        events: of a shop whose log has searches, views and clicks with positions and propensities.

    Returns:
        search (number of the list), user, query, item, position (from 0), propensity, click (0 or 1), and
        time where events have times; index: the views' rows in `events`.

    Raises:
        SearchError: a column is missing, or no search was logged.
    """
    missing = [name for name in NEEDED if name not in events]
    if missing:
        raise SearchError(f"the log has no column {', '.join(missing)}: it tells nothing of result lists")
    ordered = events.sort_values(["user", "order"], kind="stable")
    search = (ordered["kind"] == "search").cumsum()
    if search.empty or search.iloc[-1] == 0:
        raise SearchError("no search was logged: there are no result lists")
    listed = ordered["position"].notna()
    views = ordered[(ordered["kind"] == "view") & listed]
    clicks = ordered[(ordered["kind"] == "click") & listed]
    key = ["search", "item", "position"]
    clicked = set(clicks.assign(search=search)[key].itertuples(index=False, name=None))
    table = views.assign(search=search)
    click = [row in clicked for row in table[key].itertuples(index=False, name=None)]
    kept = [
        "search",
        "user",
        "query",
        "item",
        "position",
        "propensity",
        *(["time"] if "time" in events else []),
    ]
    table = table[kept].assign(click=np.array(click, dtype=np.int64))
    return table.astype({"position": "int64"}).sort_index()


def policy_probability(lists: pd.DataFrame, policy: str) -> np.ndarray:
    """[n] probability with which a policy shows the view's product at the view's place.

    The log mixes two orders: production's (probability 1 at its own place) and a random one (the same at
    every place for each of a search's candidates). The random share ε and the number of candidates w follow
    from the two values
    that a propensity takes: ε / w, and 1 − ε + ε / w.

    Args:
        lists: from `result_lists`.
        policy: "production" or "random".

    Raises:
        SearchError: no such policy, or propensities that are not those of such a mixture.
    """
    if policy not in POLICIES:
        raise SearchError(f"policy must be one of {', '.join(POLICIES)}, not {policy!r}")
    values = np.unique(lists["propensity"].to_numpy().round(9))
    if len(values) != 2:
        raise SearchError(
            f"propensities take {len(values)} values: this log is no mixture of one order and chance"
        )
    in_place = np.isclose(lists["propensity"], values[1])
    if policy == "production":
        return in_place.astype(float)
    share = 1 - (values[1] - values[0])
    return np.full(len(lists), values[0] / share)


def examination_curve(lists: pd.DataFrame) -> pd.Series:
    """How often each position is looked at, relative to the first: clicks weighted by 1 / propensity.

    The weights make every candidate as likely at each position as at the others, so what is left of the
    differences in clicks is the position's own (Joachims, Swaminathan & Schnabel 2017, arXiv:1608.04468).

    Returns:
        position -> examination, the first is 1.
    """
    weight = 1 / lists["propensity"]
    rate = (lists["click"] * weight).groupby(lists["position"]).sum() / weight.groupby(
        lists["position"]
    ).sum()
    return (rate / rate.iloc[0]).rename("examination")


def click_rates(
    lists: pd.DataFrame, n_items: int, examination: pd.Series | None = None, prior_views: float = 20.0
) -> np.ndarray:
    """[n_items] f: each product's clicks by looks, shrunk towards the mean of all; NaN for one never shown.

    Args:
        examination: from `examination_curve`: a view at a position counts as so many looks. None: each counts
            one, and a product that stood low looks worse than it is.
        prior_views: looks of the mean that every product starts with; the rarer the views, the more it says.
    """
    looks = np.ones(len(lists)) if examination is None else examination[lists["position"]].to_numpy()
    clicks = np.bincount(lists["item"], lists["click"], n_items)
    weight = np.bincount(lists["item"], looks, n_items)
    mean = clicks.sum() / max(weight.sum(), 1e-12)
    with np.errstate(invalid="ignore"):
        rate = (clicks + prior_views * mean) / (weight + prior_views)
    return np.where(weight > 0, rate, np.nan)
