from dataclasses import replace

import pandas as pd
import pytest

from recsys.benchmarks import comparison
from recsys.benchmarks.comparison import BASELINE
from recsys.benchmarks.footprint import Footprint
from recsys.benchmarks.query_timing import time_queries, time_titles
from recsys.speed.choice import Texts
from recsys.speed.variants import VARIANTS
from tests.shop_texts import QUERIES, TITLES

TEXTS = Texts(TITLES + [f"{title} {n}" for n in range(3) for title in TITLES], QUERIES)


@pytest.fixture(scope="module")
def built(bert, tmp_path_factory):
    missing = replace(VARIANTS["eager"], name="needs-more", packages=("no-such-package",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "VARIANTS", {**VARIANTS, "needs-more": missing})
        names = ["packed-fp32", "onnx-int8", "needs-more"]
        return comparison.build_variants(bert, TEXTS, TITLES, names, cache=tmp_path_factory.mktemp("speed"))


def test_what_fails_is_in_the_table(built):
    assert list(built.encoders) == ["packed-fp32", "onnx-int8"]
    assert built.failing == {"needs-more": "ImportError: not installed: no-such-package"}
    queries = time_queries(built.timed, QUERIES[:2], rounds=1)
    titles = time_titles(built.timed, TITLES[:4], rounds=1)
    found = comparison.table(built, queries, titles, comparison.nearness(built))
    assert list(found.index) == [BASELINE, "packed-fp32", "onnx-int8", "needs-more"]
    assert found.loc["needs-more", "failing"].startswith("ImportError")
    assert found.loc["needs-more", ["query_ms", "overlap"]].isna().all()
    own = found.loc[BASELINE, ["query_speedup", "titles_speedup", "overlap"]].tolist()
    assert own == pytest.approx([1, 1, 1])  # a time ÷ itself, by way of its inverse
    exact = found.loc["packed-fp32"]
    assert exact["overlap"] == exact["overlap_query"] == exact["overlap_titles"] == 1
    assert exact["least"] == pytest.approx(1, abs=1e-5)
    assert exact["same_ranking"] == 1
    assert exact["bytes_ratio"] == pytest.approx(exact["megabytes"] / found.loc[BASELINE, "megabytes"])
    assert 0.9 < exact["bytes_ratio"] < 1.5
    assert (found["query_p99_ms"].dropna() >= found["query_ms"].dropna()).all()
    assert (found.loc[["packed-fp32", "onnx-int8"], "ready_seconds"] > 0).all()
    assert (
        found[["query_busy", "titles_busy", "query_speedup_cpu", "titles_speedup_cpu"]]
        .notna()
        .sum()
        .eq(3)
        .all()
    )
    assert (found["query_ms"].dropna() > 0).all()
    assert built.title_tokens.sum() > built.query_tokens.sum() >= len(QUERIES)
    limits = pd.DataFrame({"titles_per_second": [100.0]}, index=pd.Index(["fp32"], name="precision"))
    shares = comparison.against_limits(found, built, limits).set_index("variant")
    assert list(shares.index) == [BASELINE, "packed-fp32"]
    ratio = shares["tokens_per_second"] / shares["limit_tokens_per_second"]
    assert ratio["packed-fp32"] == pytest.approx(exact["titles_per_second"] / 100)
    assert exact["megabytes"] > found.loc["onnx-int8", "megabytes"] > 0


def test_memory_that_cannot_be_measured_costs_nothing_else(built, monkeypatch):
    def footprint(model, name, texts, cache):
        if name == "packed-fp32":
            raise RuntimeError("packed-fp32: the measuring process failed: killed")
        return Footprint(10.0, 50.0, 60.0)

    monkeypatch.setattr(comparison, "footprint", footprint)
    with pytest.warns(UserWarning, match="the measuring process failed: killed"):
        assert comparison.memory(built, "minilm").to_dict() == {"onnx-int8": 10.0}


def test_other_texts_to_calibrate_on_are_other_artefacts(bert, built, tmp_path):
    again = comparison.build_variants(bert, TEXTS, TITLES[1:], ["packed-fp32"], cache=tmp_path)
    same = comparison.build_variants(bert, TEXTS, TITLES, ["packed-fp32"], cache=tmp_path)
    assert again.cache != same.cache
    assert again.cache.parent == same.cache.parent == tmp_path
    assert same.cache.name == built.cache.name


def test_memory_is_of_the_variants_that_work(built, monkeypatch):
    asked = []

    def footprint(model, name, texts, cache):
        assert cache == built.cache
        asked.append((model, name, texts))
        return Footprint(10.0, 50.0, 50.0 + len(name))

    monkeypatch.setattr(comparison, "footprint", footprint)
    resident = comparison.memory(built, "minilm")
    assert asked == [("minilm", name, QUERIES) for name in ("packed-fp32", "onnx-int8")]
    times = time_queries(built.timed, QUERIES[:2], rounds=1)
    found = comparison.table(built, times, times, comparison.nearness(built, False), resident)
    assert found["memory"].dropna().to_dict() == {
        "packed-fp32": len("packed-fp32"),
        "onnx-int8": len("onnx-int8"),
    }


def test_unknown_variants_are_named(bert, tmp_path):
    with pytest.raises(ValueError, match=r"unknown variant fast; there are eager"):
        comparison.build_variants(bert, TEXTS, TITLES, ["fast"], cache=tmp_path)
