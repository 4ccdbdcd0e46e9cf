"""Times of queries and catalogues, with encoders whose seconds a made clock knows."""

import pandas as pd
import pytest

from recsys.benchmarks import query_timing
from recsys.benchmarks.query_timing import QueryTiming, query_tail, time_queries, time_titles
from recsys.benchmarks.timing import Timing
from tests.benchmarks.clock import Clock
from tests.shop_texts import QUERIES


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(query_timing, "time", clock)
    return clock


class Recorder:
    """Takes a millisecond of the clock for a query, or as long as is said of it."""

    def __init__(self, clock=None, **seconds):
        self.clock, self.seconds, self.asked = clock or Clock(), seconds, []

    def encode(self, texts, **_):
        self.asked.append(texts)
        self.clock.takes(self.seconds.get(texts, 0.001) if isinstance(texts, str) else 0)


def test_the_median_query_is_no_mean_and_the_tail_is_told(clock):
    fast, slow = Recorder(clock), Recorder(clock, **{QUERIES[0]: 0.05})
    timing = time_queries({"fast": fast, "slow": slow}, QUERIES, rounds=2)
    assert timing.wall["slow"].tolist() == pytest.approx([0.001, 0.001])
    assert timing.percentile(99)["slow"] > 0.02
    assert timing.percentile(99)["fast"] == pytest.approx(0.001)
    assert timing.single.shape == (2 * len(QUERIES), 2)
    assert fast.asked == slow.asked == 3 * QUERIES, (
        "all of one's queries in its turn, a round of warm-up first"
    )
    assert timing.table("fast").loc["slow", "speedup"] == pytest.approx(1)


def test_busy_is_of_mean_seconds_though_the_wall_is_of_the_median():
    """A slow query is in the processor's mean: beside the wall's median that would be more than there was."""
    single = pd.DataFrame({"a": [1.0, 1.0, 10.0]})
    timing = QueryTiming(pd.DataFrame({"a": [1.0]}), pd.DataFrame({"a": [4.0]}), 2, 0.0, single)
    assert timing.table("a").loc["a", "busy"] == 0.5


def test_times_of_titles_are_of_one(monkeypatch):
    seconds = pd.DataFrame({"a": [8.0]})
    monkeypatch.setattr(query_timing, "interleave", lambda *_, **__: Timing(seconds, seconds / 2, 1, 0.0))
    found = time_titles({"a": Recorder()}, QUERIES[:4])
    assert (found.wall == 2).all(axis=None)
    assert (found.process == 1).all(axis=None)


def test_the_tail_of_queries(clock):
    found = query_tail(Recorder(clock, **{QUERIES[0]: 0.05}), QUERIES)
    assert found["query_p50_ms"] == pytest.approx(1)
    assert 20 < found["query_p99_ms"] < 50
