"""Settings are chosen on validation, from as many trials for every baseline."""

from dataclasses import replace
from inspect import signature

import numpy as np
import pytest

from recsys.baselines.candidates import BASELINES, candidate_settings
from recsys.baselines.item_knn import ItemKNN
from recsys.baselines.popularity import Popularity
from recsys.baselines.tuned import search
from recsys.metrics.ranking import evaluate, ranking_metrics
from tests.baselines.planted_blocks import planted_split

SPLIT = planted_split()
every_name = pytest.mark.parametrize("name", BASELINES)


@every_name
def test_candidates_begin_with_the_defaults(name):
    first = candidate_settings(name, 1)[0]
    defaults = {key: p.default for key, p in signature(BASELINES.load(name).make).parameters.items()}
    assert first == {key: defaults[key] for key in first}


@every_name
def test_candidates_are_the_same_every_time_and_only_grow(name):
    long = candidate_settings(name, 9, seed=4)
    assert len(long) == 9
    assert long[:5] == candidate_settings(name, 5, seed=4)
    assert long[1:] != candidate_settings(name, 9, seed=5)[1:]
    assert len({str(settings) for settings in long}) == 9
    for settings in long:
        BASELINES.load(name).make(**settings)  # all are accepted


def test_candidates_reach_over_their_ranges():
    settings = candidate_settings("ease", 17)[1:]
    assert min(s["l2"] for s in settings) < 2
    assert max(s["l2"] for s in settings) > 5000
    knn = candidate_settings("item_knn", 33)[1:]
    assert {s["last_items"] for s in knn} == {None, 1, 2, 5}
    assert {s["similarity"] for s in knn} == {"cosine", "jaccard"}


def test_candidates_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="no tuned baseline 'svd'"):
        candidate_settings("svd", 1)
    with pytest.raises(ValueError, match="at least one trial"):
        candidate_settings("als", 0)


def test_the_best_on_validation_is_kept():
    space = [{"neighbours": 1}, {"neighbours": 30}, {"neighbours": 3, "shrink": 0.0}]
    result = search(ItemKNN, space, SPLIT, metric="hr@7")
    by_hand = [
        ranking_metrics(
            evaluate(ItemKNN(**s).fit(SPLIT.train, SPLIT.n_users, SPLIT.n_items), SPLIT, "validation"), [7]
        )[0]["hr@7"]
        for s in space
    ]
    best = int(np.argmax(by_hand))
    np.testing.assert_allclose(result.trials["hr@7"], by_hand)
    assert result.best == space[best]
    assert result.model.neighbours == space[best]["neighbours"]
    assert np.flatnonzero(result.trials["chosen"]).tolist() == [best]
    assert (result.trials[["fit_seconds", "score_seconds"]] > 0).all(axis=None)


def test_the_test_part_is_not_read():
    result = search(ItemKNN, [{}, {"neighbours": 2}], replace(SPLIT, test=None))
    assert len(result.trials) == 2


def test_of_equals_the_first_is_kept():
    result = search(Popularity, [{"window": None}, {"window": None}], SPLIT, metric="mrr")
    assert result.trials["chosen"].tolist() == [True, False]


@every_name
def test_every_baseline_can_be_searched(name):
    result = search(BASELINES.load(name).make, candidate_settings(name, 2), SPLIT)
    assert result.trials["ndcg@10"].between(0, 1).all()


def test_a_search_without_sense_is_refused():
    with pytest.raises(ValueError, match="at least one setting"):
        search(ItemKNN, [], SPLIT)
    for metric in ("ndcg", "auc", "hr@0", "mrr@5", "ndcg@ten"):
        with pytest.raises(ValueError, match="metric must be"):
            search(ItemKNN, [{}], SPLIT, metric=metric)
