"""What a second thread adds: two workers over one catalogue, two clients that ask at once."""

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
SIDE = 256  # of its matrices, which stay in a core's cache
MORE_ROUNDS = 8  # for clients: theirs are short, and the machine below changes its mind within seconds


class PlainProduct:
    """Multiplies matrices in place of encoding, for comparison. It neither holds Python's lock nor waits for
    memory; where a second thread adds little to it too, the machine had no more to give just then: a virtual
    machine's two processors may be one core of the machine below."""

    def __init__(self) -> None:
        self.matrix = np.ones((SIDE, SIDE), dtype=np.float32)

    def encode(self, text: str, **_) -> np.ndarray:
        return self.matrix @ self.matrix


def second_thread(
    encoders: Mapping[str, Encoder],
    texts: Texts,
    timed_titles: int,
    threads: int = 2,
    rounds: int = 5,
) -> pd.DataFrame:
    """What the second of two threads adds.

    Args:
        encoders: name -> encoder. All take turns in the same rounds, with one thread and with two.
        texts: the queries are encoded one by one, by one client and by two with half of them each.
        timed_titles: so many of the titles are encoded in one call, by one worker and by two.
        threads: with 1 there is no second one, and the table is empty.

    Returns:
        A row an encoder and, for queries, one of the plain product. Columns: one_client_ms, the median
        query with one; two_clients_speedup and two_workers_speedup with their quartiles (…_low, …_high): the
        time with one ÷ the time with two. It may exceed 2: one_client_ms beside the variant's query_ms says
        what a lone client lost.
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
    """Seconds of a title with one worker, "1 name", and with two, "2 name"."""
    both = {}
    for name, encoder in encoders.items():
        for workers in (1, 2):
            both[f"{workers} {name}"] = one = copy(encoder)
            one.workers = workers
    return time_titles(both, titles, rounds)


def time_clients(encoders: Mapping[str, object], queries: Sequence[str], rounds: int) -> Timing:
    """Seconds of a query, asked one after the other, "1 name", and halved between two clients, "2 name".

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
    """Of each name, the median and the quartiles over rounds of the time of "1 name" ÷ that of "2 name"."""
    rows = {name: timing.table(f"1 {name}").loc[f"2 {name}"] for name in names}
    return pd.DataFrame(rows).T[["speedup", "speedup_low", "speedup_high"]].astype(float).add_prefix(prefix)
