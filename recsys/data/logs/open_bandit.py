"""Open Bandit, men's campaign: impressions of a fashion shop under two logging policies, with propensities.

Source: ZOZOTOWN's Open Bandit Dataset (Saito et al. 2021, arXiv:2008.07146), the small sample in the
repository of its pipeline: 10,000 impressions of a uniformly random policy and 10,000 of Thompson sampling.
Three places are shown at a time, 34 products; half a per cent of the impressions is clicked, so intervals
are wide.
"""

from __future__ import annotations

import io

import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.files.archives import read_bytes

POLICIES = ("random", "thompson")
FEATURES = tuple(f"user_feature_{number}" for number in range(4))


def load_impressions(policy: str, name: str = "open_bandit") -> pd.DataFrame:
    """One policy's impressions in order of time.

    Args:
        policy: "random" (uniform) or "thompson" (Thompson sampling).
        name: data set of family "open_bandit".

    Returns:
        time (UTC), item (code 0 … 33), position (0 … 2), click (0 or 1), propensity in (0, 1], and the user's
        four hashed features.

    Raises:
        ValueError: no such policy. DataUnavailable: the file cannot be had, or is no such table.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy must be one of {', '.join(POLICIES)}, not {policy!r}")
    file = sources.get(name).role(policy)
    path = sources.local_file(name, file.name)
    wanted = ("timestamp", "item_id", "position", "click", "propensity_score", *FEATURES)
    try:
        raw = pd.read_csv(io.BytesIO(read_bytes(path)), usecols=list(wanted))
        time = pd.to_datetime(raw["timestamp"], utc=True, format="ISO8601")
    except ValueError as error:
        raise NotData(f"{path}: no readable table of impressions ({error})") from None
    table = pd.DataFrame(
        {
            "time": time,
            "item": raw["item_id"].astype("int64"),
            "position": raw["position"].astype("int64") - 1,
            "click": raw["click"].astype("int64"),
            "propensity": raw["propensity_score"].astype(float),
            **{feature: raw[feature].astype(str) for feature in FEATURES},
        }
    )
    if not (table["propensity"].between(0, 1, inclusive="right").all() and table["click"].isin([0, 1]).all()):
        raise NotData(f"{path}: a propensity outside (0, 1], or a click that is neither 0 nor 1")
    return table.sort_values("time", kind="stable", ignore_index=True)


FAMILY = Family(load_impressions, POLICIES)
