"""Online learning against nightly batches on the demo store's stream with an abrupt change point.

The demo store's tastes drift slowly. For an abrupt change, a site redesign is simulated: from then on item
codes are permuted (item i is what item π(i) was, π drawn by the seed), and positions are counted from the
bottom of the list. What was learned about items and positions is then wrong, about users it is not.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from recsys.data.tables import Dataset
from recsys.metrics.significance import paired_bootstrap
from recsys.streaming.events import DAY
from recsys.streaming.online_learners import Impression, Learner, loss, prequential

RESAMPLES = 2_000


def impressions(dataset: Dataset, most: int = 0) -> list[Impression]:
    """All products shown in result lists, with clicks, sorted by time; the newest `most` (0: all).

    Raises:
        ValueError: the data set does not log impressions.
    """
    events = dataset.events
    if not (events["kind"] == "view").any() or "position" not in events:
        raise ValueError(f"{dataset.name} does not log what was shown; take demo_store")
    listed = events[events["position"].notna()].sort_values("time", kind="stable")
    shown = listed[listed["kind"] == "view"].reset_index(drop=True)
    clicks = listed[listed["kind"] == "click"]
    # the same list may be shown twice in a session: a click belongs to the last one before it
    keys = ["user", "session", "query", "position", "item"]
    found = pd.merge_asof(
        clicks[[*keys, "time"]], shown[[*keys, "time"]].reset_index(names="view"), on="time", by=keys
    )
    shown["clicked"] = shown.index.isin(found["view"])
    shown = shown.sort_values(["time", "user", "position"], kind="stable").tail(most or len(shown))
    groups = pd.factorize(dataset.items["category"], sort=True)[0][shown["item"]]
    columns = (
        shown["time"].to_numpy().astype("datetime64[ms]").astype(np.int64),
        shown["user"],
        shown["item"],
        groups,
        shown["position"].astype(np.int64),
        shown["clicked"],
    )
    return [
        Impression(*row) for row in zip(*(np.asarray(column).tolist() for column in columns), strict=True)
    ]


def with_break(stream: list[Impression], at: int, seed: int = 0) -> list[Impression]:
    """The same stream, with the simulated redesign at the time `at` (ms)."""
    random = np.random.default_rng(seed)
    group_of = {shown.item: shown.group for shown in stream}
    items = sorted(group_of)
    role = dict(zip(items, random.permutation(items).tolist(), strict=True))
    last = max(shown.place for shown in stream)
    changed = []
    for shown in stream:
        if shown.time >= at:
            item = role[shown.item]
            shown = shown._replace(item=item, group=group_of[item], place=last - shown.place)
        changed.append(shown)
    return changed


def compare_learners(stream: list[Impression], kinds: list[str], cut_share: float = 0.3) -> pd.DataFrame:
    """Predictions of each learner after the cut: columns time, user, clicked, and a probability per kind.

    Args:
        cut_share: share of the stream that all learn from before evaluation starts.
    """
    first = int(cut_share * len(stream))
    cut = stream[first].time
    said, drifts = {}, {}
    for kind in kinds:
        learner = Learner(kind, cut)
        said[kind] = list(prequential(stream, learner))[first:]
        drifts[kind] = learner.drifts
    table = pd.DataFrame(
        {name: [getattr(shown, name) for shown in stream[first:]] for name in ("time", "user", "clicked")}
    )
    table = table.assign(**said)
    table.attrs["drifts"] = drifts
    return table


def learner_table(table: pd.DataFrame, control: str = "nightly", seed: int = 0) -> pd.DataFrame:
    """One row per learner: log loss, AUC, and loss minus the control's, paired by user, with its interval."""
    kinds = [name for name in table if name not in ("time", "user", "clicked")]
    losses = {kind: user_losses(table, kind) for kind in kinds}
    rows = {}
    for kind in kinds:
        test = paired_bootstrap(losses[kind], losses[control], resamples=RESAMPLES, seed=seed)
        rows[kind] = {
            "log_loss": float(np.mean(_losses(table, kind))),
            "auc": roc_auc_score(table["clicked"], table[kind]),
            "more_loss": test.difference,
            "low": test.low,
            "high": test.high,
        }
    return pd.DataFrame(rows).T.rename_axis("learner")


def user_losses(table: pd.DataFrame, kind: str) -> pd.Series:
    """Mean log loss by user."""
    return _losses(table, kind).groupby(table["user"]).mean()


def daily_losses(table: pd.DataFrame, days: int = 7) -> pd.DataFrame:
    """Mean log loss of every learner by periods of `days` days; index: their first day."""
    kinds = [name for name in table if name not in ("time", "user", "clicked")]
    stretch = pd.to_datetime(table["time"] // (days * DAY) * (days * DAY), unit="ms").rename("from")
    return pd.DataFrame({kind: _losses(table, kind).groupby(stretch).mean() for kind in kinds})


def _losses(table: pd.DataFrame, kind: str) -> pd.Series:
    pairs = zip(table[kind], table["clicked"], strict=True)
    return pd.Series([loss(probability, clicked) for probability, clicked in pairs], index=table.index)
