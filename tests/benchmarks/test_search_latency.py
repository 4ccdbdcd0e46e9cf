"""The kit's engine beside the library's: the same products, told apart by time alone."""

from types import SimpleNamespace

import numpy as np
import pytest

from recsys.benchmarks import search_latency as latency
from recsys.benchmarks.search_latency import BACKENDS, KIT, Contenders, FlatSearch
from tests.benchmarks.clock import Clock

pytest.importorskip("sentence_transformers")


@pytest.fixture(scope="module")
def shop():
    catalogue, queries = latency.products("demo_store", 12)
    return catalogue.head(300), queries


@pytest.fixture(scope="module")
def engine(shop):
    engine, seconds = latency.timed_build(shop[0], "minilm", "packed-fp32", "signs")
    assert seconds > 0
    return engine


@pytest.fixture(scope="module")
def found(engine, shop):
    return latency.contenders(engine, "minilm", shop[1])


def test_products_and_queries_are_distinct(shop):
    assert shop[0]["id"].is_unique
    assert len(set(shop[1])) == 12
    assert latency.products("demo_store", 12, seed=1)[1] != shop[1]
    with pytest.raises(ValueError, match="at least 2"):
        latency.products("demo_store", 1)


def test_every_backend_works_or_says_why_not(found):
    assert found.flat.keys() | found.failing.keys() == BACKENDS.keys()
    assert not found.flat.keys() & found.failing.keys()
    assert "torch float32" in found.flat
    assert found.best in found.flat
    assert all(": " in why for why in found.failing.values())


def test_an_exact_query_finds_the_library_s_ten(found, shop):
    near = latency.overlaps(found, shop[1])
    assert near["meaning_overlap"] > 0.99
    assert near["fused_overlap"] > 0.99
    assert near["titles_cosine"] > 0.999


def test_saved_and_loaded_it_is_the_same(engine, shop):
    seconds, same = latency.reloaded(engine, shop[1])
    assert same
    assert seconds > 0


def test_the_record_has_both_sides_warm_and_cold(found, shop, monkeypatch):
    monkeypatch.setattr(latency, "CROWD", 1000)
    in_turns, disturbed = latency.warm(found, shop[1], rounds=2), latency.cold(found, shop[1])
    metrics, table = latency.summary(found, in_turns, disturbed)
    for name in (
        "query_ms",
        "query_p99_ms",
        "cold_query_ms",
        "cold_library_query_p99_ms",
        "library_query_ms",
    ):
        assert metrics[name] > 0
    assert metrics["query_ms"] <= metrics["query_p99_ms"]
    assert len(disturbed.wall) == len(shop[1])
    assert set(table["search"].dropna()) >= {KIT, found.best}
    steps = latency.steps(found.engine, shop[1]).set_index("step")["ms"]
    assert (steps[["encode", "nearest vectors", "whole answer"]] > 0).all()


def test_what_is_neither_encoding_nor_vectors_is_the_rest(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    engine = SimpleNamespace(
        texts=SimpleNamespace(queries=lambda queries: clock.takes(0.002)),
        vectors=SimpleNamespace(search=lambda vectors, k: clock.takes(0.001)),
        search=lambda query, k: clock.takes(0.007),
    )
    steps = latency.steps(engine, ["a", "b"]).set_index("step")["ms"]
    told = {"encode": 2, "nearest vectors": 1, "words, fusion, table": 4, "whole answer": 7}
    assert steps.to_dict() == pytest.approx(told)


def test_other_work_runs_before_every_cold_answer(monkeypatch):
    asked, worked = [], []
    monkeypatch.setattr(latency, "other_work", lambda: lambda: worked.append(len(asked)))
    own = Contenders(None, {}, {}, "library")
    both = {
        KIT: lambda text: asked.append((KIT, text)),
        "library": lambda text: asked.append(("library", text)),
    }
    monkeypatch.setattr(Contenders, "both", property(lambda self: both))
    latency.cold(own, ["a", "b"])
    assert worked == list(range(6))  # two searches; one query to warm up, two that count
    assert sorted(asked) == [(who, text) for who in (KIT, "library") for text in "aab"]


def test_a_flat_search_is_exhaustive():
    class Encoder:
        def encode(self, text, **_):
            return np.eye(4, dtype=np.float32)[int(text)]

    flat = FlatSearch(Encoder(), np.eye(4, dtype=np.float32))
    assert [flat.search(str(i), 1).item() for i in range(4)] == [0, 1, 2, 3]


def test_shared_counts_products():
    lists = {"q": ([1, 2, 3, 4], [4, 3, 9, 8])}
    one, other = (lambda query, i=i: np.array(lists[query][i]) for i in (0, 1))
    assert latency.shared(one, other, ["q"]) == 0.5
