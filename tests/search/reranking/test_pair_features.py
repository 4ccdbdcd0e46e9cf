"""Features of a pair's words: what is shared, what is nearly shared, and any text at all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recsys.search.reranking.pair_features import PairFeatures

TITLES = ["Cordless Drill 18V", "Drill Bit 1/2 in.", "Garden hose, 50 ft.", "Cordless phone"]
FEATURES = PairFeatures(TITLES)


def pair(query, title):
    return FEATURES.of([query], [title]).iloc[0]


def test_all_words_some_words_and_none():
    whole, half, none = (pair("cordless drill", title) for title in (TITLES[0], TITLES[3], TITLES[2]))
    assert whole["share"] == whole["rarity_share"] == whole["best_share"] == 1
    assert whole["rarity_missed"] == 0
    assert 0 < half["share"] < 1
    assert half["first_hit"] == 1
    assert half["last_hit"] == 0
    assert none["hits"] == 0
    assert none["best_share"] < half["best_share"] < 1


def test_an_order_and_a_number_tell():
    assert pair("cordless drill", TITLES[0])["in_order"] == 1
    assert pair("drill cordless", TITLES[0])["in_order"] == 0
    assert pair("18 v drill", TITLES[0])["numbers_hit"] == 1
    assert pair("20 v drill", TITLES[0])["numbers_hit"] == 0


def test_a_slip_of_the_keyboard_leaves_parts():
    slipped = pair("cordles dril", TITLES[0])
    assert slipped["hits"] == 0
    assert slipped["best_share"] > 0.6 > pair("garden hose", TITLES[0])["best_share"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_texts_have_finite_features(query, title):
    found = FEATURES.of([query, query], [title, "drill"])
    assert found.shape[0] == 2
    assert np.isfinite(found.to_numpy()).all()
    shares = found[["share", "rarity_share", "best_share", "letters_share"]].to_numpy()
    assert ((shares >= 0) & (shares <= 1 + 1e-9)).all()
