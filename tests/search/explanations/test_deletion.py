"""The deletion test: explanations of MiniLM beat chance, one that is turned round does not."""

import numpy as np
import pytest

from recsys.search.errors import SearchError
from recsys.search.explanations import deletion
from recsys.search.explanations.deletion import deletion_curve
from recsys.search.graded import load_graded


@pytest.fixture(scope="module")
def pairs():
    """Twelve queries of the demo store with a title of the best grade each."""
    table = load_graded("demo_store").part("test")
    best = table[table["grade"] == table["grade"].max()].drop_duplicates("query").head(12)
    return best["query"].tolist(), best["title"].tolist()


@pytest.mark.parametrize("method", list(deletion.METHODS))
def test_explained_words_cost_more_than_words_drawn_by_lot(minilm, pairs, method):
    found = deletion_curve(minilm, *pairs, method, draws=5)
    assert found.gain.low > 0
    assert found.gain.difference == pytest.approx(found.areas["difference"].mean())
    # both curves start at the pair's cosine and end at that of an empty title
    for place in (0, -1):
        assert found.curves["explained"].iloc[place] == pytest.approx(
            found.curves["chance"].iloc[place], abs=1e-5
        )


def test_an_explanation_that_is_turned_round_is_found_out(minilm, pairs, monkeypatch):
    right = deletion.METHODS["occlusion"]
    wrong = lambda *pair: right(*pair).assign(share=lambda own: -own["share"])  # noqa: E731
    monkeypatch.setitem(deletion.METHODS, "turned", wrong)
    assert deletion_curve(minilm, *pairs, "turned", draws=5).gain.high < 0


def test_pairs_that_have_one_order_are_left_out(bert):
    found = deletion_curve(bert, ["lamp"] * 3, ["Desk lamp", "Lamp", "Red desk lamp"], draws=3)
    assert (len(found.areas), found.left_out) == (2, 1)
    again = deletion_curve(bert, ["lamp"] * 3, ["Desk lamp", "Lamp", "Red desk lamp"], draws=3)
    assert np.array_equal(found.curves, again.curves)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "no explanation 'magic'; there are occlusion, integrated gradients"),
        ({"titles": ["a b"]}, "2 queries need as many titles, got 1"),
        ({"draws": 0}, "1 or more draws, got 0"),
        ({"titles": ["a", "b"]}, "two pairs or more with two words"),
    ],
    ids=str,
)
def test_wrong_calls_are_refused(bert, options, message):
    with pytest.raises(SearchError, match=message):
        deletion_curve(bert, **{"queries": ["x", "y"], "titles": ["a b", "c d"]} | options)
