import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.encoders.tokens import tokenise
from recsys.speed.artefact import words_of
from recsys.speed.word_pieces import WordPieces, rows_of
from tests.shop_texts import AWKWARD, QUERIES, TITLES


@pytest.mark.parametrize("name", ["bert", "gpt"])
def test_same_ids_as_transformers(name, request):
    backbone = request.getfixturevalue(name)
    texts = QUERIES + TITLES + AWKWARD[:3]
    expected = tokenise(backbone, texts, max_tokens=64)
    ids, lengths = words_of(backbone, 64)(texts)
    assert (ids == expected.ids).all()
    assert (lengths == expected.lengths).all()
    rows = np.array([3, 0, 7])
    words = words_of(backbone, 64)
    found = words.pad(rows_of(ids, lengths, rows), lengths[rows])
    for mine, theirs in zip(found, expected.take(rows), strict=True):
        assert (mine == theirs.numpy()).all()


def test_a_text_alone_has_the_ids_that_it_has_among_others(bert):
    words = words_of(bert)
    ids, lengths = words(AWKWARD + TITLES)
    for row, text in enumerate(AWKWARD + TITLES):
        alone, length = words([text])
        assert (alone == rows_of(ids, lengths, np.array([row]))).all()
        assert length == lengths[row]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.data())
def test_rows_of_takes_whole_texts(lengths, data):
    lengths = np.array(lengths)
    ids = np.repeat(np.arange(len(lengths)), lengths)  # each token names its text
    rows = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=8)), dtype=np.int64)
    assert (rows_of(ids, lengths, rows) == np.repeat(rows, lengths[rows])).all()


def test_saved_and_loaded(bert, tmp_path):
    words = words_of(bert, 17)
    words.save(tmp_path)
    again = WordPieces.load(tmp_path)
    for mine, theirs in zip(words(TITLES), again(TITLES), strict=True):
        assert (mine == theirs).all()
    assert again.max_tokens == 17


def test_no_string_is_named_by_its_row(bert):
    with pytest.raises(ValueError, match="text 1 is None, a NoneType"):
        words_of(bert)(["a", None])
