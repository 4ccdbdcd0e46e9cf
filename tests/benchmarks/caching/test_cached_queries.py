"""A cache in front of answers: who is asked, how often, and what is recorded."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from recsys.benchmarks import timing
from recsys.benchmarks.caching.cached_queries import WITH, WITHOUT, Catalogue, cache_metrics, time_with_cache
from recsys.benchmarks.caching.caches import Costs, simulate
from recsys.benchmarks.timing import Timing
from recsys.encoders.embed import embed_texts
from tests.benchmarks.clock import Clock
from tests.shop_texts import QUERIES, TITLES


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 4), st.integers(1, 12))
@tries(max_examples=40, deadline=None)
def test_only_misses_are_answered(numbers, entries, time_to_live):
    asked = []
    requests = [f"query {number}" for number in numbers]
    time_with_cache(lambda query: asked.append(query) or [query], requests, entries, time_to_live, rounds=2)
    hits = simulate(np.array(numbers), entries, Costs(0, 1, 1), time_to_live=time_to_live).hit_rate
    misses = round((1 - hits) * len(numbers))
    # one to warm up; then in each round all without, and the misses with a cache that is empty again
    assert len(asked) == 1 + 2 * (len(numbers) + misses)


def test_seconds_are_those_of_one_request(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    found = time_with_cache(lambda query: clock.takes(0.5) or ["found"], ["a"] * 50, 1, rounds=3)
    assert found.wall[WITHOUT].tolist() == pytest.approx([0.5] * 3)
    assert found.wall[WITH].tolist() == pytest.approx([0.5 / 50] * 3), "only the first of 50 is answered"


def test_the_catalogue_s_nearest(bert):
    vectors = embed_texts(bert, TITLES, precision="fp32")
    catalogue = Catalogue.of(bert, TITLES)
    found = catalogue.answer(QUERIES[0], k=3)
    scores = vectors @ embed_texts(bert, QUERIES[:1], precision="fp32")[0]
    assert found == [TITLES[row] for row in np.argsort(-scores, kind="stable")[:3]]


def test_what_a_run_records():
    wall = pd.DataFrame({WITHOUT: [2.0, 4.0, 4.0], WITH: [1.0, 1.0, 2.0]})
    stale = pd.DataFrame({"time_to_live": [10, 100], "hit_rate": [0.2, 0.6], "staleness": [0.0, 0.3]})
    found = cache_metrics(Timing(wall, wall, 1, 0.0), 0.4, stale, 100)
    shares = {"cache:timed_hit_rate": 0.4, "cache:hit_rate": 0.6, "cache:stale_share": 0.3}
    assert found == {"cache:time_ratio": 0.5} | shares
    with pytest.raises(KeyError):
        cache_metrics(Timing(wall, wall, 1, 0.0), 0.4, stale, 11)
