"""Diversity and steadiness on scorers whose likeness is known."""

import numpy as np
import pandas as pd
import pytest

from recsys.ensembling.candidate_lists import CandidateLists, union
from recsys.ensembling.diversity import diversity, overlap, what_diversity_predicts
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.seed_groups import affordable_seeds, disjoint_groups
from recsys.ensembling.steadiness import by_week, history_groups, perturbed, seed_steadiness, worst_group
from tests.ensembling.planted_pools import planted


def whole(name, scores):
    ids = np.argsort(-scores, axis=1).astype(np.int32)
    kept = np.take_along_axis(scores, ids, axis=1).astype(np.float32)
    moments = scores.mean(1).astype("f4"), scores.std(1).astype("f4")
    return CandidateLists(name, np.arange(len(scores)), ids, kept, *moments, scores.shape[1])


def test_a_scorer_agrees_with_itself_and_disagrees_with_its_opposite():
    scores = np.random.default_rng(0).normal(size=(50, 40))
    pool = union([whole("one", scores), whole("same", 3 * scores + 1), whole("opposite", -scores)])
    targets = pd.DataFrame({"user": np.arange(50), "item": np.arange(50) % 40})
    table = diversity(pool, targets).set_index(["first", "second"])
    same, opposite = table.loc[("one", "same")], table.loc[("one", "opposite")]
    assert same["rank_correlation"] == pytest.approx(1, abs=1e-5)
    assert same["overlap@10"] == 1
    assert same["error_correlation"] == pytest.approx(1)
    assert opposite["rank_correlation"] == pytest.approx(-1, abs=1e-5)
    assert opposite["overlap@10"] == 0
    assert same["both_miss"] + same["either_hits"] == pytest.approx(1)


def test_independent_errors_gain_and_shared_ones_do_not():
    pool, targets = planted(0, noises=(1.2, 1.2))
    gained = what_diversity_predicts(pool, targets)["gain"].item()
    twice, _ = planted(0, noises=(1.2,))
    again = union([whole("a", _dense(twice)), whole("b", _dense(twice))])
    assert gained > 0.03
    assert what_diversity_predicts(again, targets)["gain"].item() == pytest.approx(0, abs=1e-6)


def _dense(pool):
    scores = np.full((len(pool.rows), pool.n_items), -9.0)
    row, column = np.nonzero(np.isfinite(pool.scores[0]))
    scores[row, pool.ids[row, column]] = pool.scores[0, row, column]
    return scores


def test_overlap_counts_what_both_lists_have():
    first, second = np.array([[1, 2, 3], [1, -1, -1]]), np.array([[3, 9, 1], [2, 1, 4]])
    np.testing.assert_allclose(overlap(first, second), [2 / 3, 1])


def places(better):
    users = np.arange(len(better))
    return pd.DataFrame({"user": users, "item": users, "better": better, "equal": 0})


def test_steadiness_of_a_copy_is_perfect_and_of_a_coin_is_not():
    groups = pd.Series(np.arange(100) // 10, index=np.arange(100))
    lists = np.arange(1000).reshape(100, 10)
    hits = np.where(np.arange(100) % 2, 0, 99)
    steady = seed_steadiness([places(hits)] * 3, [lists] * 3, groups)
    assert (steady["sd"], steady["user_sd"], steady["overlap@10"]) == (0, 0, 1)
    assert steady["worst_group"] == pytest.approx(0.5)
    flipped = seed_steadiness([places(hits), places(99 - hits)], [lists, lists[::-1]], groups)
    assert flipped["sd"] == 0  # the mean hides it
    assert flipped["user_sd"] > 0.5
    assert flipped["overlap@10"] == 0


def test_groups_follow_the_popularity_of_histories():
    train = pd.DataFrame({"user": [0, 0, 1, 2, 3], "item": [5, 5, 5, 6, 5]})
    groups = history_groups(train, np.arange(5), groups=5)
    assert groups[4] == 0  # nothing known
    assert groups[2] == 1  # the rare item
    assert worst_group(pd.Series([1.0, 0.0], index=[0, 2]), groups) == 0
    with pytest.raises(EnsembleError, match="no group"):
        worst_group(pd.Series([1.0], index=[77]), groups)


def test_weeks_are_told_apart():
    test = pd.DataFrame(
        {"user": [0, 1], "item": [0, 1], "time": pd.to_datetime(["2020-01-01", "2020-01-10"])}
    )
    weeks = by_week(places(np.array([0, 99])), test)
    assert weeks.tolist() == [1.0, 0.0]
    with pytest.raises(EnsembleError, match="no times"):
        by_week(places(np.array([0])), test.drop(columns="time"))


def test_small_changes_are_small_and_leave_short_histories_alone():
    events = pd.DataFrame(
        {"user": [0] * 5 + [1, 1], "item": [1, 2, 3, 4, 5, 8, 9], "order": [0, 1, 2, 3, 4, 0, 1]}
    )
    newest, swap, drop = (perturbed(events, how) for how in ("newest", "swap", "drop"))
    assert newest.loc[newest["user"] == 0, "item"].tolist() == [1, 2, 3, 4]
    assert swap.loc[swap["user"] == 0, "item"].tolist() == [1, 2, 3, 5, 4]
    assert len(drop) == 6
    assert drop.loc[drop["user"] == 0, "item"].iloc[-1] == 5
    for changed in (newest, swap, drop):
        assert changed.loc[changed["user"] == 1, "item"].tolist() == [8, 9]
    with pytest.raises(EnsembleError, match="no change"):
        perturbed(events, "shuffle")


def test_seeds_are_dealt_into_disjoint_groups_that_can_be_paid():
    assert disjoint_groups(range(6), 2) == [(0, 1), (2, 3), (4, 5)]
    assert disjoint_groups(range(6), 4) == [(0, 1, 2, 3)]
    for wrong in (([0, 0], 1), ([0, 1], 3), ([0], 0)):
        with pytest.raises(EnsembleError, match="cannot deal"):
            disjoint_groups(*wrong)
    costs = {"big": 10.0, "small": 3.0}
    assert affordable_seeds(costs, ["big", "small"], "big") == 1
    assert affordable_seeds(costs, ["big", "big"], "big") == 2
    assert affordable_seeds(costs, ["big", "small"], "small") == 4
    with pytest.raises(EnsembleError, match="not known"):
        affordable_seeds(costs, ["other"], "big")
