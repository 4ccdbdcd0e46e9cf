from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.metrics.judged_lists import judged_ndcg
from recsys.speed import comparison
from recsys.speed.choice import Texts
from recsys.speed.comparison import BASELINE
from recsys.speed.footprint import Footprint
from recsys.speed.variants import VARIANTS
from tests.speed.shop_texts import QUERIES, TITLES

TEXTS = Texts(TITLES + [f"{title} {n}" for n in range(3) for title in TITLES], QUERIES)


@pytest.fixture(scope="module")
def built(bert, tmp_path_factory):
    missing = replace(VARIANTS["eager"], name="needs-more", packages=("no-such-package",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "VARIANTS", {**VARIANTS, "needs-more": missing})
        names = ["packed-fp32", "packed-bf16", "needs-more"]
        return comparison.build_variants(bert, TEXTS, TITLES, names, cache=tmp_path_factory.mktemp("speed"))


def test_what_fails_is_in_the_table(built):
    assert list(built.encoders) == ["packed-fp32", "packed-bf16"]
    assert built.failing == {"needs-more": "ImportError: not installed: no-such-package"}
    queries = comparison.time_queries(built, rounds=1, queries=2)
    titles = comparison.time_titles(built, rounds=1, titles=4)
    found = comparison.table(built, queries, titles, comparison.nearness(built))
    assert list(found.index) == [BASELINE, "packed-fp32", "packed-bf16", "needs-more"]
    assert found.loc["needs-more", "failing"].startswith("ImportError")
    assert found.loc["needs-more", ["query_ms", "overlap"]].isna().all()
    own = found.loc[BASELINE, ["query_speedup", "titles_speedup", "overlap"]].tolist()
    assert own == pytest.approx([1, 1, 1])  # a time ÷ itself, by way of its inverse
    exact = found.loc["packed-fp32"]
    assert exact["overlap"] == exact["overlap_query"] == exact["overlap_titles"] == 1
    assert exact["least"] == pytest.approx(1, abs=1e-5)
    assert (found["query_ms"].dropna() > 0).all()
    assert built.title_tokens.sum() > built.query_tokens.sum() >= len(QUERIES)
    limits = pd.DataFrame({"titles_per_second": [100.0]}, index=pd.Index(["fp32"], name="precision"))
    shares = comparison.against_limits(found, built, limits).set_index("variant")
    assert list(shares.index) == [BASELINE, "packed-fp32"]
    ratio = shares["tokens_per_second"] / shares["limit_tokens_per_second"]
    assert ratio["packed-fp32"] == pytest.approx(exact["titles_per_second"] / 100)
    assert exact["megabytes"] > found.loc["packed-bf16", "megabytes"] > 0


def test_times_are_per_text(built, monkeypatch):
    seconds = pd.DataFrame({name: [8.0] for name in [BASELINE, *built.encoders]})
    timing = comparison.Timing(seconds, seconds / 2, threads=1, load=0.0)
    monkeypatch.setattr(comparison, "interleave", lambda *_, **__: timing)
    found = comparison.time_titles(built, titles=4)
    assert (found.wall == 2).all(axis=None)
    assert (found.process == 1).all(axis=None)


def test_the_tail_of_queries(built):
    found = comparison.query_tail(built.encoders["packed-fp32"], QUERIES)
    assert set(found) == {"query_p50_ms", "query_p99_ms"}
    assert 0 < found["query_p50_ms"] <= found["query_p99_ms"]
    several = comparison.query_tail(built.encoders["packed-fp32"], QUERIES, threads=2, rounds=1)
    assert several["two_clients_speedup"] > 0


def test_memory_is_of_the_variants_that_work(built, tmp_path, monkeypatch):
    asked = []

    def footprint(model, name, texts, cache):
        asked.append((model, name, texts))
        return Footprint(10.0, 50.0, 50.0 + len(name))

    monkeypatch.setattr(comparison, "footprint", footprint)
    resident = comparison.memory(built, "minilm", tmp_path)
    assert asked == [("minilm", name, QUERIES) for name in ("packed-fp32", "packed-bf16")]
    times = comparison.time_queries(built, rounds=1, queries=2)
    found = comparison.table(built, times, times, comparison.nearness(built, False), resident)
    assert found["memory"].dropna().to_dict() == {"packed-fp32": 11.0, "packed-bf16": 11.0}


def test_two_clients_ask_every_query_once():
    asked = []

    class Recorder:
        def encode(self, query, **_):
            asked.append(query)

    comparison.time_two_clients(Recorder(), QUERIES, rounds=1)
    # a round of warm-up and one that counts, of two ways each
    assert sorted(asked) == sorted(QUERIES * 4)


def test_a_search_that_lost_its_order_is_inferior(monkeypatch):
    """Home Depot's place is taken by a hundred made lists: an encoder is what orders them."""
    generator = np.random.default_rng(0)
    lists, grades = np.repeat(np.arange(100), 10), generator.integers(1, 4, 1000).astype(float)
    orders = {"right": grades, "same": 2 * grades, "blind": generator.random(1000)}

    def ndcg(encode_query, encode_title, part, most):
        return judged_ndcg(lists, grades, encode_query([""]))

    monkeypatch.setattr(comparison, "home_depot_ndcg", ndcg)

    class Encoder:
        def __init__(self, scores):
            self.scores = scores

        def encode(self, texts, normalize_embeddings, show_progress_bar):
            asked.append(self.scores is orders["right"])
            return self.scores

    asked: list[bool] = []
    encoders = {name: Encoder(scores) for name, scores in orders.items()}
    found = comparison.on_search(encoders.pop("right"), encoders)
    assert found.loc[BASELINE, "ndcg@10"] == 1
    assert bool(found.loc["same", "holds"])
    assert not found.loc["blind", "holds"]
    assert asked == [True, False, False]
    assert found.loc["blind", "margin"] == pytest.approx(0.1 * (1 - found.loc["blind", "random"]))


def test_unknown_variants_are_named(bert, tmp_path):
    with pytest.raises(ValueError, match=r"unknown variant fast; there are eager"):
        comparison.build_variants(bert, TEXTS, TITLES, ["fast"], cache=tmp_path)
