"""Features of feedback look back: what is planted after a list leaves the list's features as they were."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.search.studies.joint_feedback import feedback_features
from recsys.search.studies.logged_lists import logged_lists

PRAISE = "Love it! The best I have owned, excellent, perfect, great quality."


@pytest.fixture(scope="module")
def log():
    return logged_lists("random-bert")


def planted(log, moment, **changes):
    """The same log with a purchase of every item reviewed at a moment."""
    purchases = log.shop.events[log.shop.events["kind"] == "purchase"]
    own = purchases.drop_duplicates("item").assign(review=PRAISE, rating=5.0, review_time=moment, **changes)
    events = pd.concat([log.shop.events, own], ignore_index=True)
    return replace(log, shop=replace(log.shop, events=events))


def test_a_later_review_changes_no_earlier_list(log):
    middle = log.part("judging")["time"].median()
    before = feedback_features(log)
    after = feedback_features(planted(log, middle, time=middle))
    early = (log.table.groupby("search")["time"].transform("min") <= middle).to_numpy()
    pd.testing.assert_frame_equal(before[early], after[early])
    # and it is no test that cannot fail: lists after it do see it
    late = before.loc[~early, "reviews"].to_numpy()
    assert (after.loc[~early, "reviews"].to_numpy() >= late).all()
    assert (after.loc[~early, "sentiment"] > before.loc[~early, "sentiment"]).mean() > 0.5


def test_features_are_finite_and_stand_by_the_views(log):
    found = feedback_features(log)
    assert len(found) == len(log.table) == len(log.products)
    assert np.isfinite(found.to_numpy(float)).all()
    assert found["user_clicks"].min() == 0
    np.testing.assert_allclose(log.products.sum(axis=1), log.table["match"], rtol=1e-4)
    views = log.shop.events.loc[log.table["view"]]
    assert (views["kind"] == "view").all()
    assert (views["item"].to_numpy() == log.table["item"].to_numpy()).all()
