"""Times of encoders as users meet them: a query at a time, a catalogue in one call, two users at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.speed.encoder import Encoder
from recsys.speed.timing import Timing, interleave, thread_count

NO_BAR = {"show_progress_bar": False}  # the baseline draws one for each query, once logging is at INFO


@dataclass(frozen=True)
class QueryTiming(Timing):
    """wall: the median query of each round, process: the mean. single: [R × m queries, encoders] seconds."""

    single: pd.DataFrame

    def percentile(self, percent: float) -> pd.Series:
        """Seconds of each encoder, over all queries of all rounds."""
        return self.single.quantile(percent / 100)

    @property
    def busy(self) -> pd.Series:
        """As `Timing.busy`, of mean seconds: the median query's are fewer."""
        return self.process.mean() / self.single.mean() / self.threads


def time_queries(
    encoders: Mapping[str, object], queries: Sequence[str], rounds: int = 5, threads: int = 1
) -> QueryTiming:
    """One query at a time. Encoders take turns within a round; in its turn each answers all queries, as a
    server would whose weights stay in the cache.

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
    """Seconds of one title, all of them in one call."""
    titles = list(titles)
    calls = {name: (lambda e=encoder: e.encode(titles, **NO_BAR)) for name, encoder in encoders.items()}
    return interleave(calls, rounds=rounds, threads=threads).each(len(titles))


def time_two_workers(encoders: Mapping[str, Encoder], titles: Sequence[str], rounds: int = 3) -> pd.DataFrame:
    """What a second thread adds to a catalogue, a row an encoder: speedup with its quartiles of two workers
    to one of the same encoder, in turns."""
    rows = {}
    for name, encoder in encoders.items():
        both = {workers: copy(encoder) for workers in (1, 2)}
        for workers, one in both.items():
            one.workers = workers
        timed = time_titles({f"{w}": one for w, one in both.items()}, titles, rounds).table("1").loc["2"]
        rows[name] = timed[["speedup", "speedup_low", "speedup_high"]]
    return pd.DataFrame(rows).T.add_prefix("two_workers_").rename_axis("variant")


def two_workers(
    found: pd.DataFrame, encoders: Mapping[str, Encoder], titles: Sequence[str], threads: int, rounds: int = 3
) -> pd.DataFrame:
    """The table of variants with the columns of `time_two_workers`, where there are threads for them."""
    return found if threads == 1 else found.join(time_two_workers(encoders, titles, rounds))


def time_two_clients(encoder, queries: Sequence[str], rounds: int = 5) -> Timing:
    """Seconds of all queries, asked one after the other by "one client", and halved between "two clients"."""
    queries = list(queries)

    def ask(part: list[str]) -> None:
        for query in part:
            encoder.encode(query, **NO_BAR)

    def two() -> None:
        list(pool.map(ask, (queries[::2], queries[1::2])))

    with ThreadPoolExecutor(2) as pool:
        return interleave({"one client": lambda: ask(queries), "two clients": two}, rounds=rounds)


def query_tail(encoder, queries: Sequence[str], threads: int = 1, rounds: int = 5) -> dict[str, float]:
    """What a server meets, beside the medians of rounds.

    Returns:
        query_p50_ms, query_p99_ms: over the queries, each timed once. With more threads than one,
        two_clients_speedup with its quartiles: queries a second of two clients at once ÷ those of one.
    """
    with thread_count(threads):
        encoder.encode(queries[0], **NO_BAR)
        found = 1e3 * _one_by_one(encoder, queries)
    metrics = dict(
        zip(("query_p50_ms", "query_p99_ms"), np.percentile(found, [50, 99]).tolist(), strict=True)
    )
    if threads > 1:
        clients = time_two_clients(encoder, queries, rounds).table("one client").loc["two clients"]
        quartiles = clients[["speedup", "speedup_low", "speedup_high"]]
        metrics |= quartiles.add_prefix("two_clients_").astype(float).to_dict()
    return metrics


def _one_by_one(encoder, queries: Sequence[str]) -> np.ndarray:
    """[m] seconds of each query."""
    seconds = []
    for query in queries:
        start = time.perf_counter()
        encoder.encode(query, **NO_BAR)
        seconds.append(time.perf_counter() - start)
    return np.array(seconds)
