"""Query traffic, real and simulated: Zipf's law and its fit, updates of answers, optimal hit rates.

n: distinct queries, 0 the most frequent. r: requests. C: entries of a cache.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq, minimize_scalar

from recsys.data.load import load_dataset

STEEPEST = 5.0  # upper bound of the fitted exponent


def zipf_probabilities(n_queries: int, exponent: float) -> np.ndarray:
    """[n] probabilities proportional to 1 / rank^exponent, descending.

    Raises:
        ValueError: `n_queries` below 1, `exponent` below 0.

    Example:
        >>> zipf_probabilities(3, exponent=1.0).round(3).tolist()
        [0.545, 0.273, 0.182]
    """
    if n_queries < 1 or not exponent >= 0:
        raise ValueError(f"n_queries ≥ 1 and exponent ≥ 0 are needed, got {n_queries}, {exponent}")
    shares = np.arange(1, n_queries + 1, dtype=float) ** -exponent
    return shares / shares.sum()


def zipf_traffic(n_queries: int, n_requests: int, exponent: float, seed: int = 0) -> np.ndarray:
    """[r] int64 query numbers, drawn independently by Zipf's law.

    Raises:
        ValueError: as `zipf_probabilities`; `n_requests` below 0.
    """
    bounds = np.cumsum(zipf_probabilities(n_queries, exponent))
    drawn = np.random.default_rng(seed).random(n_requests) * bounds[-1]
    return np.searchsorted(bounds, drawn, side="right").astype(np.int64)


def store_traffic(size: str = "small", seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The demo store's own searches in order of time.

    Args:
        size, seed: as `load_dataset("demo_store", …)` takes them.

    Returns:
        requests [r] int64; times [r], seconds since the first; queries, n texts in order of frequency.
    """
    events = load_dataset("demo_store", size=size, seed=seed).events
    searches = events[events["kind"] == "search"].sort_values("time", kind="stable")
    queries = searches["query"].value_counts().index
    requests = queries.get_indexer(searches["query"]).astype(np.int64)
    return (
        requests,
        (searches["time"] - searches["time"].iloc[0]).dt.total_seconds().to_numpy(),
        list(queries),
    )


@dataclass(frozen=True)
class ZipfFit:
    """Fit of Zipf's law.

    exponent: maximum-likelihood estimate. error: its standard error. distance: Kolmogorov–Smirnov distance
    between the observed and the fitted distribution, in [0, 1].
    """

    exponent: float
    error: float
    distance: float


def fit_zipf(requests: np.ndarray) -> ZipfFit:
    """Maximum-likelihood fit over the observed queries (as Clauset, Shalizi and Newman 2009,
    arXiv:0706.1062, here with a finite number of ranks).

    Ranks are those of the sample, and queries that never occurred are not counted: where most queries occur
    once, the exponent is an estimate for this log, not for the shop.

    Args:
        requests: [r] query numbers, at least two distinct ones.

    Raises:
        ValueError: fewer than two distinct queries.
    """
    counts = np.sort(np.unique(requests, return_counts=True)[1])[::-1]
    if len(counts) < 2:
        raise ValueError(f"an exponent needs two distinct queries, got {len(counts)}")
    logs = np.log(np.arange(1, len(counts) + 1))
    mean = (counts * logs).sum() / counts.sum()

    def surprise(exponent: float) -> float:
        return exponent * mean + np.log(np.exp(-exponent * logs).sum())

    exponent = minimize_scalar(surprise, bounds=(0, STEEPEST), method="bounded").x
    shares = zipf_probabilities(len(counts), exponent)
    # the information in one request is the variance of the log rank
    spread = (shares * logs**2).sum() - (shares * logs).sum() ** 2
    distance = np.abs(np.cumsum(shares) - np.cumsum(counts) / counts.sum()).max()
    return ZipfFit(float(exponent), float((spread * counts.sum()) ** -0.5), float(distance))


def answer_versions(
    requests: np.ndarray, updates: float, touched: float, *, times: np.ndarray | None = None, seed: int = 0
) -> np.ndarray:
    """Version number of each request's answer: how often the query's answer has changed by then.

    Updates of the catalogue are a Poisson process; each changes each query's answer with the same
    probability, independently. (One item of N stands in a query's k best with probability near k / N.)

    Args:
        requests: [r] query numbers ≥ 0. updates: of the catalogue per unit of time, ≥ 0.
        touched: share of the queries whose answer one update changes, in [0, 1].
        times: [r] ascending; None: 0 … r − 1.

    Returns:
        [r] int64; non-decreasing for each query.

    Raises:
        ValueError: `updates` below 0, `touched` outside [0, 1].
    """
    if not updates >= 0 or not 0 <= touched <= 1:
        raise ValueError(f"updates ≥ 0 and 0 ≤ touched ≤ 1 are needed, got {updates}, {touched}")
    times = np.arange(len(requests), dtype=float) if times is None else np.asarray(times, dtype=float)
    distinct, numbers = np.unique(requests, return_inverse=True)
    generator = np.random.default_rng(seed)
    start, span = times[0], times[-1] - times[0]
    count = generator.poisson(updates * touched * span * len(distinct))
    changed = generator.integers(len(distinct), size=count)
    moments = start + span * generator.random(count)
    # sorted by query, then by time: one search a request counts the changes of its query until then
    order = np.lexsort((moments, changed))
    stride = span + 1
    keys = changed[order] * stride + (moments[order] - start)
    before = np.searchsorted(changed[order], numbers)
    return np.searchsorted(keys, numbers * stride + (times - start), side="right") - before


def che_hit_rate(probabilities: np.ndarray, entries: int) -> float:
    """Expected hit rate of LRU when requests are independent.

    Che's approximation: every entry stays for about the same time t, in which C distinct queries arrive. Che,
    Tung and Wang 2002 (IEEE JSAC 20:7); why it is so accurate: Fricker, Robert and Roberts 2012
    (arXiv:1202.3974).

    Args:
        probabilities: [n] above 0, sum 1. entries: C ≥ 1.

    Raises:
        ValueError: `entries` below 1.
    """
    if entries < 1:
        raise ValueError(f"entries must be at least 1, got {entries}")
    if entries >= len(probabilities):
        return 1.0

    def missing(log_time: float) -> float:
        return entries + np.expm1(-probabilities * np.exp(log_time)).sum()

    # within exp(−50) requests nothing comes; long after the rarest query is due, all have come
    log_time = brentq(missing, -50, 50 - np.log(probabilities.min()))
    return float(-(probabilities * np.expm1(-probabilities * np.exp(log_time))).sum())


def static_hits(requests: np.ndarray, entries: int) -> np.ndarray:
    """[r] bool: hits of a static cache that holds only the C most frequent queries of these requests.

    The first request of each is a miss.
    """
    distinct, first, numbers, counts = np.unique(
        requests, return_index=True, return_inverse=True, return_counts=True
    )
    kept = np.zeros(len(distinct), bool)
    kept[np.argsort(-counts, kind="stable")[:entries]] = True
    return kept[numbers] & (np.arange(len(requests)) != first[numbers])


def belady_hits(requests: np.ndarray, entries: int) -> np.ndarray:
    """[r] bool: hits of the optimal cache, which knows the future.

    Belady 1966 (IBM Systems Journal 5:2): evicts the entry whose next request is furthest away; here the
    current answer itself may be the one.
    """
    following = next_request(requests)
    hits = np.zeros(len(requests), bool)
    due: dict[int, int] = {}  # of each query kept, its next request
    latest: list[tuple[int, int]] = []  # the same as a heap, which may contain outdated pairs
    rows = zip(requests.tolist(), following.tolist(), strict=True)
    for place, (query, upcoming) in enumerate(rows):
        hits[place] = query in due
        due[query] = upcoming
        heapq.heappush(latest, (-upcoming, query))
        while len(due) > entries:
            moment, oldest = heapq.heappop(latest)
            if due.get(oldest) == -moment:
                del due[oldest]
    return hits


def next_request(requests: np.ndarray) -> np.ndarray:
    """[r] index of the next request of the same query; r where there is none."""
    places = pd.Series(np.arange(len(requests)))
    return places.groupby(np.asarray(requests)).shift(-1, fill_value=len(requests)).to_numpy()
