"""The numbers behind the pictures, by hand on a small shop; and that every picture draws what it is given."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recsys.data import demo_store
from recsys.data.splits import global_time, leave_one_out
from recsys.data.tables import Dataset
from recsys.metrics.sampled import compare_protocols
from recsys.plots.drift import demand, monthly_similarity, plot_drift, seasonal_categories
from recsys.plots.funnel import conversion_rate, funnel, plot_funnel
from recsys.plots.long_tail import gini, plot_long_tail, purchase_counts, top_share
from recsys.plots.ranking_curves import plot_found_within, plot_protocols
from recsys.plots.shop_facts import compare_shops, shop_facts
from recsys.plots.split_pictures import plot_splits, split_table
from recsys.plots.style import use_style


@pytest.fixture(autouse=True)
def no_window():
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def shop():
    return demo_store.load(seed=0, size="small")


def order_only(pairs):
    """Purchases [(user, item), ...] in order, without times."""
    events = pd.DataFrame(pairs, columns=["user", "item"]).assign(kind="purchase")
    events["order"] = events.groupby("user").cumcount()
    users, items = events["user"].max() + 1, events["item"].max() + 1
    return Dataset(
        name="tiny",
        items=pd.DataFrame({"item": range(items), "source_id": range(items)}),
        users=pd.DataFrame({"user": range(users), "source_id": range(users)}),
        events=events.sort_values(["user", "order"], ignore_index=True),
    )


TINY = order_only([(0, 0), (0, 1), (0, 2), (0, 0), (1, 0), (1, 1), (1, 3), (2, 0)])


def test_gini_by_hand():
    assert gini(np.array([5, 5, 5])) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)


@given(arrays(np.int64, 30, elements=st.integers(0, 50)).filter(lambda counts: counts.sum() > 0))
def test_concentration_is_a_share_and_ignores_scale_and_order(counts):
    assert -1e-12 <= gini(counts) < 1
    assert gini(counts[::-1] * 3) == pytest.approx(gini(counts))
    assert top_share(counts, 0.1) == pytest.approx(np.sort(counts)[-3:].sum() / counts.sum())
    assert top_share(counts, 1.0) == 1


def test_facts_by_hand():
    facts = shop_facts(TINY)
    assert (facts["users"], facts["items"], facts["purchases"]) == (3, 4, 8)
    assert facts["purchases_per_user"] == 3
    assert facts["density"] == pytest.approx(7 / 12)
    assert facts["repeat_share"] == pytest.approx(1 / 8)
    assert purchase_counts(TINY).tolist() == [4, 2, 1, 1]


def test_a_shop_without_times_or_texts_is_shown_without_them(shop):
    table = compare_shops({"demo": shop, "tiny": TINY})
    assert table.loc["times", "tiny"] == "only the order within a user"
    assert table.loc["known about an item", "tiny"] == "nothing but its code"
    assert table.loc["events: click", "tiny"] == "–"
    assert "2023" in table.loc["times", "demo"]


def test_funnel_counts_each_stage_against_the_one_before(shop):
    table = funnel(shop).set_index("stage")
    kinds = shop.events["kind"].value_counts()
    assert table["events"]["shown in a result list"] == kinds["view"]
    clicked = table["events"][["clicked in a list", "clicked while browsing"]].sum()
    assert clicked == kinds["click"]
    assert table["rate"]["put in the cart"] == pytest.approx(kinds["cart"] / kinds["click"])
    assert table["rate"]["bought"] == pytest.approx(kinds["purchase"] / kinds["cart"])
    assert conversion_rate(shop) == pytest.approx(kinds["purchase"] / kinds["click"])
    assert conversion_rate(TINY) is None


def months(items_by_month, per_month=4000):
    random = np.random.default_rng(7)
    return pd.concat(
        pd.DataFrame({"item": random.choice(items, per_month), "time": pd.Timestamp(2026, month, 10)})
        for month, items in enumerate(items_by_month, start=1)
    )


def test_similarity_sees_change_and_only_change():
    steady = monthly_similarity(months([range(20)] * 3), 40).to_numpy()
    assert steady.min() > 0.9
    changed = monthly_similarity(months([range(20), range(20, 40)]), 40).to_numpy()
    assert np.diag(changed).min() > 0.9
    assert changed[0, 1] == changed[1, 0] == 0


def test_a_month_with_few_events_is_left_out():
    few = months([range(5), range(5)]).iloc[:500]
    assert monthly_similarity(few, 5).shape == (1, 1)


def test_category_shares_are_shares_of_a_month(shop):
    every = seasonal_categories(shop, shown=1000)
    assert every.groupby("month")["share"].sum().to_numpy() == pytest.approx(1.0)
    assert len(demand(shop)) == (shop.events["kind"] == "click").sum()
    assert len(demand(TINY)) == len(TINY.events)


def test_split_table_by_hand():
    table = split_table(leave_one_out(TINY))
    # user 0: 0 1 | 2 | 0, user 1: 0 | 1 | 3, user 2 has too few events and stays in training
    assert table["events"].tolist() == [4, 2, 2]
    assert table.loc["validation", "new items"] == 0.5
    assert table.loc["test", ["repeats", "new items", "new users"]].tolist() == [0.5, 0.5, 0.0]


def test_pictures_with_times(shop):
    use_style()
    shops = {"demo": shop}
    splits = {"global_time": global_time(shop), "leave_one_out": leave_one_out(shop)}
    assert len(plot_funnel(shops)) == 1
    assert len(plot_long_tail(shops)) == 2
    assert len(plot_drift(shops)) == 3
    left, right = plot_splits(splits)
    assert left.get_title(loc="left") == "global time"
    assert len(left.lines) == 2  # both boundaries
    assert len(right.lines) == 0


def test_pictures_without_times(capsys):
    assert plot_funnel({"tiny": TINY}) == []
    assert plot_drift({"tiny": TINY}) == []
    assert "only the order" in capsys.readouterr().out
    (axes,) = plot_splits({"leave_one_out": leave_one_out(TINY)})
    assert axes.get_xlabel() == "place in the user's history"


def test_found_within_draws_the_share_at_every_length():
    positions = pd.DataFrame({"better": [0, 4, 9, 99], "equal": 0})
    axes = plot_found_within({"some scorer": positions}, 100)
    k, found = axes.lines[0].get_data()
    at = dict(zip(k, found, strict=True))
    assert (at[1], at[10], at[100]) == (0.25, 0.75, 1.0)


def test_protocols_are_drawn_one_line_a_scorer(shop):
    split = global_time(shop)

    class Same:
        def score(self, users):
            return np.zeros((len(users), split.n_items))

    table = compare_protocols({"a": Same(), "b": Same()}, split, np.ones(split.n_items), negatives=9)
    axes = plot_protocols(table)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert axes.get_xticklabels()[1].get_text() == "9 drawn\nuniformly"
