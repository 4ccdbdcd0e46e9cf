"""Every study answers on the demo store, list by list, and names differences that the policy knows."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from recsys.data.demo_store import store
from recsys.data.demo_store.constants import CANDIDATES, LIST_LENGTH
from recsys.runs.evidence.claims import load_claims
from recsys.search.errors import SearchError
from recsys.search.feedback.result_lists import result_lists
from recsys.search.studies.logged_lists import logged_lists
from recsys.search.studies.printed_formula import printed_faults
from recsys.search.studies.study import StudySettings, ask
from recsys.search.studies.whole_catalogue import _measures


def test_equal_scores_are_in_random_order():
    """BM25 gives most of a catalogue the score 0: the order of storage is no ranking."""
    judged = pd.DataFrame({"place": [1, 2], "grade": [3.0, 1.0]})
    found = _measures(np.zeros(40), judged, 3.0, 1.0)
    assert found["recall@10"] == pytest.approx(10 / 40)
    assert found["judged@10"] == pytest.approx(2 * (10 / 40) / 10)
    assert _measures(np.arange(40.0), judged, 3.0, 1.0)["recall@10"] == 0
    assert _measures(-np.arange(40.0), judged, 3.0, 1.0)["recall@10"] == 1


QUICK = StudySettings(backbone="random-bert", max_steps=2, repeats=1)
EXPECTED = {
    "cosine": "spearman:difference",
    "long_queries": "long:difference",
    "noise": "typos:difference",
    "active_learning": "active:difference",
    "whole_catalogue": "fused_recall@100:difference",
    "carried_weights": "carried_words:difference",
    "next_feedback": "auc_feedback:difference",
    "two_stages": "two_stages:difference",
    "review_sentiment": "sentiment:difference",
    "next_behaviour": "cart_purchase:difference",
    "purchase_sum": "sum_better:difference",
    "multi_task": "joint_click:difference",
    "grade_regression": "regression:difference",
    "late_interaction": "late:difference",
}


@cache
def asked(name):
    """Of the small store, where that has enough queries: of the whole one, three take half a minute each."""
    with pytest.MonkeyPatch.context() as patched:
        if name != "long_queries":
            patched.setattr(store.load, "__defaults__", (0, "small"))
        return ask(name, QUICK)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_answers_list_by_list(name):
    found = asked(name)
    assert found.lists.index.name == "list"
    assert found.lists.index.is_unique
    assert np.isfinite(found.lists[EXPECTED[name]]).all()
    assert found.metrics[EXPECTED[name]] == pytest.approx(found.lists[EXPECTED[name]].mean())
    assert len(found.table)


def test_every_criterion_reads_a_difference_that_its_study_makes():
    for claim in load_claims().claims:
        for criterion in claim.criteria if claim.experiment == "07_search_studies" else ():
            assert criterion.metric in asked(criterion.treatment["study"]).lists


def test_all_folds_are_asked_in_turn():
    found = ask("cosine", StudySettings(backbone="random-bert", fold=-1))
    alone = ask("cosine", StudySettings(backbone="random-bert", fold=1))
    assert set(alone.lists.index) < set(found.lists.index)
    assert len(found.table) == len(alone.table)
    with pytest.raises(SearchError, match="pointwise"):
        ask("noise", StudySettings(loss="pointwise"))


def test_the_log_is_divided_by_time_and_its_features_look_back():
    log = logged_lists("random-bert")
    ends = log.table.groupby("part")["time"].agg(["min", "max"])
    assert ends.loc["learning", "max"] <= ends.loc["choosing", "min"]
    assert ends.loc["choosing", "max"] <= ends.loc["judging", "min"]
    first = log.table.sort_values("time").drop_duplicates("user")
    clicks = log.shop.events[log.shop.events["kind"] == "click"].groupby("user")["time"].min()
    untouched = first[first["time"] <= first["user"].map(clicks)]
    assert (untouched["own"] == 0).all()


def test_every_list_in_random_order_is_kept():
    """A product that stands in its usual place by chance is no reason to leave a list out."""
    log = logged_lists("random-bert")
    shown = result_lists(log.shop.events)
    explored = shown["propensity"].groupby(shown["search"]).transform("min") < 0.1
    later = shown["time"] >= log.table["time"].min()
    assert set(log.table["search"]) == set(shown.loc[explored & later, "search"])
    # a list in random order has a product in its usual place as often as in any other
    usual = (log.table["propensity"] > 0.5).groupby(log.table["search"]).sum().mean()
    assert usual == pytest.approx(LIST_LENGTH / CANDIDATES, rel=0.1)


def test_what_is_printed_is_shown_wrong_and_mended():
    faults = printed_faults(logged_lists("random-bert")).set_index("erratum")
    assert faults.loc["f-vector-and-function", "as_printed"] > 1
    assert faults.loc["scales-of-s-and-f", "as_printed"] == 1 > faults.loc["scales-of-s-and-f", "mended"]
    assert faults.loc["feedback-before-display", "as_printed"] > 0.9
    assert faults.loc["feedback-before-display", "mended"] < 0.7
    assert faults.loc["no-user-in-score", "as_printed"] == 0 < faults.loc["no-user-in-score", "mended"]
    item = faults.loc["item-sentiment-as-user-feedback"]
    assert item["as_printed"] == 0 < item["mended"]
    assert faults.loc["same-symbol-text-and-vector", "as_printed"] > 1
