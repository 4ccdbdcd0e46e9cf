"""Search data sets: groups that share a title, repeated pairs, and the counts of the real files."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.data import sources
from recsys.data.labelled.chorus_electronics import JUDGES, catalogue, judges
from recsys.data.labelled.crowdflower_search import groups_of
from recsys.data.labelled.dataset import labelled_split, load_labelled
from recsys.data.logs.open_bandit import load_impressions


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30))
def test_queries_with_a_common_title_are_one_group(pairs):
    queries, titles = (pd.Series([str(pair[side]) for pair in pairs]) for side in (0, 1))
    group = groups_of(queries, titles)
    for values in (queries, titles):
        for _, rows in values.groupby(values).groups.items():
            assert len(set(group[rows])) == 1
    assert len(set(group)) <= queries.nunique()


def test_crowdflower_as_counted(real_data):
    real_data(*(f"crowdflower_search/{number}-test.csv" for number in range(1, 11)))
    data = load_labelled("crowdflower_search")
    assert data.cleaning["rows read"] == 10_158
    assert data.table["query"].nunique() == 261
    assert data.group.nunique() == 204
    assert not data.table.duplicated(["query", "text_pair"]).any()
    assert data.table["label"].between(1, 4).all()
    assert (data.table["label"] % 1 != 0).sum() > 0  # averaged pairs
    parts = labelled_split(data, salt="a salt")
    assert not set(data.table["query"].iloc[parts["train"]]) & set(data.table["query"].iloc[parts["test"]])


def test_chorus_as_counted(real_data):
    real_data(*(f"chorus_electronics/{number}.json.zip" for number in range(1, 5)))
    source = sources.get("chorus_electronics")
    products = catalogue(source)
    assert len(products) == 19_406
    data = load_labelled("chorus_electronics")
    assert len(data) == 3_668
    assert data.group.nunique() == 135
    constant = data.table.groupby("group")["label"].nunique() == 1
    assert constant.sum() == 36
    table = judges(source)
    full = (table[list(JUDGES)].nunique(axis=1) == 1).mean()
    assert full == pytest.approx(0.71, abs=0.01)


@pytest.mark.parametrize("policy", ["random", "thompson"])
def test_open_bandit_as_counted(policy, real_data):
    real_data("open_bandit/random_men.csv", "open_bandit/bts_men.csv")
    table = load_impressions(policy)
    assert len(table) == 10_000
    assert table["position"].isin([0, 1, 2]).all()
    assert 0.003 < table["click"].mean() < 0.008
    if policy == "random":
        np.testing.assert_allclose(table["propensity"], 1 / 34)
    with pytest.raises(ValueError, match="policy must be"):
        load_impressions("greedy")
