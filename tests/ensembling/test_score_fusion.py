"""Fusion of scores: what must hold for any scores, and what was worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import rankdata

from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.score_fusion import convex, normalise, reciprocal_rank

SMOOTH = ("z_score", "min_max", "rank")
VALUE = st.integers(-50, 50).map(float)  # whole numbers: ties happen, and arithmetic is exact enough


@st.composite
def scores(draw, scorers=None, missing=True):
    shape = (scorers or draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 12)))
    value = VALUE | st.just(-np.inf) if missing else VALUE
    return draw(arrays.arrays(np.float64, shape, elements=value))


def order(row):
    return rankdata(-row, method="average")


@given(scores(), st.sampled_from(SMOOTH))
def test_one_scorer_keeps_its_order(stack, method):
    for fused in (convex(stack[:1], [1.0], method), reciprocal_rank(stack[:1])):
        for before, after in zip(stack[0], fused, strict=True):
            assert (order(before) == order(np.round(after, 9))).all()


@given(scores(scorers=2), st.sampled_from(SMOOTH))
def test_a_scorer_of_weight_zero_is_not_there(stack, method):
    assert (convex(stack, [1, 0], method) == convex(stack[:1], [1], method)).all()
    assert (reciprocal_rank(stack, weights=[1, 0]) == reciprocal_rank(stack[:1])).all()


@given(scores(), st.sampled_from(SMOOTH), st.randoms(use_true_random=False))
def test_the_order_of_scorers_and_of_candidates_plays_no_part(stack, method, random):
    weights = np.arange(1.0, len(stack) + 1)
    scorers, columns = list(range(len(stack))), list(range(stack.shape[2]))
    random.shuffle(scorers)
    random.shuffle(columns)
    for fuse in (lambda x, w: convex(x, w, method), lambda x, w: reciprocal_rank(x, weights=w)):
        straight, mixed = fuse(stack, weights), fuse(stack[scorers][:, :, columns], weights[scorers])
        np.testing.assert_allclose(straight[:, columns], mixed, rtol=1e-9, atol=1e-9)


@given(scores(), st.sampled_from(("z_score", "min_max")), st.floats(0.1, 50), st.integers(-100, 100))
def test_scale_and_origin_of_a_scorer_play_no_part(stack, method, factor, shift):
    np.testing.assert_allclose(
        normalise(stack * factor + shift, method), normalise(stack, method), rtol=1e-6, atol=1e-6
    )


@given(scores())
def test_ranks_see_the_order_alone(stack):
    assert (normalise(np.cbrt(stack), "rank") == normalise(stack, "rank")).all()
    np.testing.assert_array_equal(reciprocal_rank(np.cbrt(stack)), reciprocal_rank(stack))


@given(scores(), st.sampled_from(SMOOTH))
def test_what_nobody_offers_stays_out_and_nothing_else_does(stack, method):
    nobody = np.isneginf(stack).all(axis=0)
    for fused in (convex(stack, np.ones(len(stack)), method), reciprocal_rank(stack)):
        assert (np.isneginf(fused) == nobody).all()
        assert not np.isnan(fused).any()


@given(scores())
def test_a_better_score_never_costs_a_place(stack):
    # of one candidate, by one scorer: its own fused value may not fall (min-max and z-score move the others
    # too, so only the rank forms promise this)
    raised = stack.copy()
    raised[0, 0, 0] = 60.0
    offered = np.isfinite(stack[0, 0, 0])
    if offered:
        assert reciprocal_rank(raised)[0, 0] >= reciprocal_rank(stack)[0, 0]
        weights = np.ones(len(stack))
        assert convex(raised, weights, "rank")[0, 0] >= convex(stack, weights, "rank")[0, 0] - 1e-12


@given(scores(missing=False), st.floats(0, 100))
def test_reciprocal_ranks_have_known_bounds_and_a_fixed_sum_without_ties(stack, k):
    size, scorers = stack.shape[2], len(stack)
    fused = reciprocal_rank(stack, k)
    assert (fused <= scorers / (k + 1) + 1e-9).all()
    assert (fused >= scorers / (k + size) - 1e-9).all()
    distinct = stack + np.linspace(0, 0.5, size)
    total = scorers * sum(1 / (k + place) for place in range(1, size + 1))
    np.testing.assert_allclose(reciprocal_rank(distinct, k).sum(axis=1), total, rtol=1e-9)


@given(scores(missing=False))
def test_z_scores_have_mean_0_and_spread_1(stack):
    values = normalise(stack)
    np.testing.assert_allclose(values.mean(axis=-1), 0, atol=1e-9)
    spread = values.std(axis=-1)
    assert (np.isclose(spread, 1) | (np.ptp(stack, axis=-1) == 0)).all()


@given(scores(missing=False), st.integers(1, 12))
@settings(max_examples=50)
def test_moments_of_the_whole_row_make_its_top_what_the_whole_row_makes_it(stack, top):
    kept = np.where(order(stack[0, 0]) <= top, stack[0, :1], -np.inf)
    whole = normalise(stack[0, :1])
    own = normalise(kept, mean=stack[0, :1].mean(axis=1), spread=stack[0, :1].std(axis=1))
    there = np.isfinite(kept)
    np.testing.assert_allclose(own[there], whole[there], atol=1e-9)


def test_worked_by_hand():
    a, b = [[4.0, 2.0, 0.0, -np.inf]], [[-np.inf, 1.0, 3.0, 2.0]]
    # min-max: a = 1, .5, 0, (lowest) 0; b = (lowest) 0, 0, 1, .5
    np.testing.assert_allclose(convex([a, b], [3, 1], "min_max"), [[0.75, 0.375, 0.25, 0.125]])
    # ranks 1, 2, 3, none and none, 3, 1, 2
    expected = [[1 / 61, 1 / 62 + 1 / 63, 1 / 63 + 1 / 61, 1 / 62]]
    np.testing.assert_allclose(reciprocal_rank([a, b]), expected, rtol=1e-6)
    np.testing.assert_allclose(normalise(np.array([[5.0, 5.0, 1.0]]), "rank"), [[0.75, 0.75, 0.0]])


def test_constant_rows_say_nothing():
    flat, opinion = [[0.1, 0.1, 0.1]], [[0.0, 2.0, 1.0]]
    for method in SMOOTH:
        fused = convex(np.array([flat, opinion], np.float32), [9, 1], method)
        assert fused[0].argmax() == 1
        assert len(set(np.round(normalise(np.array(flat), method)[0], 6))) == 1


def test_float16_scores_are_fused_in_float32():
    stack = np.array([[[1, 2, 3]], [[3, 1, 2]]], np.float16)
    assert convex(stack, [1, 1]).dtype == reciprocal_rank(stack).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: convex([[[np.nan]]], [1]), "scores hold nan"),
        (lambda: reciprocal_rank([[[np.inf]]]), "scores hold inf"),
        (lambda: convex([[[1.0]]], [1, 2]), "1 scorers need 1 weights"),
        (lambda: convex([[[1.0]]], [0]), "not all 0"),
        (lambda: convex([[[1.0]], [[1.0]]], [1, -1]), "0 or more"),
        (lambda: convex([[[1.0]], [[1.0, 2.0]]], [1, 1]), "of one shape"),
        (lambda: convex([], []), "nothing to fuse"),
        (lambda: reciprocal_rank([[[1.0]]], k=-1), "0 or more"),
        (lambda: normalise(np.ones((1, 2)), "softmax"), "no normalisation 'softmax'"),
        (lambda: normalise(np.ones((1, 2)), mean=np.ones(1)), "together"),
    ],
)
def test_what_cannot_be_fused_is_said(call, words):
    with pytest.raises(EnsembleError, match=words):
        call()
