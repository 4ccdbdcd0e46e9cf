"""Throughput, latency and storage of the pure logic, the engine, and the low-latency path."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys.streaming.events import as_events
from recsys.streaming.live_lists import LiveLists
from recsys.streaming.overlay import Overlay, Ranker
from recsys.streaming.replay import Disorder, Injected, disordered, write_segments
from recsys.streaming.state_columns import empty_states, fold, state_dtype
from recsys.streaming.stores.feature_store import FeatureStore
from recsys.streaming.stores.opening import open_store
from recsys.streaming.top_lists import save_catalogue
from recsys.streaming.user_state import StateSpec, step

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MILLISECONDS = 1000.0
REQUESTED_USERS = 1000  # most recent users, from whom requests are drawn


def pure_rates(rows: np.ndarray, vectors: np.ndarray, spec: StateSpec, batch: int = 10_000) -> pd.Series:
    """Events a second of the pure logic on rows sorted by time: `step` per event, `fold` in batches."""
    events, states = as_events(rows), {}
    started = time.perf_counter()
    for event in events:
        states[event.user] = step(states.get(event.user), event, vectors, spec)
    single = len(rows) / (time.perf_counter() - started)
    users = np.unique(rows["user"])
    folded = empty_states(users, spec)
    started = time.perf_counter()
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        own = np.searchsorted(users, np.unique(part["user"]))
        folded[own] = fold(folded[own], part, vectors, spec)
    columns = len(rows) / (time.perf_counter() - started)
    return pd.Series({"events_per_second_single": single, "events_per_second_columns": columns})


def make_log(
    rows: np.ndarray, vectors: np.ndarray, folder: Path, spec: StateSpec, disorder: Disorder, per_segment: int
) -> Injected:
    """A log with disorder, an empty store of 4 shards and a catalogue, as `engine_run` reads them."""
    injected = disordered(rows, disorder, spec.delay, 4)
    write_segments(injected.lines, folder / "log", per_segment)
    save_catalogue(folder / "items.npz", vectors, np.bincount(rows["item"], minlength=len(vectors)))
    open_store(folder / "store", spec, 4)
    return injected


def engine_run(spark: SparkSession, folder: Path, per_batch: int, top_k: int = 0) -> pd.DataFrame:
    """Process the log of `make_log` to its end.

    Args:
        per_batch: segments in a batch.

    Returns:
        One row per batch: lines, users, lists (changed), milliseconds, lines_per_second.
    """
    from recsys.streaming.dataflow import Flow, run_to_end

    places = {name: str(folder / name) for name in ("store", "checkpoint", "log")}
    flow = Flow(**places, per_batch=per_batch, catalogue=str(folder / "items.npz"), top_k=top_k)
    table = pd.DataFrame(run_to_end(spark, flow)).set_index("batch")
    return table.assign(lines_per_second=MILLISECONDS * table["lines"] / table["milliseconds"])


def accounts(store: FeatureStore, injected: Injected) -> pd.DataFrame:
    """Lines injected into a log and lines counted by the engine, by kind; columns put_in, found."""
    found = store.tallies()
    return pd.DataFrame({"put_in": pd.Series(injected.counts)[list(found)], "found": pd.Series(found)})


def equals_batch(store: FeatureStore, injected: Injected, vectors: np.ndarray) -> pd.Series:
    """Compare the engine's states with a batch computation over the whole log in event-time order.

    Returns:
        whole_numbers_equal (1 or 0), largest_difference of interest and intent, users.
    """
    rows = injected.kept[injected.kept["user"] >= 0]
    want = fold(empty_states(np.unique(rows["user"]), store.spec), rows, vectors, store.spec)
    got = store.states(vectors)
    whole = [name for name in got.dtype.names if name not in ("interest", "intent")]
    same = len(got) == len(want) and all((got[name] == want[name]).all() for name in whole)
    gap = (
        max(float(np.abs(got[n] - want[n]).max(initial=0)) for n in ("interest", "intent"))
        if same
        else np.inf
    )
    return pd.Series({"whole_numbers_equal": int(same), "largest_difference": gap, "users": len(want)})


def store_bytes_per_user(folder: Path, store: FeatureStore) -> float:
    """Bytes on disk per user of the embedded store, after its write-ahead log was merged."""
    users = sum(len(store.all_rows(shard)) for shard in range(store.shards))
    return sum(path.stat().st_size for path in folder.glob("shard-*")) / max(1, users)


def state_bytes(spec: StateSpec) -> int:
    """Size of one user's state in bytes."""
    return state_dtype(spec).itemsize


def live_latency(
    overlay: Overlay,
    ranker: Ranker,
    rows: np.ndarray,
    per_second: float = 500.0,
    requests_per_second: float = 50.0,
    seed: int = 0,
) -> pd.Series:
    """Send rows at a fixed rate while lists are requested; waits count from each event's *scheduled* time.

    Args:
        rows: of `EVENT`, newer than the store's; their number determines the duration.

    Returns:
        p50, p99 and max in milliseconds of "event_…", until the user's updated list can be read, and
        "request_…", to read a list (of a user without one: to find that). Also the number of lists made.
    """
    waits: list[float] = []
    done = threading.Event()
    with LiveLists(overlay, ranker) as live:
        asker = threading.Thread(target=_ask, args=(live, rows, requests_per_second, seed, done, waits))
        asker.start()
        started = time.monotonic()
        for number, row in enumerate(rows.tolist()):
            due = started + number / per_second
            if (pause := due - time.monotonic()) > 0:
                time.sleep(pause)
            live.put(row, due)
        done.set()
        asker.join()
    found = {"lists": float(len(live.lists))}
    for name, values in (("event", live.waits), ("request", waits)):
        values = MILLISECONDS * np.array(values or [0.0])
        found |= {f"{name}_p50_ms": np.quantile(values, 0.5), f"{name}_p99_ms": np.quantile(values, 0.99)}
        found[f"{name}_max_ms"] = values.max()
    return pd.Series(found)


def _ask(
    live: LiveLists,
    rows: np.ndarray,
    per_second: float,
    seed: int,
    done: threading.Event,
    waits: list[float],
) -> None:
    users: Sequence[int] = np.unique(rows["user"])[-REQUESTED_USERS:].tolist()
    random, number, started = np.random.default_rng(seed), 0, time.monotonic()
    while not done.is_set():
        due = started + number / per_second
        if (pause := due - time.monotonic()) > 0:
            time.sleep(pause)
        live.lists.get(users[int(random.integers(len(users)))])
        waits.append(time.monotonic() - due)
        number += 1
