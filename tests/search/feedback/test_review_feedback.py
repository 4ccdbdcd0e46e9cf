"""A review ranks nothing that was asked for before it was published."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data import demo_store
from recsys.search.errors import SearchError
from recsys.search.feedback.review_feedback import predict_sentiment, review_table, sentiment_before


def reviews_of(rows):
    table = pd.DataFrame(rows, columns=["item", "time"]).astype({"time": "datetime64[ns]"})
    return table.sort_values("time", kind="stable", ignore_index=True)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_a_planted_later_review_changes_nothing_and_an_earlier_one_does(seed):
    rng = np.random.default_rng(seed)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(1, 100, 30), unit="D")
    reviews = reviews_of({"item": rng.integers(0, 5, 30), "time": times})
    sentiment = rng.random(30)
    asked = pd.Timestamp("2024-02-20")
    items, when = np.arange(5), np.full(5, asked.to_datetime64())
    before = sentiment_before(reviews, sentiment, items, when)

    def planted(time):
        longer = pd.concat([reviews, pd.DataFrame({"item": [3], "time": [time]})], ignore_index=True)
        order = longer["time"].argsort(kind="stable").to_numpy()
        longer = longer.iloc[order].reset_index(drop=True)
        return sentiment_before(longer, np.append(sentiment, 50.0)[order], items, when)

    np.testing.assert_array_equal(planted(asked), before)  # at the same moment is too late
    np.testing.assert_array_equal(planted(asked + pd.Timedelta("1D")), before)
    assert planted(pd.Timestamp("2023-12-31"))[3] > before[3] if np.isfinite(before[3]) else True


def test_by_hand():
    reviews = reviews_of([(0, "2024-01-01"), (0, "2024-01-03"), (1, "2024-01-05")])
    when = pd.to_datetime(["2024-01-04", "2024-01-04", "2024-01-01"]).to_numpy()
    found = sentiment_before(reviews, np.array([1.0, 0.0, 0.9]), np.array([0, 1, 0]), when, prior_reviews=2)
    np.testing.assert_allclose(found[:2], [0.5, 0.5])
    assert np.isnan(found[2])  # nothing of any product was known
    with pytest.raises(SearchError, match="order of time"):
        sentiment_before(reviews[::-1], np.ones(3), np.array([0]), when[:1])


def test_words_of_reviews_tell_their_stars_to_a_later_time():
    reviews = review_table(demo_store.load().events)
    cut = reviews["time"].quantile(0.5)
    sentiment = predict_sentiment(reviews, cut)
    late = reviews["time"] >= cut
    good, bad = (sentiment[late & stars] for stars in (reviews["rating"] >= 4, reviews["rating"] <= 2))
    assert good.mean() > bad.mean() + 0.1
    with pytest.raises(SearchError, match="one class"):
        predict_sentiment(reviews, reviews["time"].min())
