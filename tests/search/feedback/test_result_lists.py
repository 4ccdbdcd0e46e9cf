"""Result lists of the demo store: rates, positions, and the policies' true values."""

import numpy as np
import pandas as pd
import pytest

from recsys.data import demo_store
from recsys.search.errors import SearchError
from recsys.search.feedback.bandit import learned_policy_value
from recsys.search.feedback.off_policy import estimate_policy
from recsys.search.feedback.result_lists import (
    click_rates,
    examination_curve,
    policy_probability,
    result_lists,
)


@pytest.fixture(scope="module")
def shop():
    data, truth = demo_store.load(), demo_store.load_truth()
    lists = result_lists(data.events)
    return data, lists, truth, truth.next_step[lists.index]


def test_every_view_is_there_and_every_listed_click_is_found(shop):
    data, lists, _, _ = shop
    events = data.events
    assert len(lists) == (events["kind"] == "view").sum()
    assert lists["click"].sum() == ((events["kind"] == "click") & events["position"].notna()).sum()
    assert (lists.groupby("search").size() == 8).all()


def test_the_corrected_value_holds_the_truth_and_the_naive_one_does_not(shop):
    _, lists, _, probability = shop
    explored = lists["propensity"].round(4).groupby(lists["search"]).transform("min") < 0.1
    for policy, rows in (("random", explored), ("production", ~explored)):
        table = estimate_policy(
            lists["click"], lists["propensity"], policy_probability(lists, policy), groups=lists["search"]
        ).set_index("method")
        truth = probability[rows.to_numpy()].mean()
        assert table.loc["snipw", "low"] < truth < table.loc["snipw", "high"]
        assert not table.loc["naive", "low"] < truth < table.loc["naive", "high"]


def test_examination_is_found_from_propensities_and_not_without_them(shop):
    _, lists, truth, _ = shop
    true = truth.examination / truth.examination[0]
    found = examination_curve(lists).to_numpy()
    naive = examination_curve(lists.assign(propensity=1.0)).to_numpy()
    assert np.abs(found - true).max() < 0.08
    assert np.abs(naive - true).mean() > np.abs(found - true).mean()


def test_rates_are_shrunk_and_unseen_products_have_none():
    lists = pd.DataFrame({"item": [0, 0, 1], "click": [1, 1, 0], "position": [0, 1, 1]})
    plain = click_rates(lists, 3, prior_views=3.0)
    np.testing.assert_allclose(plain[:2], [(2 + 2) / 5, 2 / 4])
    assert np.isnan(plain[2])
    looked = click_rates(lists, 3, pd.Series([1.0, 0.5], index=[0, 1]), prior_views=0.0)
    np.testing.assert_allclose(looked[:2], [2 / 1.5, 0])


def test_logs_without_lists_are_refused(shop):
    data, lists, _, _ = shop
    with pytest.raises(SearchError, match="no column position"):
        result_lists(data.events.drop(columns="position"))
    with pytest.raises(SearchError, match="no search"):
        result_lists(data.events[data.events["kind"] != "search"])
    with pytest.raises(SearchError, match="policy must be"):
        policy_probability(lists, "greedy")
    with pytest.raises(SearchError, match="no mixture"):
        policy_probability(lists.assign(propensity=0.5), "random")


def test_a_learning_policy_is_judged_from_a_random_log():
    rng = np.random.default_rng(0)
    worth = np.linspace(0.02, 0.3, 10)

    def log(chances, n=20_000):
        item = rng.choice(10, n, p=chances)
        click = (rng.random(n) < worth[item]).astype(int)
        place = rng.integers(0, 3, n)
        return pd.DataFrame({"item": item, "position": place, "click": click, "propensity": chances[item]})

    learned = worth / worth.sum()
    table = learned_policy_value(log(np.full(10, 0.1)), log(learned)).set_index("method")
    truth = float(worth @ learned)
    for method in ("ipw", "snipw", "dr", "on-policy"):
        assert table.loc[method, "low"] < truth < table.loc[method, "high"]
    assert table.loc["naive", "high"] < truth
