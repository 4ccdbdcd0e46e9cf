"""Simulates caches of search results and of query vectors: hit rates, costs, staleness (004 Q4).

Traffic is a sequence of query numbers, one per request; time is counted in requests unless `times` are given.
A cache of results saves encoding and search, and its entries can be stale. A cache of query vectors saves the
encoding only, and its entries change with the model, not with the catalogue: simulate it without `versions`.

n: distinct queries. r: requests. C: entries of a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.benchmarks.caching.traffic import (
    answer_versions,
    belady_hits,
    che_hit_rate,
    static_hits,
    zipf_probabilities,
    zipf_traffic,
)
from recsys.search.query_cache import TimedLruCache


@dataclass(frozen=True)
class Costs:
    """Costs of a request and an entry, as measured on this machine (`recsys.benchmarks.timing.interleave`).

    hit: seconds of a look-up and of the work that remains after a hit (none, or the search). miss: additional
    seconds of a miss. entry: bytes of a key and its value, see `entry_bytes`.
    """

    hit: float
    miss: float
    entry: float


@dataclass(frozen=True)
class CacheRun:
    """Result of a simulation.

    hit_rate: share of requests, in [0, 1]. staleness: share of the hits whose answer had changed since it was
    stored; nan without a hit. entries: the most kept at once. bytes: of these. seconds: mean per request.
    """

    hit_rate: float
    staleness: float
    entries: int
    bytes: float
    seconds: float


def simulate(
    requests: np.ndarray,
    entries: int,
    costs: Costs,
    *,
    time_to_live: float | None = None,
    versions: np.ndarray | None = None,
    times: np.ndarray | None = None,
    warm_up: int = 0,
) -> CacheRun:
    """Simulate requests with a `TimedLruCache`; a miss stores the current version of the query's answer.

    Args:
        requests: [r] query numbers. entries, time_to_live: of the cache. costs: of hits and misses.
        versions: [r] version of the query's answer at the time of the request (`answer_versions`); None: an
            answer never changes.
        times: [r] ascending; None: 0 … r − 1.
        warm_up: number of first requests that fill the cache and are not counted.

    Raises:
        ValueError: `warm_up` not from 0 to r − 1; shapes that differ; as `TimedLruCache`.
    """
    requests = np.asarray(requests)
    versions = np.zeros(len(requests), np.int64) if versions is None else versions
    times = np.arange(len(requests)) if times is None else times
    if not 0 <= warm_up < len(requests) or not len(requests) == len(versions) == len(times):
        raise ValueError(
            f"{len(requests)} requests, {len(versions)} versions, {len(times)} times; warm_up is {warm_up}"
        )
    now = 0.0
    cache = TimedLruCache(entries, time_to_live, clock=lambda: now)
    hits = stale = most = 0
    rows = zip(requests.tolist(), np.asarray(versions).tolist(), np.asarray(times).tolist(), strict=True)
    for place, (query, version, now) in enumerate(rows):  # noqa: B007 - the clock reads `now`
        found = cache.get(query)
        if found is None:
            cache.put(query, version)
            most = max(most, len(cache))
        elif place >= warm_up:
            hits += 1
            stale += found != version
    rate = hits / (len(requests) - warm_up)
    staleness = stale / hits if hits else float("nan")
    return CacheRun(rate, staleness, most, most * costs.entry, costs.hit + (1 - rate) * costs.miss)


def entry_bytes(queries: Sequence[str], value: Callable[[str], object]) -> float:
    """Bytes of one entry of a `TimedLruCache`, keys and bookkeeping included, as Python's allocator counts.

    Args:
        queries: a few hundred distinct ones. value: makes the value that the cache would keep for one.
    """
    import tracemalloc

    cache = TimedLruCache(len(queries))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for query in queries:
            cache.put(query.encode().decode(), value(query))  # a key of its own, as a request brings one
        return (tracemalloc.get_traced_memory()[0] - before) / len(cache)
    finally:
        tracemalloc.stop()


def hit_rate_table(
    sizes: Sequence[int],
    exponents: Sequence[float],
    *,
    n_queries: int = 10_000,
    n_requests: int = 100_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Hit rate by size of the cache and exponent of Zipf's law.

    Returns:
        One row per size and exponent: exponent, entries, share (entries ÷ queries), lru (simulated), che
        (expected, by Che's approximation), static (the most frequent queries, known beforehand), belady (the
        optimum of any cache). All but `che` count the second half of the requests, when the cache is full.
    """
    rows, warm_up, costs = [], n_requests // 2, Costs(0, 1, 1)
    for exponent in exponents:
        requests = zipf_traffic(n_queries, n_requests, exponent, seed)
        probabilities = zipf_probabilities(n_queries, exponent)
        for entries in sizes:
            rows.append(
                {
                    "exponent": exponent,
                    "entries": entries,
                    "share": entries / n_queries,
                    "lru": simulate(requests, entries, costs, warm_up=warm_up).hit_rate,
                    "che": che_hit_rate(probabilities, entries),
                    "static": static_hits(requests, entries)[warm_up:].mean(),
                    "belady": belady_hits(requests, entries)[warm_up:].mean(),
                }
            )
    return pd.DataFrame(rows)


def staleness_table(
    requests: np.ndarray,
    entries: int,
    costs: Costs,
    *,
    updates: Sequence[float],
    touched: float,
    times_to_live: Sequence[float | None],
    times: np.ndarray | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Trade-off of a time to live: one row per update rate and time to live, columns as `CacheRun`."""
    rows = []
    for rate in updates:
        versions = answer_versions(requests, rate, touched, times=times, seed=seed)
        for limit in times_to_live:
            run = simulate(requests, entries, costs, time_to_live=limit, versions=versions, times=times)
            settings = {"updates": rate, "time_to_live": float("inf") if limit is None else limit}
            rows.append(settings | vars(run))
    return pd.DataFrame(rows)
