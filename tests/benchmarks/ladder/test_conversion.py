"""Counterfactual conversion: the shop's own order gives back what it sold; the truth judges the estimate."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.benchmarks.ladder.conversion import measured, reordered, shop_lists


def placed(shop, scores):
    return measured(shop.views.assign(place=reordered(shop.views, scores)), shop)


def test_the_shops_own_order_gives_back_what_it_sold(shop):
    metrics, per_list = placed(shop, -shop.views["position"].to_numpy(float))
    assert metrics["conversion"] == pytest.approx(metrics["conversion_log"], rel=1e-9)
    assert metrics["conversion_truth"] == pytest.approx(metrics["conversion_log_truth"], rel=1e-9)
    assert per_list["conversion"].mean() == pytest.approx(metrics["conversion"], rel=1e-9)
    assert len(per_list) == shop.views["list"].nunique()


def test_what_was_sold_is_what_was_to_be_expected(shop):
    """The law that the truth is made of is the store's: sales lie within their own interval of it."""
    metrics, _ = placed(shop, -shop.views["position"].to_numpy(float))
    assert metrics["conversion_low"] <= metrics["conversion_log_truth"] <= metrics["conversion_high"]


@pytest.mark.parametrize("seed", range(3))
def test_the_truth_of_a_random_order_lies_within_the_estimates_interval(shop, seed):
    metrics, _ = placed(shop, np.random.default_rng(seed).random(len(shop.views)))
    width = metrics["conversion_high"] - metrics["conversion_low"]
    # three orders of one log, intervals of 95 %: half a width of slack
    assert metrics["conversion_low"] - width / 2 <= metrics["conversion_truth"]
    assert metrics["conversion_truth"] <= metrics["conversion_high"] + width / 2


def test_the_best_order_sells_more_by_truth_and_by_estimate(shop):
    own, _ = placed(shop, -shop.views["position"].to_numpy(float))
    best, _ = placed(shop, shop.views["value"].to_numpy())
    worst, _ = placed(shop, -shop.views["value"].to_numpy())
    assert worst["conversion_truth"] < own["conversion_truth"] < best["conversion_truth"]
    assert worst["conversion"] < own["conversion"] < best["conversion"]


def test_places_are_estimated_from_earlier_lists(shop):
    np.testing.assert_allclose(shop.looks, shop.true_looks, atol=0.06)
    assert not np.array_equal(shop.looks, shop.true_looks)


def test_equal_scores_keep_the_shops_order_and_places_are_a_permutation(shop):
    views = shop.views.head(80)
    assert reordered(views, np.zeros(80)).tolist() == views["position"].tolist()
    place = reordered(views, np.random.default_rng(1).random(80))
    assert (np.sort(place.reshape(-1, 8), axis=1) == np.arange(8)).all()


def test_histories_end_before_the_list(shop, store):
    fresh, stale = shop.histories["moment"], shop.histories["training"]
    assert len(fresh) > len(stale)
    bought = store.dataset.events.query("kind == 'purchase'").set_index(["user", "item"])["time"]
    owner = shop.views.drop_duplicates("list").set_index("list")["user"]
    users = fresh["user"].map(owner)
    times = bought.reindex(list(zip(users, fresh["item"], strict=True)))
    assert (times.to_numpy() >= store.split.boundaries["validation_from"].to_datetime64()).any()
    assert times.notna().all()


def test_a_log_whose_truth_nobody_knows_has_none(store):
    assert shop_lists(replace(store, dataset=replace(store.dataset, name="another shop"))) is None
