"""Speedup by a second thread: two workers on one catalogue, two concurrent clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy

import numpy as np
import pandas as pd

from recsys.benchmarks.query_timing import NO_BAR, time_titles
from recsys.benchmarks.timing import Timed, Timing, interleave
from recsys.speed.choice import Texts
from recsys.speed.encoder import Encoder

PRODUCT = "plain-product"
SIDE = 256  # rows and columns of PlainProduct's matrices, which fit into a core's cache
MORE_ROUNDS = 8  # for clients: their rounds are short, and a virtual machine's speed varies within seconds


class PlainProduct:
    """Multiplies matrices instead of encoding, as a control.

    It neither holds Python's lock nor waits for memory. Where a second thread hardly speeds it up either, the
    machine had no second core at that moment: two virtual processors may share one physical core.
    """

    def __init__(self) -> None:
        self.matrix = np.ones((SIDE, SIDE), dtype=np.float32)

    def encode(self, text: str, **_) -> np.ndarray:
        """Multiply; the text is ignored."""
        return self.matrix @ self.matrix


def second_thread(
    encoders: Mapping[str, Encoder],
    texts: Texts,
    timed_titles: int,
    threads: int = 2,
    rounds: int = 5,
) -> pd.DataFrame:
    """Speedups by a second thread.

    Args:
        encoders: name -> encoder. All take turns in the same rounds, with one thread and with two.
        texts: the queries are encoded one at a time, by one client, and by two with half of them each.
        timed_titles: number of titles that are encoded in one call, by one worker and by two.
        threads: with 1 there is no second thread, and the table is empty.

    Returns:
        One row per encoder and, for queries, one for `PlainProduct`. Columns: one_client_ms, the median query
        with one client; two_clients_speedup and two_workers_speedup with their quartiles (…_low, …_high): the
        time with one ÷ the time with two. It may exceed 2 where a single client is slowed down: compare
        one_client_ms with the variant's query_ms.
    """
    if threads < 2:
        return pd.DataFrame()
    workers = _added(time_workers(encoders, texts.titles[:timed_titles], rounds), encoders, "two_workers_")
    asked = {**encoders, PRODUCT: PlainProduct()}
    by_client = time_clients(asked, texts.queries, MORE_ROUNDS * rounds)
    alone = by_client.wall.median()[[f"1 {name}" for name in asked]]
    clients = _added(by_client, asked, "two_clients_").assign(one_client_ms=1e3 * alone.to_numpy())
    return clients.join(workers).rename_axis("variant")


def time_workers(encoders: Mapping[str, Encoder], titles: Sequence[str], rounds: int) -> Timing:
    """Seconds per title with one worker ("1 name") and with two ("2 name")."""
    both = {}
    for name, encoder in encoders.items():
        for workers in (1, 2):
            both[f"{workers} {name}"] = one = copy(encoder)
            one.workers = workers
    return time_titles(both, titles, rounds)


def time_clients(encoders: Mapping[str, object], queries: Sequence[str], rounds: int) -> Timing:
    """Seconds per query with one client ("1 name"), and divided between two clients ("2 name").

    Args:
        encoders: name -> an object with sentence-transformers' `encode`, safe to call from two threads.
    """
    queries = list(queries)

    def asks(encoder, clients: int) -> Timed:
        def ask(part: list[str]) -> None:
            for query in part:
                encoder.encode(query, **NO_BAR)

        parts = [queries[first::clients] for first in range(clients)]
        return lambda: list(pool.map(ask, parts))

    calls = {f"{count} {name}": asks(one, count) for name, one in encoders.items() for count in (1, 2)}
    with ThreadPoolExecutor(2) as pool:
        return interleave(calls, rounds=rounds).each(len(queries))


def _added(timing: Timing, names: Mapping[str, object], prefix: str) -> pd.DataFrame:
    """Median and quartiles over rounds of the time of "1 name" ÷ that of "2 name", for each name."""
    rows = {name: timing.table(f"1 {name}").loc[f"2 {name}"] for name in names}
    return pd.DataFrame(rows).T[["speedup", "speedup_low", "speedup_high"]].astype(float).add_prefix(prefix)
