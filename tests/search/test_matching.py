"""Graded data and matching on the demo store, with a small random encoder where one is trained."""

import json
from dataclasses import replace

import numpy as np
import pytest

from recsys.encoders.backbone import load_backbone
from recsys.search import matching
from recsys.search.errors import SearchError
from recsys.search.graded import load_graded
from recsys.search.matching import comparison_table, judge, match, training_pairs
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def data():
    return load_graded("demo_store")


def test_no_query_is_in_two_parts(data):
    lists = {name: set(data.part(name)["list"]) for name in data.parts}
    assert not lists["train"] & (lists["validation"] | lists["test"])
    assert not lists["validation"] & lists["test"]
    assert sum(map(len, data.parts.values())) == len(data.table)
    other = load_graded("demo_store", fold=1)
    assert set(other.part("test")["list"]) != lists["test"]


def test_words_beat_chance_and_the_combination_is_chosen_on_validation(data):
    found = match(data, ("random", "convex"), backbone="random-bert")
    table = comparison_table(data, found).set_index("method")
    assert set(table.index) == {"random", "bm25", "zero_shot", "convex"}
    assert table.loc["bm25", "ndcg@10_test"] > table.loc["random", "ndcg@10_test"] + 0.1
    assert table.loc["convex", "ndcg@10_validation"] >= table.loc["bm25", "ndcg@10_validation"] - 1e-9
    assert 0 <= found.alpha["convex"] <= 1
    drawn = judge(data, found.scores["random"])
    assert drawn.mean == pytest.approx(drawn.random_mean, abs=0.1)


def test_reciprocal_ranks_need_no_validation_and_stand_beside_the_article_s_measures(data):
    table = comparison_table(data, match(data, ("rrf",), backbone="minilm")).set_index("method")
    assert set(table.index) == {"bm25", "zero_shot", "rrf"}
    assert table.loc["rrf", "ndcg@10_test"] > table.loc[["bm25", "zero_shot"], "ndcg@10_test"].min()
    assert np.isnan(table.loc["rrf", "alpha"])
    assert table[["mrr", "recall@10", "accuracy", "recall", "f1"]].stack().between(0, 1).all()


def test_a_few_steps_of_tuning_run_and_move_the_scores(data):
    found = match(data, ("zero_shot", "tuned"), backbone="random-bert", max_steps=2)
    rows = data.parts["test"]
    assert np.isfinite(found.scores["tuned"][rows]).all()
    assert not np.allclose(found.scores["tuned"][rows], found.scores["zero_shot"][rows])


def test_mined_negatives_and_a_re_ranker_run_from_the_train_part_alone(data):
    rows = training_pairs(data, load_backbone("minilm"), mined=1)
    train = data.part("train")
    added = rows.iloc[len(train) :]
    assert len(added) > 20
    assert (added["grade"] == train["grade"].min()).all()
    assert set(added["query"]) <= set(train["query"])
    assert set(added["title"]) <= set(train["title"])
    found = match(data, ("reranked_convex",), backbone="random-bert", max_steps=2, mined=1)
    assert set(found.scores) == {"bm25", "reranked", "reranked_convex"}
    assert 0 <= found.alpha["reranked_convex"] <= 1
    assert np.isfinite(found.scores["reranked"][data.parts["test"]]).all()


def test_what_is_not_there_is_said(data):
    with pytest.raises(SearchError, match="no graded search data"):
        load_graded("beauty")
    with pytest.raises(SearchError, match="fold must be"):
        load_graded("demo_store", fold=5)
    with pytest.raises(SearchError, match="no method"):
        match(data, ("magic",))


def test_the_notebook_says_which_methods_cannot_learn_from_a_test_part(data):
    book = json.loads((ROOT / "notebooks" / "07_search_and_feedback_ranking.ipynb").read_text("utf-8"))
    (cell,) = [text for one in book["cells"] if "matching.match(" in (text := "".join(one["source"]))]
    none = np.empty(0, int)
    whole = {"train": none, "validation": none, "test": data.parts["test"]}
    names = {"data": replace(data, name="judged only", parts=whole), "matching": matching}
    names |= {"backbone": "random-bert", "loss": "order", "max_steps": 2, "seed": 0, "mined": 0}
    message = (
        "tuned_convex learns from graded pairs, and judged only has none.* random, bm25, zero_shot, rrf there"
    )
    with pytest.raises(SearchError, match=message):
        exec(cell, names | {"method": "tuned_convex"})
    names["method"] = "zero_shot"
    exec(cell, names)
    assert list(names["found"].scores) == ["random", "bm25", "zero_shot"]
