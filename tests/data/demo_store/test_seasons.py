"""The demo store's seasons, drift of tastes and fashions are those of its constants."""

import numpy as np
import pandas as pd
import pytest

from recsys.data.demo_store import constants as c
from recsys.data.demo_store import shoppers
from tests.data.demo_store.test_statistics import BOUND, assert_meets, ratio


def test_traffic_has_its_season(store):
    weight = shoppers.traffic()
    quarter = np.arange(c.DAYS) * 4 // c.DAYS
    plain = weight / np.where(pd.date_range(c.FIRST_DAY, periods=c.DAYS).dayofweek >= 5, c.WEEKEND_FACTOR, 1)
    assert plain[quarter == 3].sum() / plain[quarter == 0].sum() == pytest.approx(c.FOURTH_TO_FIRST_QUARTER)
    whole_year = store.users.index[store.users["joined"].isna()]
    sessions = store.events.drop_duplicates("session")
    sessions = sessions[sessions["user"].isin(whole_year)]
    in_quarter = sessions["time"].dt.dayofyear.sub(1).mul(4).floordiv(c.DAYS)
    last, first = (sessions.loc[in_quarter == q, "user"] for q in (3, 0))
    wanted = weight[quarter == 3].sum() / weight[quarter == 0].sum()
    assert_meets(ratio(store, last, first), wanted)


def test_categories_have_their_season(store, kinds):
    from recsys.data.demo_store.vocabulary import TREE

    clicks = kinds["click"]
    label = store.items["category"].str.split(" > ").str[-1].to_numpy()[clicks["item"]]
    table = pd.crosstab(label, clicks["time"].dt.month, normalize="columns")
    tilt, flat = [], []
    for leaf in (leaf for group in TREE for leaf in group.leaves):
        near = [(leaf.peak_month - 1 + step) % 12 + 1 for step in (-1, 0, 1)]
        far = [(month + 5) % 12 + 1 for month in near]
        rate = table.loc[leaf.label]
        if leaf.peak_month:
            tilt.append(rate[near].mean() / rate[far].mean())
        else:
            flat.append(np.log(rate[[1, 2, 3]].mean() / rate[[7, 8, 9]].mean()))
    # 1.6 / 0.4 at the extremes of the wave; intents carried over, launches and drift blur it.
    assert np.median(tilt) > 1.7
    assert np.mean(np.array(tilt) > 1) > 0.9
    assert abs(np.mean(flat)) < np.log(1.7)


def test_taste_drifts(store, truth, kinds):
    correlation = np.corrcoef(truth.user_taste_start.ravel(), truth.user_taste_end.ravel())[0, 1]
    assert correlation == pytest.approx(c.TASTE_CORRELATION, abs=0.06)
    # In the log: late clicks fit the last day's taste better than the first day's, early clicks the reverse.
    clicks = kinds["click"]
    user, item = clicks["user"].to_numpy(), clicks["item"].to_numpy()
    gain = np.einsum(
        "nd,nd->n", (truth.user_taste_end - truth.user_taste_start)[user], truth.item_latent[item]
    )
    part = clicks["time"].dt.dayofyear.to_numpy() / c.DAYS
    by_user = pd.DataFrame({"user": user, "gain": gain, "late": part > 0.5})
    means = by_user.groupby(["user", "late"])["gain"].mean().unstack().dropna()
    change = means[True] - means[False]
    assert change.mean() > BOUND * change.std() / np.sqrt(len(change))


def test_fashion_changes_what_sells(store, truth, kinds):
    """The drift that users share shows as a shift between colours, patterns and shapes within the year."""
    from scipy.stats import chi2_contingency

    clicks = kinds["click"]
    old = (store.items["launched"] == pd.Timestamp(c.FIRST_DAY)).to_numpy()
    clicks = clicks[old[clicks["item"]] & clicks["position"].isna()].drop_duplicates(["user", "item"])
    quarter = clicks["time"].dt.quarter
    ends = quarter.isin([1, 4])
    looks = truth.appearance.agg(" ".join, axis=1).to_numpy()[clicks["item"]]
    result = chi2_contingency(pd.crosstab(looks[ends], quarter[ends]))
    assert result.pvalue < 1e-6
    shuffled = np.random.default_rng(0).permutation(quarter[ends])
    assert chi2_contingency(pd.crosstab(looks[ends], shuffled)).pvalue > 1e-3
