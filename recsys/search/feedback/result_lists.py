"""A shop's log as result lists (views, positions, propensities, clicks), and position bias.

n: views (one product at one position of one list).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.search.errors import SearchError

NEEDED = ("user", "item", "kind", "order", "query", "position", "propensity")
POLICIES = ("production", "random")


def result_lists(events: pd.DataFrame) -> pd.DataFrame:
    """Result lists of a log, one row per view.

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
    """[n] probability with which a policy shows the view's product at the view's position.

    The log mixes two orders: the production order (probability 1 at its own position) and a random one (the
    same probability at every position for each of a search's candidates). The random share ε and the number
    of candidates w follow from the two values that a propensity takes: ε / w, and 1 − ε + ε / w.

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
    """Examination probability of each position relative to the first: clicks weighted by 1 / propensity.

    With these weights every candidate is equally likely at each position, so the remaining differences in
    clicks are due to position (Joachims, Swaminathan & Schnabel 2017, arXiv:1608.04468).

    Returns:
        Position -> examination; the first is 1.
    """
    weight = 1 / lists["propensity"]
    rate = (lists["click"] * weight).groupby(lists["position"]).sum() / weight.groupby(
        lists["position"]
    ).sum()
    return (rate / rate.iloc[0]).rename("examination")


def click_rates(
    lists: pd.DataFrame, n_items: int, examination: pd.Series | None = None, prior_views: float = 20.0
) -> np.ndarray:
    """[n_items] f: clicks per examined view, shrunk towards the overall mean; NaN if never shown.

    Args:
        examination: from `examination_curve`: weight of a view at each position. None: every view counts 1,
            so that products shown at low positions are underrated.
        prior_views: strength of the shrinkage, as a number of views with the mean click rate.
    """
    looks = np.ones(len(lists)) if examination is None else examination[lists["position"]].to_numpy()
    clicks = np.bincount(lists["item"], lists["click"], n_items)
    weight = np.bincount(lists["item"], looks, n_items)
    mean = clicks.sum() / max(weight.sum(), 1e-12)
    with np.errstate(invalid="ignore"):
        rate = (clicks + prior_views * mean) / (weight + prior_views)
    return np.where(weight > 0, rate, np.nan)
