"""Measures the time of a query with a result cache, instead of computing it from the hit rate (004 Q4).

Time is counted in requests, as in `recsys.benchmarks.caching.caches`.

N: titles. D: width. r: requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.benchmarks.timing import Timing, interleave
from recsys.encoders.backbone import Backbone
from recsys.encoders.embed import embed_texts
from recsys.search.query_cache import TimedLruCache
from recsys.speed.quality import nearest

Answer = Callable[[str], object]
WITH, WITHOUT = "with a cache", "without"


@dataclass(frozen=True)
class Catalogue:
    """A searchable catalogue. backbone: encodes queries. titles: N. vectors: [N, D] of titles, length 1."""

    backbone: Backbone
    titles: Sequence[str]
    vectors: np.ndarray

    @classmethod
    def of(cls, backbone: Backbone, titles: Sequence[str]) -> Catalogue:
        """Encode the titles in float32."""
        return cls(backbone, titles, embed_texts(backbone, titles, precision="fp32"))

    def answer(self, query: str, k: int = 10) -> list[str]:
        """The k nearest titles, computed without a cache."""
        vector = embed_texts(self.backbone, [query], precision="fp32")
        return [self.titles[row] for row in nearest(vector, self.vectors, k)[0]]


def time_with_cache(
    answer: Answer,
    requests: Sequence[str],
    entries: int,
    time_to_live: int | None = None,
    *,
    rounds: int = 3,
    threads: int = 1,
) -> Timing:
    """Mean seconds of a request, with a cache (empty at the start) and without.

    Args:
        answer: computes a query's answer.
        requests: r queries in order, at least one.
        entries: size of the cache. time_to_live: in requests; None: entries never expire.
        rounds, threads: see `recsys.benchmarks.timing.interleave`.

    Raises:
        ValueError: as `TimedLruCache`, as `interleave`.
    """

    def without() -> None:
        for query in requests:
            answer(query)

    def with_cache() -> None:
        now = 0
        cache = TimedLruCache(entries, time_to_live, clock=lambda: now)
        for now, query in enumerate(requests):  # noqa: B007 - the clock reads `now`
            if cache.get(query) is None:
                cache.put(query, answer(query))

    answer(requests[0])
    both = {WITHOUT: without, WITH: with_cache}
    return interleave(both, rounds=rounds, warm_up=0, threads=threads).each(len(requests))


def cache_metrics(
    timing: Timing, timed_hits: float, stale: pd.DataFrame, time_to_live: int
) -> dict[str, float]:
    """Metrics that a run records.

    cache:time_ratio, mean seconds of a request with the cache ÷ without; cache:timed_hit_rate of the timed
    requests; cache:hit_rate and cache:stale_share (of the hits) at that time to live, simulated.

    Args:
        timing: from `time_with_cache`. timed_hits: hit rate of its requests. stale: from
            `recsys.benchmarks.caching.caches.staleness_table`, for one rate of updates.

    Raises:
        KeyError: no row of that time to live.
    """
    row = stale.set_index("time_to_live").loc[time_to_live]
    return {
        "cache:time_ratio": float((timing.wall[WITH] / timing.wall[WITHOUT]).median()),
        "cache:timed_hit_rate": timed_hits,
        "cache:hit_rate": float(row["hit_rate"]),
        "cache:stale_share": float(row["staleness"]),
    }
