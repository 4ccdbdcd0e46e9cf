"""The demo store's data meet the frozen constants within sampling error; season, drift and bias are there.

Sampling errors are clustered by user, since one user's events share a taste. A bound of four standard errors
is passed by a right generator in all but 1 of 16,000 checks.
"""

import numpy as np
import pandas as pd
import pytest

from recsys.data.demo_store import constants as c
from recsys.data.tables import NO_ITEM

BOUND = 4.0  # standard errors


def ratio(store, above, below) -> tuple[float, float]:
    """Sum of one event count over the sum of another, and its standard error with users as clusters."""
    above, below = (np.bincount(users, minlength=store.n_users).astype(float) for users in (above, below))
    estimate = above.sum() / below.sum()
    return estimate, np.sqrt(((above - estimate * below) ** 2).sum()) / below.sum()


def assert_meets(found: tuple[float, float], wanted: float) -> None:
    estimate, error = found
    assert error < 0.1 * wanted, "too few events for the check to mean anything"
    assert abs(estimate - wanted) < BOUND * error, f"{estimate:.4f} ± {error:.4f}, wanted {wanted}"


def share(hits, n: int) -> tuple[float, float]:
    """Share of independent trials and its standard error."""
    p = float(np.sum(hits)) / n
    return p, np.sqrt(p * (1 - p) / n)


def test_funnel(store, kinds):
    clicks = kinds["click"]
    on_lists = clicks.loc[clicks["position"].notna(), "user"]
    assert_meets(ratio(store, on_lists, kinds["view"]["user"]), c.CLICKS_PER_VIEW)
    assert_meets(ratio(store, kinds["cart"]["user"], clicks["user"]), c.CARTS_PER_CLICK)
    assert_meets(ratio(store, kinds["purchase"]["user"], kinds["cart"]["user"]), c.PURCHASES_PER_CART)


def test_activity(store, kinds):
    sessions = store.events.drop_duplicates("session")["user"]
    assert_meets(ratio(store, kinds["search"]["user"], sessions), c.SEARCHES_PER_SESSION)
    browsing = kinds["click"].loc[kinds["click"]["position"].isna(), "user"]
    assert_meets(ratio(store, browsing, sessions), c.DIRECT_CLICKS_PER_SESSION)
    assert_meets(ratio(store, sessions, np.arange(store.n_users)), c.SESSIONS_PER_USER)
    assert sessions.value_counts().min() >= c.MINIMUM_SESSIONS
    assert_meets(share(store.users["joined"].notna(), store.n_users), c.JOINING_SHARE)
    assert len(kinds["purchase"]) / store.n_users >= 5
    assert 150_000 <= len(store.events) <= 400_000


def test_spread_of_activity(store):
    """Gamma-Poisson: sessions of users who were there all year have variance mean + mean² / shape."""
    all_year = store.users.index[store.users["joined"].isna()]
    counts = store.events.drop_duplicates("session")["user"].value_counts().reindex(all_year)
    extra = counts - c.MINIMUM_SESSIONS
    shape = extra.mean() ** 2 / (extra.var() - extra.mean())
    assert 0.8 * c.ACTIVITY_SHAPE < shape < 1.25 * c.ACTIVITY_SHAPE


def test_popularity_follows_the_power_law(store, truth, kinds):
    """Browsing clicks on products that were on sale all year, by popularity rank, in ten bins of ranks."""
    clicks = kinds["click"]
    counts = np.bincount(clicks.loc[clicks["position"].isna(), "item"], minlength=store.n_items)
    old = (store.items["launched"] == pd.Timestamp(c.FIRST_DAY)).to_numpy()
    rank = (-truth.item_popularity).argsort().argsort() + 1
    bins = pd.qcut(rank[old], 10, labels=False)
    shifted = pd.Series(np.log(rank[old] + c.POPULARITY_SHIFT)).groupby(bins).mean()
    mean = pd.Series(counts[old]).groupby(bins).mean()
    slope = np.polyfit(shifted, np.log(mean), 1)[0]
    # Launches take some demand from old products, tastes and season spread it: all small, none systematic in
    # rank.
    assert slope == pytest.approx(-c.POPULARITY_EXPONENT, abs=0.06)
    front = np.sort(truth.item_popularity)[::-1]
    expected = (np.arange(1, store.n_items + 1) + c.POPULARITY_SHIFT) ** -c.POPULARITY_EXPONENT
    np.testing.assert_allclose(front, expected / expected.sum())


def test_new_products(store):
    launched = store.items["launched"]
    new = launched > pd.Timestamp(c.FIRST_DAY)
    assert new.mean() == c.NEW_ITEM_SHARE
    first = store.events[store.events["item"] != NO_ITEM].groupby("item")["time"].min()
    assert (first >= launched[first.index]).all()
    seen = first[new[first.index]]
    assert len(seen) > 0.95 * new.sum()
    days = (launched[new] - pd.Timestamp(c.FIRST_DAY)).dt.days
    assert np.histogram(days, bins=4, range=(0, c.DAYS))[0].min() > 0.2 * new.sum()


def test_words_of_the_queries(truth, kinds):
    asked = kinds["search"][["query"]].merge(truth.queries, on="query")
    n = len(asked)
    assert n == len(kinds["search"])
    assert_meets(share(~asked["title_noun"], n), c.PARAPHRASE_SHARE)
    assert_meets(share(asked["modifier"] != "", n), c.MODIFIER_SHARE)


def test_exploring_lists(kinds):
    lists = kinds["view"].groupby(["user", "session", "time"])["propensity"].min()
    uniform = c.EXPLORATION_SHARE / c.CANDIDATES
    shuffled = (lists < 2 * uniform).sum()  # one product or more out of its production place
    assert_meets(share(shuffled, len(lists)), c.EXPLORATION_SHARE)


def test_propensities_are_those_of_the_policy(kinds):
    """Over all slots, the mean of 1 / propensity is the number of products that could have been there."""
    weight = 1 / kinds["view"]["propensity"]
    by_list = weight.groupby([kinds["view"]["session"], kinds["view"]["time"]]).mean()
    error = by_list.std() / np.sqrt(len(by_list))
    assert abs(by_list.mean() - c.CANDIDATES) < BOUND * error


def test_position_bias_is_recovered_by_inverse_propensity(store, truth, kinds):
    views, clicks = kinds["view"], kinds["click"]
    position = views["position"].to_numpy(int)
    np.testing.assert_allclose(truth.examination, np.arange(1, c.LIST_LENGTH + 1) ** -c.POSITION_BIAS_ETA)

    # A view is clicked if the next click with its search and position is there: match by place in the
    # history.
    clicked = was_clicked(views, clicks)
    assert clicked.sum() == clicks["position"].notna().sum()

    weight = 1 / (c.CANDIDATES * views["propensity"].to_numpy())
    weighted = np.bincount(position, clicked * weight) / np.bincount(position, weight)
    naive = np.bincount(position, clicked) / np.bincount(position)
    curve, biased = weighted / weighted[0], naive / naive[0]
    # Error of each ratio by a jackknife over 20 groups of users.
    parts = views["user"].to_numpy() % 20
    jackknife = []
    for part in range(20):
        keep = parts != part
        rate = np.bincount(position[keep], (clicked * weight)[keep]) / np.bincount(
            position[keep], weight[keep]
        )
        jackknife.append(rate / rate[0])
    error = np.sqrt(19 * np.var(jackknife, axis=0))
    assert (np.abs(curve - truth.examination)[1:] < BOUND * error[1:]).all()
    assert (error[1:] < 0.25 * truth.examination[1:]).all()
    # The production order puts the attractive products first, so the naive curve falls too fast.
    assert (biased[1:] < curve[1:]).mean() > 0.5
    assert biased[1:].sum() < truth.examination[1:].sum()


def was_clicked(views: pd.DataFrame, clicks: pd.DataFrame) -> np.ndarray:
    """[views] bool: each click on a list belongs to the last view before it of the same user and place."""
    left = clicks[clicks["position"].notna()].sort_values("order")[["order", "user", "position", "item"]]
    right = views.sort_values("order")[["order", "user", "position", "item"]].assign(view=lambda v: v.index)
    pairs = pd.merge_asof(left, right, on="order", by=["user", "position", "item"])
    return views.index.isin(pairs["view"])


def test_true_probabilities_are_calibrated(store, truth, kinds):
    assert len(truth.next_step) == len(store.events)
    follow = {
        "view": was_clicked(kinds["view"], kinds["click"]),
        "click": _has_later(kinds["click"], kinds["cart"], "session"),
    }
    for kind, happened in follow.items():
        probability = truth.next_step[kinds[kind].index]
        assert not np.isnan(probability).any()
        bins = pd.qcut(probability, 8, labels=False, duplicates="drop")
        for number in np.unique(bins):
            some = bins == number
            p = probability[some]
            error = np.sqrt((p * (1 - p)).sum()) / some.sum()
            assert abs(happened[some].mean() - p.mean()) < BOUND * error
    for kind in ("search", "purchase"):
        assert np.isnan(truth.next_step[kinds[kind].index]).all()


def _has_later(before: pd.DataFrame, after: pd.DataFrame, block: str) -> np.ndarray:
    """[before] bool: the row after which the next stage of the same product came (a cart 9 seconds later)."""
    keys = [block, "item"]
    due = after[keys].assign(time=after["time"] - pd.Timedelta(seconds=9), hit=True)
    return before.merge(due, how="left", on=[*keys, "time"])["hit"].notna().to_numpy()


def test_affinity_has_its_parts(truth, store):
    affinity = truth.user_taste_start @ truth.item_latent.T
    assert affinity.std() == pytest.approx(1, abs=0.12)
    edges = np.cumsum([0, *c.LATENT_SIZES.values()])
    for (name, wanted), low, high in zip(c.AFFINITY_SHARES.items(), edges, edges[1:], strict=False):
        part = truth.user_taste_start[:, low:high] @ truth.item_latent[:, low:high].T
        assert part.var() == pytest.approx(wanted, rel=0.25), name
    # What age band and household explain of the taste.
    cells = store.users["age_band"] + store.users["household"]
    inside = pd.DataFrame(truth.user_taste_start).groupby(cells).transform("mean").to_numpy()
    explained = inside.var(axis=0).sum() / truth.user_taste_start.var(axis=0).sum()
    assert explained == pytest.approx(c.PROFILE_SHARE, abs=0.08)


def test_the_upper_bound_is_a_distribution_and_beats_popularity(store, truth, kinds):
    users = np.arange(0, store.n_users, 7)
    late = truth.browsing_probability(users, 1.0)
    np.testing.assert_allclose(late.sum(axis=1), 1)
    early = truth.browsing_probability(users, 0.0)
    not_yet = (store.items["launched"] > pd.Timestamp(c.FIRST_DAY)).to_numpy()
    assert (early[:, not_yet] == 0).all()
    assert (late > 0).all()
    clicks = kinds["click"]
    clicks = clicks[clicks["position"].isna() & clicks["user"].isin(users) & (clicks["time"].dt.month > 10)]
    row = np.searchsorted(users, clicks["user"])
    gain = np.log(late[row, clicks["item"]]) - np.log(truth.item_popularity[clicks["item"]])
    assert gain.mean() > BOUND * gain.std() / np.sqrt(len(gain))


def test_ratings(store, kinds):
    purchases = kinds["purchase"]
    rated = purchases["rating"].dropna()
    assert_meets(share(purchases["rating"].notna(), len(purchases)), c.RATING_RATE)
    shares = rated.value_counts(normalize=True).sort_index()
    np.testing.assert_allclose(shares, c.RATING_SHARES, atol=0.002)  # cut at the quantiles, so nearly exact
    assert_meets(share(purchases["review"].notna(), len(rated)), c.REVIEW_RATE)


def test_better_products_are_rated_better(truth, kinds):
    rated = kinds["purchase"].dropna(subset="rating")
    quality = truth.item_quality[rated["item"]]
    assert np.corrcoef(quality, rated["rating"])[0, 1] > 0.3


def test_review_tone_follows_the_rating_but_for_noise(kinds):
    from recsys.data.demo_store.texts import VERDICTS

    def pattern(phrase: str) -> str:
        return phrase.split("{")[0] or phrase.split("}")[1]

    reviewed = kinds["purchase"].dropna(subset="review")
    tone = np.full(len(reviewed), 0)
    for stars, phrases in enumerate(VERDICTS, start=1):
        for phrase in phrases:
            tone[reviewed["review"].str.startswith(pattern(phrase)).to_numpy()] = stars
    assert (tone > 0).all()
    # A review of another tone was drawn for it and happened not to draw the same one.
    rating = reviewed["rating"].to_numpy(int)
    expected = c.REVIEW_MISMATCH * np.mean(1 - np.array(c.RATING_SHARES)[rating - 1])
    found, error = share(tone != rating, len(reviewed))
    assert abs(found - expected) < BOUND * error
    assert found > 0
