"""One behaviour before a moment and the next one after it: by hand, and on Taobao's file where it is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.data import demo_store, sources
from recsys.search.errors import SearchError
from recsys.search.studies import next_behaviour as module
from recsys.search.studies.next_behaviour import behaviours, ndcg, random_ndcg
from recsys.search.studies.study import StudySettings, ask


def test_ndcg_of_one_list_by_hand():
    scores = np.tile(np.arange(20, 0, -1.0), (3, 1))
    truth = pd.Series({0: np.array([0]), 2: np.array([1, 15])})
    found = ndcg(scores, truth)
    assert found[0] == 1
    assert found[2] == pytest.approx((1 / np.log2(3)) / (1 + 1 / np.log2(3)))
    shared = np.broadcast_to(scores[0], scores.shape)
    pd.testing.assert_series_equal(ndcg(shared, truth), found)


def test_random_is_the_mean_of_random_orders():
    rng = np.random.default_rng(0)
    truth = pd.Series({user: np.array([1, 4, 7]) for user in range(4000)})
    drawn = ndcg(rng.random((4000, 30)), truth).mean()
    assert random_ndcg(truth, 30) == pytest.approx(drawn, abs=0.01)


def test_who_repeats_himself_is_predicted_and_the_future_is_not_seen(monkeypatch):
    days = pd.date_range("2024-01-01", periods=10)
    rows = [
        {"user": user, "category": user % 7, "kind": kind, "time": day + pd.Timedelta(hours=1 + user % 20)}
        for user in range(40)
        for day in days
        for kind in ("cart", "purchase")
    ]
    monkeypatch.setattr(module, "behaviours", lambda name: (pd.DataFrame(rows), 40, 30))
    found = ask("next_behaviour", StudySettings())
    own = found.table.set_index(["before", "after"])["own"]
    assert own["cart", "purchase"] == 1
    assert found.metrics["cart_purchase:difference"] > 0.3
    # who starts only after the moment has popularity's list: no difference
    late = pd.DataFrame(rows).query("time > '2024-01-08 18:00'")
    early = pd.DataFrame(rows).query("user == 0")
    monkeypatch.setattr(module, "behaviours", lambda name: (pd.concat([early, late]), 40, 30))
    assert ask("next_behaviour", StudySettings()).lists["cart_purchase:difference"].drop(0).abs().max() == 0


def test_taobao_has_all_four(real_data):
    real_data("taobao_userbehavior/UserBehavior.csv")
    events, users, categories = behaviours("taobao_userbehavior")
    assert set(events["kind"]) == set(module.BEHAVIOURS)
    assert (users, categories) == (815, 2913)
    assert events["kind"].value_counts()["click"] == pytest.approx(2356, abs=5)  # favourites
    key = "taobao_userbehavior/(options)"
    assert sources.files_read[key] == sources.current_sha256(key), "else its runs would always be out of date"


def test_a_shop_without_times_is_refused(monkeypatch):
    shop = demo_store.load(size="small")
    timeless = replace(shop, events=shop.events.drop(columns="time"))
    monkeypatch.setattr(module, "load_dataset", lambda name: timeless)
    with pytest.raises(SearchError, match="no times or no categories"):
        behaviours("demo_store")
