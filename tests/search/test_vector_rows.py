"""Vectors in one block: what is found depends on what is there, not on how it came to be there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.search.vector_rows import VectorRows, sign_codes

WIDTH = 70  # more than one word of a code, and not a whole number of them


def unit(count, seed=0):
    drawn = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


POOL, QUERIES = unit(300), unit(5, seed=1)


def filled(ids):
    rows = VectorRows(WIDTH, signs=True)
    rows.put(np.array(ids, dtype=np.int64), POOL[ids])
    return rows


def test_codes_are_signs():
    codes = sign_codes(POOL[:3])
    assert codes.shape == (3, 2)
    bits = np.unpackbits(codes.view(np.uint8), axis=1)
    assert (bits[:, :WIDTH] == (POOL[:3] > 0)).all()
    assert (bits[:, WIDTH:] == 0).all()


@settings(max_examples=50)
@given(st.permutations(range(40)), st.integers(0, 39), st.integers(1, 60))
def test_order_and_history_play_no_part(order, gone, candidates):
    left = sorted(order[gone:])
    one, other = filled(list(order)), filled(left)
    one.remove(order[:gone])
    for query in QUERIES:
        found, again = (rows.nearest_by_signs(query, 5, candidates) for rows in (one, other))
        np.testing.assert_array_equal(found[0], again[0])
        np.testing.assert_array_equal(found[1], again[1])  # to the last bit
    ids, vectors = one.ordered()
    assert ids.tolist() == left
    np.testing.assert_array_equal(vectors, POOL[left])


def test_candidates_for_all_are_exact_and_few_are_nearly():
    rows = filled(list(range(300)))
    for query in QUERIES:
        wanted = np.argsort(-(POOL @ query))[:10]
        assert rows.nearest_by_signs(query, 10, 300)[0].tolist() == wanted.tolist()
        assert np.isin(rows.nearest_by_signs(query, 10, 150)[0], wanted).mean() >= 0.8


def test_memory_follows_what_is_there():
    rows = filled(list(range(300)))
    rows.remove(range(290))
    assert len(rows._ids) <= 4 * len(rows)
    np.testing.assert_array_equal(rows.of([295, 291]), POOL[[295, 291]])
    assert 5 not in rows
    with pytest.raises(KeyError):
        rows.remove([5])
