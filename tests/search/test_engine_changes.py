"""Ten thousand additions and deletions between queries: the engine is the one built anew, and no larger."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from recsys.search.engine import GONE_ROWS, GONE_SHARE, SearchEngine
from recsys.search.errors import SearchError
from recsys.search.text_vectors import TextVectors

WIDTH = 32
WORDS = ["drill", "hose", "lamp", "rug", "red", "blue", "18v", "steel", "wall", "desk", "1/2 in.", "灯"]


def vectors(texts, progress=False):
    """A vector a text, by its digest: an encoder that costs nothing."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) for text in texts]
    drawn = np.stack([np.random.default_rng(seed).normal(size=WIDTH) for seed in seeds]).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


TEXTS = TextVectors("digest", "digest 1", WIDTH, vectors, vectors, "plain", "plain")


def title(rng):
    return " ".join(rng.choice(WORDS, rng.integers(1, 6)))


def test_ten_thousand_changes_between_queries():
    rng = np.random.default_rng(7)
    shop = {f"p{i}": title(rng) for i in range(700)}
    engine = SearchEngine.of(pd.DataFrame({"id": list(shop), "title": list(shop.values())}), TEXTS)
    for step in range(10_000):
        if rng.random() < (0.5 if len(shop) > 600 else 0.8):
            one = f"p{rng.integers(0, 1400)}"  # new, or one that is replaced
            shop.pop(one, None)
            shop[one] = title(rng)
            engine.add(pd.DataFrame({"id": [one], "title": [shop[one]]}))
        else:
            one = list(shop)[rng.integers(len(shop))]
            del shop[one]
            engine.delete([one])
        if step % 10 == 0:
            assert set(engine.search(title(rng), 5)["id"]) <= shop.keys()
        if step % 1000 == 999:
            anew = SearchEngine.of(pd.DataFrame({"id": list(shop), "title": list(shop.values())}), TEXTS)
            for query in (title(rng) for _ in range(20)):
                pd.testing.assert_frame_equal(engine.search(query), anew.search(query), check_exact=True)
            pd.testing.assert_frame_equal(engine.catalogue, anew.catalogue)
            gone = engine._catalogue.rows - len(engine)
            assert gone <= max(GONE_ROWS, GONE_SHARE * engine._catalogue.rows)
            assert engine._words.rows == engine._catalogue.rows
            assert len(engine.vectors) == len(engine._words._alive.nonzero()[0]) == len(shop)


def test_all_of_it_can_go_and_come_back():
    engine = SearchEngine.of(pd.DataFrame({"id": ["a", "b"], "title": ["red lamp", "drill"]}), TEXTS)
    engine.delete(["a", "b", "a"])
    assert len(engine) == 0
    assert engine.search("lamp").empty
    with pytest.raises(SearchError, match="no product 'a'"):
        engine.delete(["a"])
    engine.add(pd.DataFrame({"id": ["c"], "title": ["red lamp"]}))
    assert engine.search("lamp")["id"].tolist() == ["c"]


def test_an_answer_that_is_kept_names_the_same_products_after_a_save(tmp_path):
    titles = [f"red lamp {i}" for i in range(30)]
    engine = SearchEngine.of(pd.DataFrame({"id": titles, "title": titles}), TEXTS)
    engine.delete(titles[:10])
    first = engine.search("red lamp 20")
    engine.save(tmp_path)  # numbers the rows anew
    pd.testing.assert_frame_equal(engine.search("red lamp 20"), first, check_exact=True)


def test_a_deletion_that_fails_takes_nothing_out():
    engine = SearchEngine.of(pd.DataFrame({"id": ["a", "b"], "title": ["red lamp", "drill"]}), TEXTS)
    with pytest.raises(SearchError, match="no product 'x'"):
        engine.delete(["a", "x"])
    assert sorted(engine.search("lamp")["id"]) == ["a", "b"]


@pytest.mark.parametrize("kind", ["signs", "flat", "hnsw", "ivf"])
def test_a_saved_engine_answers_bit_equal(kind, tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"id": [f"p{i}" for i in range(300)], "title": [title(rng) for _ in range(300)]})
    engine = SearchEngine.of(table, TEXTS, kind)
    engine.delete(["p7", "p250"])
    engine.save(tmp_path)
    monkeypatch.setattr("recsys.search.engine.text_vectors", lambda *_: TEXTS)
    loaded = SearchEngine.load(tmp_path)
    for query in (title(rng) for _ in range(20)):
        pd.testing.assert_frame_equal(engine.search(query), loaded.search(query), check_exact=True)
    np.testing.assert_array_equal(engine.vectors.vectors()[1], loaded.vectors.vectors()[1])


def test_one_id_is_one_id_and_a_number_is_its_text():
    """`delete("12")` took out the products "1" and "2"."""
    ids = ["1", "2", "12", "7"]
    engine = SearchEngine.of(pd.DataFrame({"id": ids, "title": ["red lamp"] * 4}), TEXTS)
    engine.delete("12")
    assert engine.catalogue["id"].tolist() == ["1", "2", "7"]
    engine.delete(7)
    engine.delete([np.int64(1)])
    assert engine.catalogue["id"].tolist() == ["2"]


def test_the_first_products_are_the_same_however_many_are_asked_for():
    """z-scores over more candidates had changed the order of the first ten."""
    rng = np.random.default_rng(3)
    titles = [f"{title(rng)} {i}" for i in range(900)]
    engine = SearchEngine.of(pd.DataFrame({"id": map(str, range(900)), "title": titles}), TEXTS)
    for query in ("red drill", "18v steel wall", "desk"):
        whole = engine.search(query, 900)
        assert len(whole) == 900
        assert whole["id"].is_unique
        for k in (1, 10, 101, 300):
            pd.testing.assert_frame_equal(engine.search(query, k), whole.iloc[:k], check_exact=True)


def test_endless_lists_are_not_kept():
    titles = [f"red lamp {i}" for i in range(300)]
    engine = SearchEngine.of(pd.DataFrame({"id": titles, "title": titles}), TEXTS)
    engine.search("red lamp", 300)
    assert len(engine._answers) == 0
    engine.search("red lamp", 10)
    assert len(engine._answers) == 1
