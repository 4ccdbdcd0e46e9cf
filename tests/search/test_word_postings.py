"""Postings that follow a catalogue give the scores of an index built anew, to the last bit, and bm25s's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.search.lexical import LexicalIndex
from recsys.search.word_postings import WordPostings

WORDS = ["drill", "hose", "18v", "lamp", "red", "blue", "电", "1/2 in.", ""]
TITLES = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
QUERY = "red drill 18v 电 lamp 0.5 inch"


def built(texts):
    index = WordPostings()
    index.add(texts)
    return index


@given(st.lists(TITLES, min_size=1, max_size=12))
def test_scores_are_bm25s_s(texts):
    index = built(texts)
    scores = index.search(QUERY, 3)[1]
    if any(text.strip() for text in texts):
        np.testing.assert_allclose(scores, LexicalIndex(texts).scores(QUERY), rtol=1e-5, atol=1e-6)
    else:
        assert (scores == 0).all()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), TITLES, st.integers(0, 100)), min_size=1, max_size=40))
def test_after_any_changes_it_is_the_index_of_what_is_left(changes):
    index, there = WordPostings(), {}
    for adds, title, drawn in changes:
        if adds or not there:
            there[index.rows] = title
            index.add([title])
        else:
            row = sorted(there)[drawn % len(there)]
            index.delete([row], [there.pop(row)])
        rows = np.array(sorted(there), dtype=int)
        anew = built([there[row] for row in rows.tolist()]) if len(rows) else WordPostings()
        found, scores = index.search(QUERY, 3)
        again, wanted = anew.search(QUERY, 3)
        assert found.tolist() == rows[again].tolist()
        np.testing.assert_array_equal(scores[rows], wanted)  # to the last bit


@pytest.mark.parametrize("most", [1, 3, 50])
def test_the_best_are_the_best_and_of_equals_the_first(most):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["drill", "red", "lamp", "x1"], 3)) for _ in range(500)]
    found, scores = built(texts).search("red drill", most)
    order = np.lexsort((np.arange(500), -scores))[:most]
    assert found.tolist() == order.tolist()


def test_a_query_without_a_known_word_finds_nothing():
    found, scores = built(["red drill", ""]).search("zzz", 5)
    assert len(found) == 0
    assert scores.tolist() == [0.0, 0.0]
