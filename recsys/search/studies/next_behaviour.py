"""Does one behaviour (view, favourite, cart, purchase) predict the next one better than popularity does?

A log of ids and categories alone, no text: Taobao's nine days, or the demo store. From what a user did before
a moment, all categories are ranked by what he will do after it. Popularity is as fresh as the user's own
history: both count the same events with the same decay, one of all users and one of his own, and both choose
their decay on an earlier moment. A user's score is his own count, and the same behaviour's popularity where
that says nothing: a user without history has that list, and a difference of 0 where it is the better one.

U: users. C: categories.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.load import load_dataset
from recsys.data.logs import table
from recsys.search.errors import SearchError
from recsys.search.studies.study import Study, StudySettings, study

TAOBAO = "taobao_userbehavior"
# the kit's kinds of event that Taobao's four stand under here; a favourite is none of them
TAOBAO_KINDS = {"pv": "view", "fav": "click", "cart": "cart", "buy": "purchase"}
BEHAVIOURS = ("view", "click", "cart", "purchase")
CHOSEN_AT, JUDGED_AT = 6 / 9, 7 / 9  # moments, as shares of the log's span: Taobao's seventh and eighth day
HALF_LIVES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # days after which an event counts half
K = 10


def next_behaviour(settings: StudySettings) -> Study:
    """NDCG@10 of the categories purchased after a moment: each behaviour before it minus popularity.

    Lists (users who purchase after the moment): `cart_purchase:difference` and so on for each behaviour; of
    the popularity of that behaviour and that of purchases the one that was better at the earlier moment. The
    table has all pairs of behaviours, each over the users who do the second.

    Raises:
        SearchError: the data set has no times, or fewer than two kinds of behaviour.
    """
    events, n_users, n_categories = behaviours(settings.dataset)
    start, end = events["time"].min(), events["time"].max()
    moments = [start + share * (end - start) for share in (CHOSEN_AT, JUDGED_AT, 1.0)]
    shape, there = (n_users, n_categories), [name for name in BEHAVIOURS if (events["kind"] == name).any()]
    rows, lists = [], {}
    for after in there:
        truth = [_done(events, after, *moments[i : i + 2]) for i in (0, 1)]
        for before in there:
            chosen = _best(events, shape, moments[0], truth[0], before, after)
            own, popular = (_scores(events, shape, moments[1], *chosen[name]) for name in ("own", "popular"))
            found = {"own": ndcg(own, truth[1]), "popular": ndcg(popular, truth[1])}
            means = {name: float(values.mean()) for name, values in found.items()}
            rows.append({"before": before, "after": after, "users": len(found["own"])} | means)
            rows[-1] |= {"random": random_ndcg(truth[1], n_categories), "half_life_days": chosen["own"][1]}
            if after == "purchase":
                lists[f"{before}_purchase:difference"] = found["own"] - found["popular"]
    if "cart_purchase:difference" not in lists:
        raise SearchError(f"{settings.dataset} has no carts and purchases: take {TAOBAO} or demo_store")
    first = ["cart_purchase:difference", *(name for name in lists if not name.startswith("cart"))]
    return study(pd.DataFrame(lists)[first], pd.DataFrame(rows), categories=float(n_categories))


def behaviours(dataset: str) -> tuple[pd.DataFrame, int, int]:
    """(events with user, category code, kind, time; number of users; number of categories)."""
    if dataset == TAOBAO:
        source = sources.all_sources()[TAOBAO]
        options = source.options | {"events": source.options["events"] | {"kinds": TAOBAO_KINDS}}
        data = table.load(replace(source, options=options))
        # as they are registered: those above are code, which a record counts too
        sources.note_options(source)
    else:
        data = load_dataset(dataset)
    if not data.has_times or "category" not in data.items:
        raise SearchError(f"{dataset} has no times or no categories: take {TAOBAO} or demo_store")
    codes, names = pd.factorize(data.items["category"])
    events = data.events[data.events["kind"].isin(BEHAVIOURS)]
    category = codes[events["item"].to_numpy()]
    kept = events.assign(category=category)[["user", "category", "kind", "time"]]
    return kept[category >= 0].reset_index(drop=True), data.n_users, len(names)


def ndcg(scores: np.ndarray, truth: pd.Series) -> pd.Series:
    """[users of truth] NDCG@10 of binary relevance over all categories; of equals the lower code is first.

    Args:
        scores: [U, C]. truth: user -> the distinct categories that are right, at least one.
    """
    gain = 1 / np.log2(np.arange(2, K + 2))
    found, alike = {}, scores.strides[0] == 0  # one list for everybody
    order = np.argsort(-scores[0], kind="stable")[:K] if alike else None
    for user, right in truth.items():
        order = order if alike else np.argsort(-scores[user], kind="stable")[:K]
        found[user] = float(gain[np.isin(order, right)].sum() / gain[: len(right)].sum())
    return pd.Series(found)


def random_ndcg(truth: pd.Series, categories: int) -> float:
    """Expectation of a random order of so many categories, mean over users."""
    gain = 1 / np.log2(np.arange(2, K + 2))
    counts = np.array([len(right) for right in truth])
    return float(np.mean([count / categories * gain.sum() / gain[:count].sum() for count in counts]))


def _done(events: pd.DataFrame, kind: str, since: pd.Timestamp, until: pd.Timestamp) -> pd.Series:
    """user -> distinct categories of this behaviour from a moment to another."""
    own = events[(events["kind"] == kind) & (events["time"] > since) & (events["time"] <= until)]
    return own.groupby("user")["category"].unique()


def _scores(
    events: pd.DataFrame, shape: tuple[int, int], moment: pd.Timestamp, kind: str, half_life: float, own: bool
) -> np.ndarray:
    """[U, C] decayed counts of a behaviour up to a moment: popularity, or a user's own above popularity."""
    past = events[(events["kind"] == kind) & (events["time"] <= moment)]
    age = (moment - past["time"]) / pd.Timedelta(days=1)
    weight = 0.5 ** (age.to_numpy() / half_life)
    counts = np.zeros(shape)
    np.add.at(counts, (past["user"].to_numpy(), past["category"].to_numpy()), weight)
    popular = counts.sum(axis=0)
    # popularity only orders what the user's own history leaves equal
    small = popular / max(popular.max(), 1e-12) * 1e-9
    return counts + small if own else np.broadcast_to(popular, shape)


def _best(
    events: pd.DataFrame,
    shape: tuple[int, int],
    moment: pd.Timestamp,
    truth: pd.Series,
    before: str,
    after: str,
) -> dict[str, tuple[str, float, bool]]:
    """Arguments of `_scores` that were best at the earlier moment: of the user's own, and of popularity."""
    tried = {"own": [(before, days, True) for days in HALF_LIVES]}
    tried["popular"] = [(kind, days, False) for kind in dict.fromkeys((before, after)) for days in HALF_LIVES]
    best = {}
    for name, options in tried.items():
        means = [
            ndcg(_scores(events, shape, moment, *one), truth).mean() if len(truth) else 0.0 for one in options
        ]
        best[name] = options[int(np.argmax(means))]
    return best
