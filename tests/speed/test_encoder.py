import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from recsys.speed.artefact import words_of
from recsys.speed.encoder import Encoder
from tests.shop_texts import QUERIES, TITLES


@pytest.fixture(scope="module")
def encoder(bert):
    """An engine that tells which texts it was given: [number of tokens, sum of ids, 1]."""
    seen = []

    def engine(ids, lengths):
        seen.append(len(lengths))
        assert (np.diff(lengths) <= 0).all()
        sums = np.add.reduceat(ids, np.cumsum(lengths) - lengths)
        return np.stack([lengths, sums, np.ones(len(lengths))], axis=1).astype(np.float32)

    found = Encoder(engine, words_of(bert), 3, unit_length=False)
    found.seen = seen
    return found


def test_rows_are_in_the_order_of_the_texts_and_equal_ones_computed_once(encoder):
    encoder.seen.clear()
    together = encoder.encode([*TITLES, *TITLES[:2]], batch_size=3)
    assert sum(encoder.seen) == len(TITLES)
    assert max(encoder.seen) == 3
    alone = np.stack([encoder.encode(text) for text in [*TITLES, *TITLES[:2]]])
    assert (together == alone).all()


def test_alone_whatever_the_batch_size(encoder):
    encoder.seen.clear()
    alone = Encoder(encoder.engine, encoder.words, 3, unit_length=False, one_at_a_time=True, workers=2)
    found = alone.encode(TITLES, batch_size=4)
    assert encoder.seen == [1] * len(TITLES)
    assert (found == encoder.encode(TITLES)).all()


def test_workers_give_the_same(encoder):
    parallel = Encoder(encoder.engine, encoder.words, 3, unit_length=False, workers=3, token_budget=20)
    texts = TITLES * 5 + QUERIES
    assert (parallel.encode(texts) == encoder.encode(texts)).all()


def test_forms_of_the_result(encoder):
    many = encoder.encode(TITLES)
    assert many.shape == (len(TITLES), 3)
    assert many.dtype == np.float32
    assert encoder.encode(TITLES[0]).shape == (3,)
    assert isinstance(encoder.encode(TITLES, convert_to_tensor=True), torch.Tensor)
    rows = encoder.encode(TITLES, convert_to_numpy=False)
    assert isinstance(rows, list)
    assert len(rows) == len(TITLES)
    assert encoder.encode([]).shape == (0, 3)
    unit = encoder.encode(TITLES, normalize_embeddings=True, truncate_dim=2, show_progress_bar=True)
    assert np.linalg.norm(unit, axis=1) == pytest.approx(1, abs=1e-6)
    assert unit.shape == (len(TITLES), 2)
    assert encoder.get_embedding_dimension() == 3


def test_what_is_no_text_is_refused(encoder):
    with pytest.raises(ValueError, match="text 2 is nan, a float"):
        encoder.encode(["a", "b", float("nan")])
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        encoder.encode(["a", "b"], batch_size=0)
    with pytest.raises(ValueError, match="truncate_dim must be from 1 to 3"):
        encoder.encode("a", truncate_dim=4)


def test_an_error_in_a_worker_is_raised(bert):
    def engine(ids, lengths):
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        Encoder(engine, words_of(bert), 3, workers=2, token_budget=10).encode(TITLES)


def test_clients_at_once(encoder):
    expected = {text: encoder.encode(text) for text in TITLES}
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda text: (text, encoder.encode(text)), TITLES * 20)
    assert all((vector == expected[text]).all() for text, vector in found)


def test_the_way_in_needs_neither_torch_nor_transformers():
    code = "import sys, recsys.speed.fast_encoder; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
