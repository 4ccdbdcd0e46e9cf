import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from recsys.encoders.embed import embed_texts
from recsys.speed import choice, fast_encoder
from recsys.speed.choice import Texts, Trial, best, try_variants
from recsys.speed.variants import VARIANTS
from tests.shop_texts import AWKWARD, QUERIES, TITLES

SMALL = Texts(TITLES + [f"{title} {n}" for n in range(3) for title in TITLES], QUERIES)
EXACT = VARIANTS["packed-fp32"]
MISSING = replace(EXACT, name="needs-more", packages=("no-such-package",))
BROKEN = replace(EXACT, name="broken", builder="tests.speed.test_fast_encoder:breaks")


def breaks(backbone, folder, texts, **options):
    raise RuntimeError("this processor has no such instruction\nand much advice")


@pytest.fixture
def few_variants(monkeypatch):
    monkeypatch.setattr(fast_encoder, "VARIANTS", {v.name: v for v in (MISSING, BROKEN, EXACT)})


def test_what_fails_is_named_with_its_error(bert_source, tmp_path):
    lines = []
    trials = try_variants(
        bert_source, {v.name: v for v in (MISSING, BROKEN, EXACT)}, SMALL, tmp_path, lines.append
    )
    assert [trial.failing for trial in trials] == [
        "not installed: no-such-package",
        "RuntimeError: this processor has no such instruction",
        None,
    ]
    assert trials[2].overlap == 1
    assert trials[2].cosine == pytest.approx(1, abs=1e-5)
    assert min(trials[2].latency, trials[2].throughput, trials[2].megabytes) > 0
    assert "broken: fails: RuntimeError: this processor" in lines[1]


def test_the_fastest_above_the_floor():
    def trial(name, latency, throughput, overlap_low):
        return Trial(name, "int8", None, latency, throughput, overlap_low, overlap_low)

    trials = [
        trial("exact", 9, 9, 1.0),
        trial("near", 5, 6, 0.985),
        trial("bulk", 6, 2, 0.99),
        trial("rough", 1, 1, 0.9),
        Trial("broken", "fp32", failing="RuntimeError"),
    ]
    assert best(trials, "latency", 0.98) == "near"
    assert best(trials, "throughput", 0.98) == "bulk"
    assert best(trials, "latency", 0.995) == "exact"
    assert best(trials, "latency", 0.5) == "rough"
    rough = replace(trials[3], overlap_low_queries=0.99, overlap_low_titles=0.9)
    assert best([*trials[:3], rough], "latency", 0.98, "queries") == "rough", (
        "where titles keep their vectors"
    )
    with pytest.raises(ValueError, match=r"no variant reaches an overlap of 0.98"):
        best([rough], "latency", 0.98, "titles")
    with pytest.raises(
        ValueError, match=r"no variant reaches an overlap of 0.98 .*rough: query.*broken: fails"
    ):
        best(trials[3:], "latency", 0.98)


def test_chosen_once_and_then_loaded(bert, few_variants, tmp_path, capsys, monkeypatch):
    first = fast_encoder.fast_encoder(bert, "latency", texts=SMALL, cache=tmp_path)
    assert "packed-fp32: query" in capsys.readouterr().err
    monkeypatch.setattr(choice, "try_variants", None)
    monkeypatch.setattr(fast_encoder.artefact, "build", None)
    again = fast_encoder.fast_encoder(bert, "throughput", texts=SMALL, cache=tmp_path, workers=2)
    assert capsys.readouterr().err == ""
    assert (first.encode(TITLES) == again.encode(TITLES)).all()
    assert np.abs(first.encode(TITLES) - embed_texts(bert, TITLES, precision="fp32")).max() < 1e-5


def test_what_is_chosen_for_each_goal(bert, few_variants, tmp_path):
    found = fast_encoder.choices(bert, SMALL, cache=tmp_path)
    assert list(zip(found["goal"], found["sides"], strict=True)) == [
        ("latency", "queries"),
        ("latency", "both"),
        ("throughput", "titles"),
        ("throughput", "both"),
    ]
    assert (found["variant"] == "packed-fp32").all()
    assert (found["overlap_low"] == 1).all()
    assert (found[["query_ms", "titles_per_second", "load_seconds"]] > 0).all(axis=None)
    none = fast_encoder.choices(bert, SMALL, floor=1.5, cache=tmp_path)
    assert none["variant"].isna().all()
    with pytest.raises(ValueError, match="sides must be one of both, queries, titles, not 'left'"):
        fast_encoder.fast_encoder(bert, sides="left")


def test_half_a_list_of_trials_is_made_anew(bert, few_variants, tmp_path):
    fast_encoder.fast_encoder(bert, texts=SMALL, cache=tmp_path, progress=False)
    (file,) = tmp_path.rglob("trials-*.json")
    os.truncate(file, file.stat().st_size // 2)
    fast_encoder.fast_encoder(bert, texts=SMALL, cache=tmp_path, progress=False)
    assert len(choice.read(file)) == 3


@pytest.fixture(scope="module")
def encoder(bert, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return fast_encoder.fast_encoder(bert, variant="packed-fp32", texts=SMALL, cache=cache, workers=2)


def test_texts_of_all_kinds(bert, encoder):
    expected = embed_texts(bert, AWKWARD + TITLES, precision="fp32", max_tokens=512)
    # embed_texts looks at 20 characters a token only: the text of 3,000 letters is one unknown word to both
    assert np.abs(encoder.encode(AWKWARD + TITLES) - expected).max() < 1e-5


def test_ten_thousand_in_one_call(encoder):
    texts = [f"{QUERIES[n % 5]} {n % 700}" for n in range(10_000)]
    vectors = encoder.encode(texts)
    assert vectors.shape == (10_000, encoder.width)
    rows = np.arange(0, 10_000, 997)
    alone = np.stack([encoder.encode(texts[row]) for row in rows])
    assert np.abs(vectors[rows] - alone).max() < 1e-5


def test_two_threads_at_once(encoder):
    expected = {text: encoder.encode(text) for text in TITLES + QUERIES}
    with ThreadPoolExecutor(2) as pool:
        batches = [pool.submit(encoder.encode, TITLES) for _ in range(4)]
        single = list(pool.map(lambda text: (text, encoder.encode(text)), (TITLES + QUERIES) * 3))
    for text, vector in single:
        assert np.abs(vector - expected[text]).max() < 1e-6
    for batch in batches:
        assert np.abs(batch.result() - np.stack([expected[text] for text in TITLES])).max() < 1e-5


def test_wrong_arguments(bert, tmp_path):
    with pytest.raises(ValueError, match="goal must be"):
        fast_encoder.fast_encoder(bert, "speed")
    with pytest.raises(ValueError, match="floor must be"):
        fast_encoder.fast_encoder(bert, floor=1.1)
    with pytest.raises(ValueError, match=r"unknown variant 'x'; there are eager"):
        fast_encoder.fast_encoder(bert, variant="x")
