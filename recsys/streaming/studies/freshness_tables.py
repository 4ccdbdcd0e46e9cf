"""Tables of the freshness study: gains with intervals, by user activity, and costs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys.metrics.significance import paired_bootstrap
from recsys.streaming.studies.freshness import Outcome
from recsys.streaming.studies.moments import PERIODS, Freshness, Moments

GROUPS = ("nothing new since the cut", "1 to 5 new events", "more than 5")
RESAMPLES = 2_000


def gains(outcomes: Mapping[str, Outcome], control: str, seed: int = 0) -> pd.DataFrame:
    """One row per arm: mean NDCG@10, and the difference to `control`, paired by user, with 95 % interval."""
    base = outcomes[control].per_user()
    table = {}
    for name, outcome in outcomes.items():
        own = outcome.per_user()
        test = paired_bootstrap(own, base, resamples=RESAMPLES, seed=seed)
        table[name] = {"ndcg@10": own.mean(), "gain": test.difference, "low": test.low, "high": test.high}
        table[name]["users"] = test.n
    return pd.DataFrame(table).T.rename_axis("arm")


def for_whom(asked: Moments, treatment: Outcome, control: Outcome, seed: int = 0) -> pd.DataFrame:
    """The gain of one arm over another by the users' number of events between the cut and their moment."""
    new = pd.Series(np.select([asked.new == 0, asked.new <= 5], GROUPS[:2], GROUPS[2]), index=asked.users)
    a, b = treatment.per_user(), control.per_user()
    rows = {}
    for group in GROUPS:
        users = a.index[(new.reindex(a.index) == group).to_numpy()]
        if len(users) < 2:
            continue
        test = paired_bootstrap(a[users], b[users], resamples=RESAMPLES, seed=seed)
        rows[group] = {"users": test.n, "gain": test.difference, "low": test.low, "high": test.high}
    return pd.DataFrame(rows).T.rename_axis("since the cut")


def refreshes_a_day(asked: Moments, freshness: Freshness) -> float:
    """Number of lists that a shop computes a day at this freshness: one per updated user state."""
    late = asked.rows[asked.rows["time"] >= asked.cut]
    days = max(1.0, (late["time"].max() - asked.cut) / PERIODS["day"])
    if freshness == "cut":
        return len(np.unique(late["user"])) / days
    if freshness not in PERIODS:
        return len(late) / days
    steps = (late["time"] - asked.cut) // PERIODS[freshness]
    return len(np.unique(np.stack([late["user"], steps]), axis=1).T) / days


def cost(asked: Moments, outcomes: Mapping[str, Outcome], arms: Mapping, control: str) -> pd.DataFrame:
    """Processor seconds a day of each arm, and per gain of one per cent of the control's NDCG@10.

    Counts the lists made a day at that freshness, and a nightly fit once a day; a single fit is not counted.
    """
    base = outcomes[control].per_user().mean()
    seconds, share = {}, {}
    for name, outcome in outcomes.items():
        each = outcome.list_seconds / max(1, outcome.lists)
        fit = outcome.fit_seconds / max(1, outcome.fits) if arms[name].refit else 0.0
        seconds[name] = each * refreshes_a_day(asked, arms[name].freshness) + fit
        share[name] = 100 * (outcome.per_user().mean() / base - 1) if base else np.nan
    table = pd.DataFrame({"core_seconds_a_day": seconds, "gain_per_cent": share}).rename_axis("arm")
    more = table["core_seconds_a_day"] - table["core_seconds_a_day"][control]
    table["core_seconds_per_per_cent"] = (more / table["gain_per_cent"]).where(table["gain_per_cent"] > 0)
    return table
