"""The index under additions and deletions, saved, damaged, and asked with another model."""

import json

import numpy as np
import pytest

from recsys.search.errors import SearchError
from recsys.search.vector_index import KINDS, MANIFEST, NO_PRODUCT, VECTORS, VectorIndex

WIDTH = 16


def vectors(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)


def filled(kind="flat", count=300):
    index = VectorIndex(WIDTH, "model 1", kind)
    index.add(np.arange(count), vectors(count))
    return index


def exact(ids, stored, queries, k):
    unit = stored / np.linalg.norm(stored, axis=1, keepdims=True)
    asked = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    scores = asked @ unit.T
    order = np.argsort(-scores, axis=1)[:, :k]
    return ids[order], np.take_along_axis(scores, order, axis=1)


def test_flat_is_exact():
    index, queries = filled(), vectors(20, seed=1)
    ids, scores = index.search(queries, 10)
    wanted, cosines = exact(np.arange(300), vectors(300), queries, 10)
    np.testing.assert_array_equal(ids, wanted)
    np.testing.assert_allclose(scores, cosines, atol=1e-5)


@pytest.mark.parametrize(("kind", "least"), [("hnsw", 0.95), ("ivf", 0.5)])
def test_the_others_are_nearly(kind, least):
    queries = vectors(20, seed=1)
    ids, _ = filled(kind).search(queries, 10)
    wanted, _ = exact(np.arange(300), vectors(300), queries, 10)
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(ids, wanted, strict=True)]) > least


@pytest.mark.parametrize("kind", KINDS)
def test_interleaved_adds_and_deletes_leave_what_a_new_index_holds(kind):
    rng = np.random.default_rng(2)
    index, there = VectorIndex(WIDTH, "m", kind), {}
    pool = vectors(2000, seed=3)
    index.add(np.arange(50), pool[:50])
    there |= dict(zip(range(50), pool[:50], strict=True))
    for step in range(200):
        new = rng.choice(2000, 10, replace=False)
        index.add(new, pool[new])  # some replace themselves
        there |= dict(zip(new.tolist(), pool[new], strict=True))
        gone = rng.choice(sorted(there), 8, replace=False)
        index.delete(gone)
        for one in gone.tolist():
            del there[one]
        if step % 40 == 0:
            ids, _ = index.search(vectors(3, seed=step), 5)
            assert set(ids.ravel().tolist()) <= set(there)
    assert len(index) == len(there)
    assert len(index._masked) <= max(0.25 * (len(there) + len(index._masked)), 1)  # memory is bounded
    rebuilt = VectorIndex(WIDTH, "m", kind)
    ids = np.array(sorted(there))
    rebuilt.add(ids, np.stack([there[i] for i in ids.tolist()]))
    np.testing.assert_allclose(index.vectors()[1], rebuilt.vectors()[1])
    queries = vectors(30, seed=9)
    found, again = index.search(queries, 10)[0], rebuilt.search(queries, 10)[0]
    if kind == "flat":
        np.testing.assert_array_equal(found, again)
    wanted, _ = exact(ids, rebuilt.vectors()[1], queries, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, wanted, strict=True)])
    assert recall > (0.9 if kind != "ivf" else 0.3)


@pytest.mark.parametrize("kind", KINDS)
def test_saved_and_loaded_it_answers_bit_equal(kind, tmp_path):
    index, queries = filled(kind), vectors(20, seed=4)
    index.save(tmp_path)
    loaded = VectorIndex.load(tmp_path, model="model 1", width=WIDTH)
    for one, other in zip(index.search(queries, 7), loaded.search(queries, 7), strict=True):
        np.testing.assert_array_equal(one, other)
    loaded.add([1000], queries[:1])
    assert loaded.search(queries[:1], 1)[0].item() == 1000


def test_what_does_not_fit_or_is_damaged_is_refused(tmp_path):
    filled().save(tmp_path)
    with pytest.raises(SearchError, match="asked for with 'model 2'"):
        VectorIndex.load(tmp_path, model="model 2")
    with pytest.raises(SearchError, match="width"):
        VectorIndex.load(tmp_path, width=8)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(SearchError, match="format 99"):
        VectorIndex.load(tmp_path)
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    content = bytearray((tmp_path / VECTORS).read_bytes())
    content[700] ^= 1
    (tmp_path / VECTORS).write_bytes(bytes(content))
    with pytest.raises(SearchError, match="checksum"):
        VectorIndex.load(tmp_path)
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(SearchError, match="damaged"):
        VectorIndex.load(tmp_path)
    with pytest.raises(SearchError, match="holds no index"):
        VectorIndex.load(tmp_path / "elsewhere")


def test_an_empty_index_finds_nothing_and_short_ones_say_so():
    index = VectorIndex(WIDTH, "m")
    assert (index.search(vectors(2), 3)[0] == NO_PRODUCT).all()
    index.add([5], vectors(1))
    ids, scores = index.search(vectors(1), 3)
    assert ids.tolist() == [[5, NO_PRODUCT, NO_PRODUCT]]
    assert np.isneginf(scores[0, 1:]).all()
    index.delete([5])
    assert len(index) == 0
    assert (index.search(vectors(1), 1)[0] == NO_PRODUCT).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda i: i.add([1, 1], vectors(2)), "once"),
        (lambda i: i.add([-1], vectors(1)), "0 or more"),
        (lambda i: i.add([1], np.ones((1, 3))), "other model or dimension"),
        (lambda i: i.add([1], np.full((1, WIDTH), np.nan)), "NaN"),
        (lambda i: i.add([1, 2], vectors(1)), "as many ids"),
        (lambda i: i.delete([10**6]), "not in the index"),
        (lambda i: i.search(vectors(1), 0), "at least 1"),
        (lambda i: VectorIndex(0, "m"), "width"),
        (lambda i: VectorIndex(3, "m", "tree"), "one of flat"),
    ],
)
def test_wrong_calls_are_said(call, words):
    with pytest.raises(SearchError, match=words):
        call(filled(count=5))
