import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys.multimodal.features import FeatureError, Features
from recsys.multimodal.knock_outs import knocked_out, only, partly_missing, shapley_values


def features(n: int = 50, width: int = 4, seed: int = 0, missing: float = 0.2) -> Features:
    random = np.random.default_rng(seed)
    present = random.random(n) >= missing
    vectors = random.normal(3, 1, (n, width)).astype(np.float32)
    vectors[~present] = 0
    return Features("picture", vectors, present)


@given(st.integers(2, 60), st.integers(0, 5), st.floats(0, 0.9))
@settings(max_examples=30, deadline=None)
def test_shuffling_keeps_the_vectors_and_gives_nobody_their_own(n, seed, missing):
    one = features(n, seed=seed, missing=missing)
    other = knocked_out(one, "shuffled", seed)
    there = np.flatnonzero(one.present)
    assert (other.present == one.present).all()
    kept = {row.tobytes() for row in one.vectors[there]}
    assert {row.tobytes() for row in other.vectors[there]} == kept
    if len(there) > 1:
        assert not (other.vectors[there] == one.vectors[there]).all(axis=1).any()


def test_constant_and_noise_keep_the_mean_but_no_item():
    one = features(400)
    there = one.present
    constant = knocked_out(one, "constant")
    assert np.ptp(constant.vectors[there], axis=0).max() < 1e-5
    assert np.allclose(constant.vectors[there][0], one.vectors[there].mean(axis=0), atol=1e-4)
    noise = knocked_out(one, "noise")
    assert np.allclose(noise.vectors[there].mean(axis=0), one.vectors[there].mean(axis=0), atol=0.25)
    assert abs(np.corrcoef(noise.vectors[there][:, 0], one.vectors[there][:, 0])[0, 1]) < 0.2
    assert (noise.vectors[~there] == 0).all()


def test_only_the_rows_asked_for_are_touched():
    one = features(missing=0)
    rows = np.arange(20, 40)
    for kind in ("constant", "noise", "shuffled"):
        other = knocked_out(one, kind, rows=rows)
        assert (other.vectors[:20] == one.vectors[:20]).all()
        assert (other.vectors[rows] != one.vectors[rows]).any(axis=1).all()
    assert knocked_out(one, "missing", rows=rows).present.sum() == 30


def test_sparse_words_can_be_knocked_out_too():
    words = Features("words", sparse.random_array((30, 9), density=0.4, rng=0).tocsr(), np.ones(30, bool))
    for kind in ("constant", "noise", "shuffled", "missing"):
        assert knocked_out(words, kind).vectors.shape == (30, 9)
    with pytest.raises(FeatureError, match="no knock-out"):
        knocked_out(words, "swapped")


@given(st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_a_larger_share_hides_the_same_items_and_more(a, b):
    one = features()
    small, large = (partly_missing(one, share).present for share in sorted((a, b)))
    assert not (large & ~small).any()
    assert not partly_missing(one, 1.0).present.any()
    assert (partly_missing(one, 0.0).present == one.present).all()


@given(st.integers(1, 4), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_shapley_values_are_efficient_and_symmetric_and_ignore_a_dummy(count, seed):
    names = tuple("abcd"[:count])
    random = np.random.default_rng(seed)
    table = {}

    def value(subset):
        useful = tuple(name for name in subset if name != "d")  # d is a dummy
        return table.setdefault(useful, random.normal(size=3))

    shares = shapley_values(names, value)
    assert np.allclose(shares.sum(axis=1), value(names) - value(()), atol=1e-9)
    if "d" in names:
        assert np.allclose(shares["d"], 0)
    equal = shapley_values(("x", "y"), lambda subset: np.array([float(len(subset) > 0)]))
    assert equal.to_numpy().tolist() == [[0.5, 0.5]]


def test_only_hides_the_rest():
    both = {"a": features(), "b": features(seed=1)}
    seen = only(both, ("b",))
    assert not seen["a"].present.any()
    assert (seen["a"].vectors == 0).all()
    assert seen["b"] is both["b"]
