"""Sentiment of reviews as feedback f, from reviews that existed when the list was requested.

A review is written days after the purchase: a later review than the ranked event would leak the future.
`sentiment_before` looks up a running mean by time, so that a later review cannot influence an earlier list.

R: reviews. n: requested rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from recsys.search.errors import SearchError

GOOD, BAD = 4, 2  # stars from which, and up to which, a review counts as Positive or Negative; between: O


def review_table(events: pd.DataFrame) -> pd.DataFrame:
    """Events with a review as rows item, text, rating, time (when it became known), by time."""
    rows = events[events["review"].notna() & events["review_time"].notna()]
    found = pd.DataFrame(
        {"item": rows["item"], "text": rows["review"], "rating": rows["rating"], "time": rows["review_time"]}
    )
    return found.sort_values("time", kind="stable", ignore_index=True)


def predict_sentiment(reviews: pd.DataFrame, until: pd.Timestamp) -> np.ndarray:
    """[R] probability that a review is Positive, by logistic regression on TF-IDF features.

    Args:
        reviews: from `review_table`.
        until: only reviews known before are used for training; O reviews are predicted, but not trained on.

    Raises:
        SearchError: the reviews before `until` do not contain both classes.
    """
    early = reviews[reviews["time"] < until]
    early = early[(early["rating"] >= GOOD) | (early["rating"] <= BAD)]
    label = early["rating"] >= GOOD
    if label.nunique() < 2:
        raise SearchError("the reviews before that time are all of one class: no sentiment can be learnt")
    model = make_pipeline(TfidfVectorizer(min_df=2, ngram_range=(1, 2)), LogisticRegression(max_iter=1000))
    model.fit(early["text"], label)
    return model.predict_proba(reviews["text"])[:, 1]


def sentiment_before(
    reviews: pd.DataFrame,
    sentiment: np.ndarray,
    items: np.ndarray,
    times: np.ndarray,
    prior_reviews: float = 5.0,
) -> np.ndarray:
    """[n] f: mean sentiment of an item's reviews known strictly before a time, shrunk towards the mean.

    Args:
        reviews: item and time, sorted by time. sentiment: [R].
        items, times: [n] requested items and times.
        prior_reviews: strength of the shrinkage, as a number of reviews with the mean of all reviews known
            before; f is NaN where no review of any product is known yet.

    Raises:
        SearchError: lengths differ, or the reviews are not in order of time.
    """
    if not (len(reviews) == len(sentiment) and len(items) == len(times)):
        raise SearchError("one sentiment a review, and one time an item, are needed")
    if not reviews["time"].is_monotonic_increasing:
        raise SearchError("the reviews are not in order of time: a later one could be taken for an earlier")
    when, times = reviews["time"].to_numpy(), np.asarray(times)
    running = np.r_[0.0, np.cumsum(sentiment)]
    known = np.searchsorted(when, times, side="left")  # strictly before
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known > 0, running[known] / known, np.nan)
    sums, counts = np.zeros(len(items)), np.zeros(len(items))
    rows_of = pd.Series(np.arange(len(reviews))).groupby(reviews["item"].to_numpy()).indices
    for item, asked in pd.Series(np.arange(len(items))).groupby(np.asarray(items)).indices.items():
        own = rows_of.get(item)
        if own is None:
            continue
        before = np.searchsorted(when[own], times[asked], side="left")
        counts[asked] = before
        sums[asked] = np.r_[0.0, np.cumsum(np.asarray(sentiment)[own])][before]
    return (sums + prior_reviews * mean) / (counts + prior_reviews)
