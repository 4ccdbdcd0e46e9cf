"""What became of a view: linked to the last showing before it, and nothing that was not known yet."""

import numpy as np
import pandas as pd
import pytest

from recsys.data import demo_store
from recsys.search.errors import SearchError
from recsys.search.feedback.outcomes import outcomes

START = pd.Timestamp("2024-01-01")


def event(kind, minute, item=1, position=0.0, **more):
    row = {"user": 0, "session": 0, "query": "lamp", "item": item, "kind": kind, "position": position}
    return (
        row | {"time": START + pd.Timedelta(minutes=minute), "rating": np.nan, "review_time": pd.NaT} | more
    )


def log(*rows):
    return pd.DataFrame(rows)


BOUGHT = log(
    event("view", 0),
    event("view", 0, item=2, position=1.0),
    event("click", 1),
    event("cart", 2),
    event("purchase", 3, rating=4.0, review_time=START + pd.Timedelta(days=9)),
    event("click", 4, item=3, position=np.nan),  # not from a list
)


def test_a_purchase_was_in_the_cart_and_clicked():
    found = outcomes(BOUGHT)
    assert found.index.tolist() == [0, 1]
    assert found.loc[0].tolist() == [1, 1, 1, 4]
    assert found.loc[1, ["click", "cart", "purchase"]].tolist() == [0, 0, 0]
    assert np.isnan(found.loc[1, "rating"])


@pytest.mark.parametrize(
    ("minutes", "stages", "rated"),
    [(0, [0, 0, 0], False), (1, [1, 0, 0], False), (3, [1, 1, 1], False), (9 * 24 * 60, [1, 1, 1], True)],
)
def test_what_came_later_is_not_known(minutes, stages, rated):
    found = outcomes(BOUGHT, known=START + pd.Timedelta(minutes=minutes)).loc[0]
    assert found[["click", "cart", "purchase"]].tolist() == stages
    assert np.isfinite(found["rating"]) == rated


def test_the_last_showing_before_it_led_to_it():
    found = outcomes(log(event("view", 0), event("view", 5), event("click", 6), event("view", 7)))
    assert found["click"].tolist() == [0, 1, 0]


def test_a_log_without_places_is_refused():
    with pytest.raises(SearchError, match="no column position"):
        outcomes(BOUGHT.drop(columns="position"))


def test_the_demo_store_s_funnel_narrows():
    found = outcomes(demo_store.load(size="small").events)
    rates = found[["click", "cart", "purchase"]].mean()
    assert rates.is_monotonic_decreasing
    assert rates["purchase"] > 0
    assert (found["cart"] >= found["purchase"]).all()
    assert (found.loc[found["rating"].notna(), "purchase"] == 1).all()
