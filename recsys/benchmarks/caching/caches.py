"""Caches of answers and of vectors before an encoder: what they save, and how old their answers are (004 Q4).

Traffic is a row of query numbers, one a request; time is counted in requests unless `times` are given. A
query-result cache saves encoding and search and can be stale; a cache of query vectors saves the encoding
only, and its entries change with the model, not with the catalogue: simulate it without `versions`.

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
    """Of one request and one entry, as measured on this machine (`recsys.benchmarks.timing.interleave`).

    hit: seconds of a look-up and of what a hit still has to do (nothing, or the search). miss: seconds beyond
    that, of what a hit spares. entry: bytes of a key and its value, see `entry_bytes`.
    """

    hit: float
    miss: float
    entry: float


@dataclass(frozen=True)
class CacheRun:
    """What a cache did with a row of requests.

    hit_rate: share of requests, in [0, 1]. staleness: share of the hits whose answer had changed since it was
    put, nan without a hit. entries: the most kept at once. bytes: of these. seconds: mean of a request.
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
    """Send requests through a `TimedLruCache`; a miss puts the query's present version.

    Args:
        requests: [r] query numbers. entries, time_to_live: of the cache.
        versions: [r] version of the query's answer at the time of the request (`answer_versions`); None: an
            answer never changes.
        times: [r] rising; None: 0 … r − 1.
        warm_up: so many first requests fill the cache and are not counted.

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
        queries: a few hundred distinct ones. value: what the cache would keep for one, made anew each time.
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
        a row a pair: exponent, entries, share (entries ÷ queries), lru (simulated), che (expected in the long
        run), static (the most frequent queries, known beforehand), belady (the best that any cache could do).
        The second half of the requests is counted, in all but `che`, so that the cache has filled.
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
    """What a time to live costs and spares: a row a rate of updates and time to live, all of `CacheRun`."""
    rows = []
    for rate in updates:
        versions = answer_versions(requests, rate, touched, times=times, seed=seed)
        for limit in times_to_live:
            run = simulate(requests, entries, costs, time_to_live=limit, versions=versions, times=times)
            settings = {"updates": rate, "time_to_live": float("inf") if limit is None else limit}
            rows.append(settings | vars(run))
    return pd.DataFrame(rows)
