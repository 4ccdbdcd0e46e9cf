"""What holds for all of them: a fair table compares scorers that keep the same promises."""

import numpy as np
import pandas as pd
import pytest

from recsys.baselines.als import ALS
from recsys.baselines.bpr import BPR
from recsys.baselines.ease import EASE
from recsys.baselines.item_knn import ItemKNN
from recsys.baselines.popularity import Popularity
from recsys.metrics.ranking import evaluate, ranking_metrics
from tests.baselines.planted_blocks import ITEMS, USERS, planted_split

MAKERS = {
    "item_knn": ItemKNN,
    "newest_knn": lambda: ItemKNN(last_items=3),
    "ease": lambda: EASE(l2=10.0),
    "als": lambda: ALS(factors=8, weights="binary"),
    "bpr": lambda: BPR(factors=8, learning_rate=0.05, iterations=60),
}
SPLIT = planted_split()
EVERYBODY = np.arange(USERS)
every_baseline = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def scores_of(make, events, users=EVERYBODY, n_users=USERS):
    return make().fit(events, n_users, ITEMS).score(users)


def ndcg(model):
    return ranking_metrics(evaluate(model, SPLIT, ties="expected"))[0]["ndcg@10"]


@every_baseline
def test_two_circles_are_told_apart(make):
    popular = ndcg(Popularity().fit(SPLIT.train, USERS, ITEMS))
    assert ndcg(make().fit(SPLIT.train, USERS, ITEMS)) > 1.3 * popular


@every_baseline
def test_the_same_events_give_the_same_scores_in_any_order(make):
    scores = scores_of(make, SPLIT.train)
    assert scores.shape == (USERS, ITEMS)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores_of(make, SPLIT.train), scores)
    np.testing.assert_array_equal(scores_of(make, SPLIT.train.sample(frac=1, random_state=3)), scores)


@every_baseline
def test_duplicates_change_nothing(make):
    twice = pd.concat([SPLIT.train, SPLIT.train.iloc[::3]])
    np.testing.assert_array_equal(scores_of(make, twice), scores_of(make, SPLIT.train))


@every_baseline
def test_scores_do_not_depend_on_the_batch(make):
    model = make().fit(SPLIT.train, USERS, ITEMS)
    some = np.array([7, 3, 90])
    np.testing.assert_allclose(model.score(some), model.score(EVERYBODY)[some], rtol=1e-5, atol=1e-6)


@every_baseline
def test_a_user_without_history_has_defined_scores(make):
    scores = scores_of(make, SPLIT.train, np.array([USERS]), n_users=USERS + 1)
    assert np.isfinite(scores).all()
    if make is not MAKERS["bpr"]:
        assert not scores.any()


@every_baseline
def test_with_history_leaves_the_fitted_model_alone(make):
    model = make().fit(SPLIT.train, USERS, ITEMS)
    before = model.score(EVERYBODY)
    later = model.with_history(pd.concat([SPLIT.train, SPLIT.validation]))
    np.testing.assert_array_equal(model.score(EVERYBODY), before)
    np.testing.assert_array_equal(model.with_history(SPLIT.train).score(EVERYBODY), before)
    assert not (later.score(EVERYBODY) == before).all()


@every_baseline
def test_unknown_codes_are_refused(make):
    with pytest.raises(ValueError, match=f"item {ITEMS - 1}, but"):
        make().fit(pd.DataFrame({"user": [0], "item": [ITEMS - 1], "order": [0]}), USERS, ITEMS - 1)
    model = make().fit(SPLIT.train, USERS, ITEMS)
    with pytest.raises(ValueError, match="is unknown"):
        model.score(np.array([USERS]))
    with pytest.raises(ValueError, match="user -1, but"):
        model.with_history(pd.DataFrame({"user": [-1], "item": [0], "order": [0]}))
