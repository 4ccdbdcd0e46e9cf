"""Ratios of two pipelines, from made runs: starting processes is `test_model_parallel`'s."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.benchmarks.resources import pipeline_comparison
from recsys.benchmarks.resources.model_parallel import PipelineRun
from recsys.benchmarks.resources.pipeline_comparison import compare_pipelines, pipeline_metrics, splits_of
from recsys.encoders.tokens import tokenise

TEXTS = ["a red chair", "a blue table of oak"]
VECTORS = np.eye(2, 64, dtype=np.float32)


@pytest.fixture
def asked(monkeypatch):
    """Runs that were asked for; two processes take half of the time and three quarters of the memory each."""
    calls = []

    def made(backbone, texts, splits, **options):
        calls.append((list(splits), options))
        several = len(splits) > 0
        stages = {"cpu": [2.0, 1.0], "resident_bytes": [60e6, 75e6], "waited": [0.0, 0.5]}
        one_process = {"cpu": [2.0], "resident_bytes": [100e6], "waited": [0.0]}
        seconds, latency = ([9.0, 1.0, 1.0], [0.03, 0.04, 9.0]) if several else ([2.0] * 3, [0.02] * 3)
        found = pd.DataFrame(stages if several else one_process)
        return PipelineRun(VECTORS, np.array(seconds), np.array(latency), 0.2 * several, found)

    monkeypatch.setattr(pipeline_comparison, "run_pipeline", made)
    return calls


def test_ratios_by_hand(bert, asked):
    found = compare_pipelines(bert, TEXTS, rounds=3, threads=1)
    assert [splits for splits, _ in asked] == [[], [1]]
    assert asked[0][1] == asked[1][1]
    assert {"rounds": 3, "threads": 1, "one_by_one": 2}.items() <= asked[0][1].items()
    assert found.index.tolist() == [1, 2]
    assert found["throughput"].tolist() == [1.0, 2.0]
    assert found["latency"].tolist() == pytest.approx([20.0, 40.0])
    tokens = tokenise(bert, TEXTS).lengths.sum()
    assert found["core_seconds"].tolist() == pytest.approx([2e6 / tokens, 3e6 / tokens])
    assert found["waiting"].tolist() == [0.0, 0.5]
    assert pipeline_metrics(found) == pytest.approx(
        {
            "pipeline:throughput_ratio": 2.0,
            "pipeline:latency_ratio": 2.0,
            "pipeline:core_seconds_ratio": 1.5,
            "pipeline:memory_ratio": 0.75,
            "pipeline:cosine": 1.0,
        }
    )


def test_both_ways_take_turns(bert, asked):
    found = compare_pipelines(bert, TEXTS, turns=3)
    assert [len(splits) + 1 for splits, _ in asked] == [1, 2, 2, 1, 1, 2]
    assert found["throughput"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("processes", [1, 3])
def test_there_are_layers_for_all(bert, asked, processes):
    with pytest.raises(ValueError, match="from 2 to the 2 layers"):
        compare_pipelines(bert, TEXTS, processes)
    assert asked == []


def test_one_process_has_nothing_to_compare():
    assert pipeline_metrics(pd.DataFrame()) == {}


@given(st.integers(1, 40), st.data())
def test_shares_are_even(layers, data):
    processes = data.draw(st.integers(1, layers))
    shares = [stop - start for start, stop in pairwise([0, *splits_of(layers, processes), layers])]
    assert sum(shares) == layers
    assert len(shares) == processes
    assert 1 <= min(shares) <= max(shares) <= min(shares) + 1
