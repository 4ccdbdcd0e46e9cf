"""Explanations of one result: shares sum to what they explain, and the words that are named matter."""

import numpy as np
import pytest

from recsys.plots.search import plot_word_shares
from recsys.search.bi_encoder import pair_cosines
from recsys.search.errors import SearchError
from recsys.search.explanations.parts import parts
from recsys.search.explanations.words import integrated_gradients, occluded
from recsys.search.ranking import rank_scores

QUERY, TITLE = "cordless drill 18v", "Red cordless hammer drill (1/2 in.)"


@pytest.mark.parametrize("normalisation", ["z_score", "min_max", "rank"])
def test_the_two_parts_sum_to_s(normalisation):
    match, feedback = np.array([0.9, 0.5, 0.1, 0.4]), np.array([0.0, np.nan, 0.5, 0.1])
    for alpha in (0.0, 0.3, 1.0):
        table = parts(match, feedback, alpha, normalisation)
        whole = rank_scores(np.zeros(4), match, feedback, alpha, normalisation)
        assert (table["match"] + table["feedback"]).to_numpy() == pytest.approx(whole)
    assert set(parts(match, feedback, 1.0)["decides"]) == {"match"}
    assert parts(match, feedback, 0.1)["decides"].iloc[2] == "feedback"
    with pytest.raises(SearchError, match="differ in length"):
        parts(match, feedback[:2], 0.5)


@pytest.mark.parametrize("side", ["title", "query"])
def test_occlusion_is_the_change_of_the_cosine(bert, side):
    table = occluded(bert, QUERY, TITLE, side)
    assert table["word"].tolist() == (TITLE if side == "title" else QUERY).split()
    changed = (QUERY, TITLE.replace("Red ", "")) if side == "title" else ("drill 18v", TITLE)
    before, after = pair_cosines(bert, [QUERY, changed[0]], [TITLE, changed[1]])
    assert table["share"].iloc[0] == pytest.approx(before - after, abs=5e-3)  # these in bfloat16


@pytest.mark.parametrize("model", ["bert", "gpt", "minilm"])
@pytest.mark.parametrize("side", ["title", "query"])
def test_shares_sum_to_the_difference_from_the_baseline(request, model, side):
    backbone = request.getfixturevalue(model)
    found = integrated_gradients(backbone, QUERY, TITLE, side)
    assert found.words["word"].tolist() == (TITLE if side == "title" else QUERY).split()
    assert found.words["share"].sum() == pytest.approx(found.score - found.baseline, abs=1e-2)
    assert found.residual <= 0.01
    assert found.score == pytest.approx(pair_cosines(backbone, [QUERY], [TITLE])[0], abs=5e-3)
    assert not backbone.training
    assert all(own.grad is None for own in backbone.parameters())


def test_the_word_that_fits_has_the_largest_share(minilm):
    for method in (occluded, lambda *pair: integrated_gradients(*pair).words):
        table = method(minilm, "desk lamp", "Red lamp for children")
        assert table["word"][table["share"].idxmax()] == "lamp"
    with pytest.raises(SearchError, match="take more steps than 1"):
        integrated_gradients(minilm, QUERY, TITLE, steps=1, tolerance=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((" ", TITLE, "query"), "has no word"),
        ((QUERY, "", "title"), "has no word"),
        ((QUERY, TITLE, "both"), "side is title or query"),
    ],
)
def test_what_cannot_be_explained_is_said(bert, arguments, message):
    for method in (occluded, integrated_gradients):
        with pytest.raises(SearchError, match=message):
            method(bert, *arguments)


def test_a_baseline_that_is_not_there_is_said(bert):
    with pytest.raises(SearchError, match="no piece for baseline 'zero'"):
        integrated_gradients(bert, QUERY, TITLE, baseline="zero")
    assert integrated_gradients(bert, QUERY, TITLE, baseline="unknown").residual <= 0.01


def test_strange_words_have_a_bar_each(bert):
    text = "lamp lamp 台灯 $5 a$ \x07"
    shares = {"occlusion": occluded(bert, "lamp", text)}
    shares["integrated gradients"] = integrated_gradients(bert, "lamp", text).words
    axes = plot_word_shares(shares)
    assert len(axes.get_yticklabels()) == 6
    assert len(axes.patches) >= 12
    axes.figure.canvas.draw()
