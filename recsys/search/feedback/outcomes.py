"""What became of a product that was shown: clicked, put into the cart, purchased, rated.

A shop's log names the search that a cart or a purchase came from by user, session, query, product and place;
what was shown twice so belongs to the last showing before it. A rating is known when its review is, days
after: whoever learns at a moment passes it as `known`, and a later rating is not there.

n: views.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.search.errors import SearchError

KEY = ["user", "session", "query", "item", "position"]
STAGES = ("click", "cart", "purchase")


def outcomes(events: pd.DataFrame, known: pd.Timestamp | None = None) -> pd.DataFrame:
    """One row a view with a position: click, cart, purchase (0 or 1), rating (1 to 5, NaN where unknown).

    Args:
        events: of a shop whose log has sessions, queries and positions.
        known: what happened, or was written, after this moment is left out; None leaves out nothing.

    Returns:
        index: the views' rows in `events`. A stage holds all that lead to it: a purchase was in the cart, and
        clicked.

    Raises:
        SearchError: a column is missing.
    """
    missing = [name for name in (*KEY, "kind", "time") if name not in events]
    if missing:
        raise SearchError(f"the log has no column {', '.join(missing)}: it tells not what a list led to")
    listed = events[events["position"].notna()]
    views = listed[listed["kind"] == "view"]
    later = listed if known is None else listed[listed["time"] <= known]
    table = pd.DataFrame(dict.fromkeys(STAGES, 0.0) | {"rating": np.nan}, index=views.index)
    shown = views[[*KEY, "time"]].rename_axis("view").reset_index()
    for stage in STAGES:
        own = later[later["kind"] == stage].rename_axis("event").reset_index()
        both = own[["event", *KEY, "time"]].merge(shown, on=KEY, suffixes=("", "_shown"))
        both = both[both["time_shown"] <= both["time"]].sort_values(["event", "time_shown"])
        view = both.drop_duplicates("event", keep="last").set_index("event")["view"]
        table.loc[view.unique(), list(STAGES[: STAGES.index(stage) + 1])] = 1.0
        if stage == "purchase" and {"rating", "review_time"} <= set(own):
            rated = own.set_index("event")[["rating", "review_time"]].dropna()
            rated = rated if known is None else rated[rated["review_time"] <= known]
            rated = rated[rated.index.isin(view.index)]
            table.loc[view[rated.index], "rating"] = rated["rating"].to_numpy(float)
    return table
