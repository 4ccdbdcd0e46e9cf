"""Latency and throughput of encoders: single queries one at a time, a catalogue in one call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.benchmarks.timing import Timing, interleave, thread_count

NO_BAR = {"show_progress_bar": False}  # the baseline would show one per query where logging is at INFO


@dataclass(frozen=True)
class QueryTiming(Timing):
    """Times of single queries; `wall` is the median query of each round, `process` the mean.

    single: [R × m queries, encoders] seconds.
    """

    single: pd.DataFrame

    def percentile(self, percent: float) -> pd.Series:
        """Seconds of each encoder, over all queries of all rounds."""
        return self.single.quantile(percent / 100)

    @property
    def busy(self) -> pd.Series:
        """As `Timing.busy`, from mean seconds instead of the median query's."""
        return self.process.mean() / self.single.mean() / self.threads


def time_queries(
    encoders: Mapping[str, object], queries: Sequence[str], rounds: int = 5, threads: int = 1
) -> QueryTiming:
    """Time queries one at a time. Encoders take turns within a round; in its turn each encodes all queries,
    like a server whose weights stay in the processor's cache.

    Args:
        encoders: name -> an object with sentence-transformers' `encode`.
        queries: m texts, the same for all.
    """
    found: dict[str, list[np.ndarray]] = {name: [] for name in encoders}

    def one_by_one(name: str) -> Callable[[], None]:
        return lambda: found[name].append(_one_by_one(encoders[name], queries))

    timing = interleave({name: one_by_one(name) for name in encoders}, rounds=rounds, threads=threads)
    counted = {name: np.array(turns[-rounds:]) for name, turns in found.items()}
    medians = pd.DataFrame({name: np.median(turns, axis=1) for name, turns in counted.items()})
    every = pd.DataFrame({name: turns.ravel() for name, turns in counted.items()})
    return QueryTiming(medians, timing.process / len(queries), timing.threads, timing.load, every)


def time_titles(
    encoders: Mapping[str, object], titles: Sequence[str], rounds: int = 3, threads: int = 1
) -> Timing:
    """Seconds per title, all titles in one call."""
    titles = list(titles)
    calls = {name: (lambda e=encoder: e.encode(titles, **NO_BAR)) for name, encoder in encoders.items()}
    return interleave(calls, rounds=rounds, threads=threads).each(len(titles))


def query_tail(encoder, queries: Sequence[str], threads: int = 1) -> dict[str, float]:
    """Median and tail latency of single queries.

    Returns:
        query_p50_ms, query_p99_ms: over the queries, each timed once.
    """
    with thread_count(threads):
        encoder.encode(queries[0], **NO_BAR)
        found = 1e3 * _one_by_one(encoder, queries)
    percentiles = np.percentile(found, [50, 99]).tolist()
    return dict(zip(("query_p50_ms", "query_p99_ms"), percentiles, strict=True))


def _one_by_one(encoder, queries: Sequence[str]) -> np.ndarray:
    """[m] seconds of each query."""
    seconds = []
    for query in queries:
        start = time.perf_counter()
        encoder.encode(query, **NO_BAR)
        seconds.append(time.perf_counter() - start)
    return np.array(seconds)
