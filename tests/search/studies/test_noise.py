"""Noise changes what it says it changes, in the same way for every scorer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.search.studies.noise import NOISES, SYNONYMS, noisy, synonyms, typed_errors, word_order


@given(st.text(max_size=40), st.integers(0, 99))
def test_any_query_survives_every_noise(query, seed):
    for change in NOISES.values():
        assert isinstance(change(query, np.random.default_rng(seed)), str)


@given(st.integers(0, 10_000))
def test_one_slip_in_the_longest_word(seed):
    words = typed_errors("a cordless tv drill", np.random.default_rng(seed)).split()
    assert (words[0], words[2], words[3]) == ("a", "tv", "drill")
    assert abs(len(words[1]) - len("cordless")) <= 1
    assert words[1][0] == "c"
    assert typed_errors("tv 18v", np.random.default_rng(seed)) == "tv 18v"


def test_synonyms_are_of_the_same_group_and_order_keeps_the_words():
    rng = np.random.default_rng(0)
    changed = synonyms("red Sofa", rng).split()
    assert changed[0] == "red"
    assert changed[1] in SYNONYMS["sofa"]
    assert sorted(word_order("one two three", rng).split()) == ["one", "three", "two"]


def test_a_query_is_changed_once_whatever_stands_beside_it():
    assert noisy(["big lamp", "x"], "typos", 3)[0] == noisy(["y", "big lamp", "big lamp"], "typos", 3)[2]
    with pytest.raises(KeyError):
        noisy(["x"], "loud", 0)


@given(st.text("abz 1", max_size=12), st.integers(0, 99), st.integers(0, 99))
def test_a_query_that_can_be_changed_always_is(query, one, other):
    for kind in NOISES:
        stays = [noisy([query], kind, seed)[0].split() == query.split() for seed in (one, other)]
        assert stays[0] == stays[1], kind
    words = query.split()
    assert (noisy([query], "order", one)[0].split() == words) == (len(set(words)) < 2)
