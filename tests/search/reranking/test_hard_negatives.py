"""Mined negatives are near, unjudged, and below the query's own good title."""

import pandas as pd
import pytest

from recsys.encoders.backbone import load_backbone
from recsys.search.errors import SearchError
from recsys.search.graded import load_graded
from recsys.search.reranking.hard_negatives import mine


def test_no_judged_pair_and_no_better_title_is_drawn():
    data = load_graded("demo_store")
    train = data.part("train")
    train = train[train["query"].isin(train["query"].unique()[:20])]
    found = mine(train, data.table["title"], load_backbone("random-bert", seed=0), skip=0, margin=0.0)
    assert len(found) > 5
    assert (found.groupby("query").size() <= 2).all()
    both = found.merge(train, on=["query", "title"])
    assert both.empty
    assert (found["grade"] == train["grade"].min()).all()
    assert set(found["query"]) <= set(train["query"])
    again = mine(train, data.table["title"], load_backbone("random-bert", seed=0), skip=0, margin=0.0)
    pd.testing.assert_frame_equal(found, again)


def test_ranks_that_hold_nothing_are_refused():
    with pytest.raises(SearchError, match="skip < depth"):
        mine(pd.DataFrame({"query": [], "title": [], "grade": []}), [], None, skip=50)
