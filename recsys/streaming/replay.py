"""Replays a data set as a log of events, optionally with injected disorder.

Replay keeps the order of event times; events without a user stay anonymous. `disordered` injects repeats,
out-of-order events within the watermark, late ones beyond it, and broken lines, and returns the number of
each, so that an engine's counts can be checked exactly.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.data.tables import Dataset
from recsys.streaming.events import EVENT, KIND, NO_ITEM, Event, as_events, to_line

BROKEN = (
    "",
    "{",
    "[1, 2]",
    '{"id": 1}',
    '{"id": 1, "user": 2, "item": 3, "kind": "buy", "time": 1600000000000}',
    '{"id": 1, "user": 2, "item": 3, "kind": "click", "time": "2020-09-13 12:26:40"}',
    '{"id": 1, "user": 2, "item": 3, "kind": "click", "time": 0}',
    '{"id": 1, "user": 2, "item": 3, "kind": "click", "time": "9999-12-31T23:59:59Z"}',
    '{"id": 1, "user": 2, "item": 3, "kind": "purchase", "time": 1600000000000, "quantity": 0}',
    '{"id": 1, "user": -2, "item": 3, "kind": "click", "time": 1600000000000}',
)


@dataclass(frozen=True)
class Disorder:
    """Shares of lines, each in [0, 1): sent again, out of order, late, broken."""

    duplicates: float = 0.0
    out_of_order: float = 0.0
    late: float = 0.0
    malformed: float = 0.0


@dataclass(frozen=True)
class Injected:
    """A log with injected disorder, and the counts that an engine must find."""

    lines: list[str]
    counts: dict[str, int]
    kept: np.ndarray


def event_rows(dataset: Dataset, kinds: Sequence[str] | None = None) -> np.ndarray:
    """[K] rows of `EVENT` of a data set, sorted by time (then user, then order); ids count from 0.

    Args:
        kinds: only events of these kinds; None: all.

    Raises:
        ValueError: the data set has no times.
    """
    if not dataset.has_times:
        raise ValueError(f"{dataset.name} has no event times: it cannot be replayed")
    return rows_of(dataset.events if kinds is None else dataset.events[dataset.events["kind"].isin(kinds)])


def rows_of(events: pd.DataFrame) -> np.ndarray:
    """[K] rows of `EVENT` of a table with user, item, kind, time and, where known, order and quantity."""
    keys = [name for name in ("time", "user", "order") if name in events]
    events = events.sort_values(keys, kind="stable")
    rows = np.zeros(len(events), dtype=EVENT)
    rows["offset"] = rows["id"] = np.arange(len(events))
    rows["user"], rows["item"] = events["user"], events["item"].fillna(NO_ITEM)
    rows["kind"] = events["kind"].map(KIND)
    rows["time"] = events["time"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    rows["quantity"] = events.get("quantity", 1)
    return rows


def rows_of_invoices(lines: pd.DataFrame) -> np.ndarray:
    """[K] rows of `EVENT` of a shop's raw invoice lines without cleaning, sorted by time.

    A negative quantity is a return, a missing customer is anonymous; unusable lines (quantity 0, no product
    text) are left out.

    Args:
        lines: as `online_retail.read_lines` gives them: time, quantity, customer, and code or description.
    """
    key = "code" if "code" in lines else "description"
    lines = lines[(lines["quantity"] != 0) & lines[key].notna()].sort_values("time", kind="stable")
    rows = np.zeros(len(lines), dtype=EVENT)
    rows["offset"] = rows["id"] = np.arange(len(lines))
    rows["user"] = pd.factorize(lines["customer"], sort=True)[0]  # −1 where missing: anonymous
    rows["item"] = pd.factorize(lines[key], sort=True)[0]
    rows["kind"] = np.where(lines["quantity"] < 0, KIND["return"], KIND["purchase"])
    rows["time"] = lines["time"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    rows["quantity"] = lines["quantity"].abs()
    return rows


def synthetic_rows(
    events: int, users: int, items: int, seed: int = 0, rate: float = 50.0, start: int = 1_600_000_000_000
) -> np.ndarray:
    """[events] rows of synthetic `EVENT`s, for load tests of any size (not realistic behaviour).

    Users and items by Zipf's law (exponents 0.5 and 1), exponential gaps of mean 1 / rate seconds, kinds in
    the shares 60 % view, 30 % click, 6 % cart, 4 % purchase.
    """
    random = np.random.default_rng(seed)
    rows = np.zeros(events, dtype=EVENT)
    rows["offset"] = rows["id"] = np.arange(events)
    rows["user"] = random.permutation(users)[_zipf(random, users, 0.5, events)]
    rows["item"] = random.permutation(items)[_zipf(random, items, 1.0, events)]
    rows["kind"] = random.choice([1, 2, 3, 4], events, p=[0.6, 0.3, 0.06, 0.04])
    rows["time"] = start + (1000 * np.cumsum(random.exponential(1 / rate, events))).astype(np.int64)
    rows["quantity"] = 1
    return rows


def _zipf(random: np.random.Generator, size: int, exponent: float, draws: int) -> np.ndarray:
    share = np.cumsum(np.arange(1, size + 1, dtype=float) ** -exponent)
    return np.searchsorted(share / share[-1], random.random(draws))


def to_lines(rows: np.ndarray) -> list[str]:
    """Rows of `EVENT` as JSON lines."""
    return [to_line(event) for event in as_events(rows)]


def disordered(rows: np.ndarray, disorder: Disorder, delay: int, shards: int, seed: int = 0) -> Injected:
    """A log of these rows with disorder injected.

    Out of order: moved behind events that are up to half the delay newer. Repeated: the same line again,
    within half the delay. Late: an additional event, older than the newest event that its shard has seen by
    more than the delay. Broken: a line that is no event. None is added where the shard has seen nothing yet.

    Args:
        rows: [K] of `EVENT`, distinct ids.
        delay: of the watermark, ms. shards: of the store that will read it.

    Returns:
        The log; counts by the names of the store's `TALLIES`, and "out_of_order"; kept: rows that count.
    """
    random = np.random.default_rng(seed)
    arrival = rows["time"].astype(np.float64)
    moved = random.random(len(rows)) < disorder.out_of_order
    arrival[moved] += random.uniform(0, delay / 2, moved.sum())
    again = np.flatnonzero(random.random(len(rows)) < disorder.duplicates)
    parts = [
        (arrival, np.arange(len(rows))),
        (arrival[again] + random.uniform(0, delay / 2, len(again)), again),
    ]
    when, which = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(when, kind="stable")
    delivered, when = rows[which[order]], when[order]
    lines = to_lines(delivered)
    late, places = _late_ones(delivered, disorder.late, delay, shards, random)
    broken = np.flatnonzero(random.random(len(rows)) < disorder.malformed)
    extra = [(place, line) for place, line in zip(places, to_lines(late), strict=True)]
    extra += [(int(place), BROKEN[n % len(BROKEN)]) for n, place in enumerate(broken)]
    woven = _woven(lines, extra)
    counts = {
        "read": len(woven),
        "accepted": len(rows),
        "anonymous": int((rows["user"] < 0).sum()),
        "duplicates": len(again),
        "late": len(late),
        "malformed": len(broken),
        "out_of_order": int(moved.sum()),
    }
    return Injected(woven, counts, rows)


def _late_ones(
    delivered: np.ndarray, share: float, delay: int, shards: int, random: np.random.Generator
) -> tuple[np.ndarray, list[int]]:
    from recsys.streaming.sharding import shards_of

    shard = shards_of(delivered, shards)
    newest = np.empty(len(delivered), dtype=np.int64)
    for number in range(shards):
        own = shard == number
        newest[own] = np.maximum.accumulate(delivered["time"][own])
    places = np.flatnonzero(random.random(len(delivered)) < share)
    # directly after its position comes an event of the same user, and so of the same shard
    late = delivered[places].copy()
    late["id"] = delivered["id"].max(initial=0) + 1 + np.arange(len(late))
    late["time"] = newest[places] - delay - 1 - random.integers(0, delay + 1, len(late))
    named = (
        late["user"] >= 0
    )  # an anonymous event's shard hangs on its id, so its lateness is not ours to say
    return late[named], [int(place) + 1 for place in places[named]]


def _woven(lines: list[str], extra: list[tuple[int, str]]) -> list[str]:
    by_place: dict[int, list[str]] = {}
    for place, line in extra:
        by_place.setdefault(place, []).append(line)
    woven = []
    for place in range(len(lines) + 1):
        woven += by_place.get(place, [])
        woven += lines[place : place + 1]
    return woven


def write_segments(lines: Sequence[str], folder: Path, per_segment: int, first: int = 0) -> int:
    """Write lines as numbered segments, each atomically; returns their number."""
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(lines), per_segment)
    for number, start in enumerate(starts, first):
        fresh = folder / f".events-{number:08d}"
        fresh.write_text(
            "".join(f"{line}\n" for line in lines[start : start + per_segment]), encoding="utf-8"
        )
        fresh.rename(folder / f"events-{number:08d}.jsonl")
    return len(starts)


def paced(events: Sequence[Event], per_second: float, speed: float | None = None) -> Iterator[Event]:
    """Yield events at a fixed rate, or at their own times sped up by the factor `speed`.

    The schedule is fixed at the start, so that a slow consumer's delay accumulates and is measured.
    """
    started = time.monotonic()
    for number, event in enumerate(events):
        due = number / per_second if speed is None else (event.time - events[0].time) / 1000 / speed
        if (wait := started + due - time.monotonic()) > 0:
            time.sleep(wait)
        yield event
