"""Rank correlation within lists, and a difference of two groups with its standard error."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from recsys.search.errors import SearchError
from recsys.search.studies.query_groups import group_influence, spearman


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_it_is_scipys_correlation_list_by_list(seed):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"list": rng.integers(0, 4, 60), "grade": rng.integers(0, 4, 60), "score": rng.integers(0, 9, 60)}
    )
    for key, value in spearman(table).items():
        own = table[table["list"] == key]
        assert value == pytest.approx(spearmanr(own["grade"], own["score"]).statistic, abs=1e-9)


def test_lists_that_have_no_order_are_left_out_and_a_constant_score_is_worth_nothing():
    table = pd.DataFrame({"list": list("aaabbbcc"), "grade": [1, 2, 3, 2, 2, 2, 1, 2], "score": 0.0})
    assert spearman(table).to_dict() == {"a": 0.0}
    with pytest.raises(SearchError, match="no list"):
        spearman(table[table["list"] != "a"])


def test_influences_have_the_difference_as_mean_and_its_error_as_spread():
    rng = np.random.default_rng(0)
    first = pd.Series(np.arange(4000) < 800)
    values = pd.Series(rng.normal(np.where(first, 1.0, 0.4), np.where(first, 0.5, 0.2)))
    found = group_influence(values, first)
    assert found.mean() == pytest.approx(values[first].mean() - values[~first].mean())
    independent = np.sqrt(values[first].var() / first.sum() + values[~first].var() / (~first).sum())
    assert found.std() / np.sqrt(len(found)) == pytest.approx(independent, rel=0.02)
    with pytest.raises(SearchError, match="fewer than two"):
        group_influence(values, pd.Series(np.arange(4000) < 1))
