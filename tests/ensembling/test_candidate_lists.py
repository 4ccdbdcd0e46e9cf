"""Lists kept, brought together and ranked: the same places as the whole catalogue gives."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.ensembling.candidate_lists import candidate_lists, fused_positions, union, without_fillers
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.score_fusion import convex, normalise, reciprocal_rank
from recsys.metrics.ranking import rank_positions


class Fixed:
    def __init__(self, scores):
        self.scores = scores

    def score(self, users):
        return self.scores[users]


def world(seed, users=6, items=15, scorers=3, decimals=1):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=(scorers, users, items)), decimals)  # with ties
    seen = pd.DataFrame({"user": np.arange(users), "item": rng.integers(0, items, users)})
    target = (seen["item"] + rng.integers(1, items, users)) % items
    return scores, seen, pd.DataFrame({"user": np.arange(users), "item": target})


def test_what_fills_a_full_list_has_no_rank():
    """A scorer without an opinion lists the lowest codes, which are the popular ones."""
    rng = np.random.default_rng(0)
    knows, rows = rng.normal(size=(5, 1000)), np.arange(5)
    finds = np.where(rng.random((5, 1000)) < 0.03, rng.random((5, 1000)), 0)  # a kNN: most scores are 0
    pools = [
        union([candidate_lists(str(i), Fixed(one), rows) for i, one in enumerate(lists)])
        for lists in ([knows], [knows, np.ones((5, 1000))], [knows, finds])
    ]
    alone, constant, some = (
        np.take_along_axis(pool.ids, np.argsort(-reciprocal_rank(without_fillers(pool), 60), axis=1), axis=1)
        for pool in pools
    )
    np.testing.assert_array_equal(constant[:, :10], alone[:, :10])
    kept = np.isfinite(without_fillers(pools[2])[1]).sum(axis=1)
    np.testing.assert_array_equal(kept, (finds > 0).sum(axis=1))
    assert len(some) == 5
    few = union([candidate_lists("few", Fixed(np.ones((5, 20))), rows)])  # a whole catalogue fills nothing
    assert np.isfinite(without_fillers(few)).all()


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_whole_lists_give_the_places_of_the_whole_catalogue(seed):
    scores, seen, targets = world(seed)
    lists = [
        candidate_lists(str(i), Fixed(s), np.arange(6), seen, top=15, batch=4) for i, s in enumerate(scores)
    ]
    pool = union(lists)
    masked = scores.astype(np.float32)
    masked[:, seen["user"], seen["item"]] = -np.inf
    weights = [0.5, 0.3, 0.2]
    for whole, fused in (
        (convex(masked, weights), convex(pool.normalised(), weights, "none")),
        (reciprocal_rank(masked), reciprocal_rank(pool.scores)),
    ):
        expected = rank_positions(np.round(whole, 4), np.arange(6), targets, None)
        found = fused_positions(pool, np.round(fused, 4), targets)
        pd.testing.assert_frame_equal(found, expected)


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=40)
def test_short_lists_are_the_head_of_the_whole_ones(seed, top):
    scores, seen, targets = world(seed, scorers=1, decimals=6)
    pool = union([candidate_lists("one", Fixed(scores[0]), np.arange(6), seen, top=top)])
    found = fused_positions(pool, pool.scores[0], targets)
    whole = rank_positions(scores[0], np.arange(6), targets, seen)
    kept = whole["better"] < top
    pd.testing.assert_frame_equal(found[kept], whole[kept])
    assert (found.loc[~kept, "better"] == 15).all()


def test_z_scores_of_a_list_are_those_of_the_catalogue():
    scores, _, _ = world(3, decimals=6)
    pool = union([candidate_lists("one", Fixed(scores[0]), np.arange(6), None, top=4)])
    whole = np.take_along_axis(normalise(scores[0]), np.maximum(pool.ids, 0), axis=1)
    np.testing.assert_allclose(pool.normalised()[0], whole, rtol=1e-4, atol=1e-4)


def test_two_absent_targets_of_a_user_are_both_told():
    scores = np.arange(10.0)[None]
    pool = union([candidate_lists("one", Fixed(scores), np.array([0]), None, top=2)])
    targets = pd.DataFrame({"user": [0, 0, 0], "item": [1, 2, 9]})
    found = fused_positions(pool, pool.scores[0], targets)
    assert found["better"].tolist() == [10, 10, 0]


def test_lists_of_other_users_or_catalogues_are_refused():
    one = candidate_lists("one", Fixed(np.ones((3, 4))), np.arange(3))
    other = candidate_lists("other", Fixed(np.ones((3, 5))), np.arange(3))
    with pytest.raises(EnsembleError, match="other catalogues"):
        union([one, other])
    with pytest.raises(EnsembleError, match="different users"):
        union([one, one.of(np.array([0, 1]))])
    with pytest.raises(EnsembleError, match="at least one scorer"):
        union([])
    with pytest.raises(EnsembleError, match="no list of row 7"):
        one.of(np.array([7]))
    with pytest.raises(EnsembleError, match="no users"):
        candidate_lists("one", Fixed(np.ones((3, 4))), np.array([], dtype=int))
    with pytest.raises(EnsembleError, match="none of the targets"):
        fused_positions(union([one]), np.ones((3, 4)), pd.DataFrame({"user": [9], "item": [0]}))
