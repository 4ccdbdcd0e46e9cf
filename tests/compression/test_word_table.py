from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.compression.word_table import (
    SETTINGS,
    PieceTargets,
    TrainableTable,
    WordTable,
    first_table,
    pair_places,
    table_encoder,
    train_word_table,
)
from recsys.encoders.embed import embed_texts
from recsys.speed.artefact import words_of
from tests.shop_texts import AWKWARD, QUERIES, TITLES

TEXTS = QUERIES + TITLES
QUICK = replace(SETTINGS, epochs=30, batch_size=8)


@pytest.fixture(scope="module")
def start(bert):
    return first_table(bert)


@pytest.fixture(scope="module")
def targets(bert):
    return embed_texts(bert, TEXTS, precision="fp32")


def cosines(encoder, targets):
    return (encoder.encode(TEXTS) * targets).sum(axis=1)


def test_it_starts_from_the_teacher_s_vectors_of_single_pieces(bert, start):
    assert start.shape == (len(bert.tokenizer), bert.width)
    pieces = [bert.tokenizer.convert_ids_to_tokens(n) for n in range(len(start))]
    plain = [n for n, piece in enumerate(pieces) if bert.tokenizer(piece)["input_ids"][1:-1] == [n]][:40]
    expected = embed_texts(bert, [pieces[n] for n in plain], precision="fp32")
    kept = [n not in bert.tokenizer.all_special_ids for n in plain]
    assert sum(kept) > 5
    assert np.abs(start[plain] - expected)[kept].max() < 1e-5
    assert (start[bert.tokenizer.all_special_ids] == 0).all()


def test_training_brings_it_near_the_teacher(bert, start, targets):
    words = words_of(bert)
    before = cosines(table_encoder(WordTable(start, start[:0]), words), targets).mean()
    table, result = train_word_table(bert, TEXTS, targets, QUICK, pairs=256, start=start, progress=False)
    after = cosines(table_encoder(table, words), targets).mean()
    assert 1 - after < (1 - before) / 3
    assert result.history["loss"].iloc[-1] < result.history["loss"].iloc[0]
    assert table.pairs.shape == (256, bert.width)
    assert np.abs(table.pairs).max() > 0


def test_numpy_computes_what_was_trained(bert, start, targets):
    model = TrainableTable(start, 128)
    with torch.no_grad():
        model.pairs.weight.normal_(generator=torch.Generator().manual_seed(0))
    samples = PieceTargets(words_of(bert, 64), TEXTS, targets, 128)
    batch = samples.collate(np.arange(len(TEXTS)))
    assert (batch.pop("targets").numpy() == targets).all()
    expected = torch.nn.functional.normalize(model(**batch), dim=1).detach().numpy()
    found = table_encoder(model.table(), words_of(bert, 64)).encode(TEXTS)
    assert np.abs(found - expected).max() < 1e-5


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=6), min_size=1, max_size=5), st.integers(0, 9)
)
def test_a_vector_is_the_sum_of_its_own_rows(texts, rows):
    draw = np.random.default_rng(0)
    table = WordTable(draw.normal(size=(100, 4)), draw.normal(size=(rows, 4)))
    lengths = np.array([len(text) for text in texts])
    found = table(np.concatenate(texts).astype(np.int64), lengths)
    for text, vector in zip(texts, found, strict=True):
        expected = sum(table.words[piece] for piece in text)
        for pair in pairwise(text) if rows else ():
            expected = expected + table.pairs[pair_places(np.array(pair), np.array([2]), rows)[0][0]]
        assert np.allclose(vector, expected)


def test_pairs_know_the_order():
    forwards, backwards = (pair_places(np.array(ids), np.array([2]), 1 << 16)[0] for ids in ([5, 9], [9, 5]))
    assert forwards != backwards
    largest = np.full(2, 2**20)
    assert 0 <= pair_places(largest, np.array([2]), 1 << 16)[0][0] < 1 << 16


def test_it_takes_what_a_shop_has(bert, start, tmp_path):
    draw = np.random.default_rng(0)
    table = WordTable(start, draw.normal(size=(64, bert.width)).astype(np.float32))
    words = words_of(bert)
    encoder = table_encoder(table, words)
    vectors = encoder.encode(TEXTS + AWKWARD)
    assert vectors.shape == (len(TEXTS + AWKWARD), bert.width)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    table.save(tmp_path)
    again = table_encoder(WordTable.load(tmp_path), words)
    assert (again.encode(TEXTS) * encoder.encode(TEXTS)).sum(axis=1).min() > 1 - 1e-5
    assert encoder.encode(TEXTS[0]).shape == (bert.width,)


def test_what_does_not_fit_is_refused(bert, targets, start):
    with pytest.raises(ValueError, match="pairs must be at least 0"):
        train_word_table(bert, TEXTS, targets, pairs=-1, start=start)
    with pytest.raises(ValueError, match="targets must be"):
        train_word_table(bert, TEXTS[1:], targets, start=start)
    with pytest.raises(ValueError, match="of one width"):
        WordTable(np.zeros((5, 4)), np.zeros((5, 3)))
