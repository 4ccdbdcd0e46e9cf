"""BM25 against its formula, and queries as people type them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.search.errors import SearchError
from recsys.search.lexical import LexicalIndex, words

TITLES = [
    "Cordless Drill 18V",
    "Drill Bit 1/2 in.",
    "Garden hose",
    "Cordless phone, black",
    "",
    "无线电钻 18V",
]


def test_bm25_is_its_formula():
    texts = ["a1 b1 b1", "b1 c1", "c1 c1 c1 d1"]
    index = LexicalIndex(texts, k1=1.5, b=0.75)
    lengths = np.array([3, 2, 4])
    norm = 1.5 * (1 - 0.75 + 0.75 * lengths / lengths.mean())
    counts = {"b1": np.array([2, 1, 0]), "c1": np.array([0, 1, 3])}
    # Lucene's form: no factor k1 + 1 in the numerator
    expected = sum(np.log(1 + (3 - 2 + 0.5) / (2 + 0.5)) * tf / (tf + norm) for tf in counts.values())
    np.testing.assert_allclose(index.scores("b1 c1"), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("one", "other"),
    [("54321", "54322"), ("99999", "100000"), ("hose 98765", "54321"), ("12000 btu", "12100 btu")],
)
def test_long_numbers_are_told_apart(one, other):
    """Printed with four digits they became 5.432, e and 04, which half of the long numbers share."""
    assert not {word for word in words(one) if word[0].isdigit()} & set(words(other))


def test_commas_of_thousands_are_no_parts():
    assert words("12,000 btu") == words("12000 btu") == ["12000", "btu"]
    assert words("1 1/3 ft") == words("1.333 ft")
    assert words("3,5 and 1,23") == ["3", "5", "1", "23"]


def test_the_fitting_title_is_first_and_the_empty_one_never():
    index = LexicalIndex(TITLES)
    assert index.scores("cordless drill 18v").argmax() == 0
    assert index.scores("0.5 inch drill bit").argmax() == 1
    assert index.scores("电钻").argmax() == 5
    assert index.scores("drill hose phone")[4] == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1/2 in. pipe", "0.5 inch pipe"),
        ('1 1/2" pipe', "1.5 inch pipe"),
        ("18 V drill", "18v drill"),
        ("5 gallons", "5 gal."),
        ("CAFÉ  Chair", "café chair"),
        ("drill-bit", "drill bit"),
        ("½ inch", "0.5 in"),
        ("the drill of a man", "drill man"),
    ],
)
def test_one_meaning_has_one_form(one, other):
    assert words(one) == words(other)


@given(st.text(max_size=200))
def test_any_text_is_words_or_nothing(text):
    found = words(text)
    assert all(word and not any(c.isspace() for c in word) for word in found)
    scores = LexicalIndex(TITLES).scores(text)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


@pytest.mark.parametrize("query", ["", "\0", "zzzz", "x" * 10**6, "😀", "'; DROP TABLE items; --", "1/0 in"])
def test_hostile_queries_find_nothing_and_break_nothing(query):
    assert LexicalIndex(TITLES).scores(query).max() == 0


def test_pair_scores_are_the_scores_of_pairs():
    index = LexicalIndex(TITLES)
    found = index.pair_scores(["drill", "hose", "drill"], [1, 2, 0])
    expected = [index.scores("drill")[1], index.scores("hose")[2], index.scores("drill")[0]]
    np.testing.assert_array_equal(found, expected)


def test_a_catalogue_without_words_is_refused():
    with pytest.raises(SearchError, match="has a word"):
        LexicalIndex(["", "!!"])
