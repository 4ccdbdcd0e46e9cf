"""Replay keeps what happened; the disorder put in is what a reader finds."""

import time

import numpy as np
import pandas as pd
import pytest

from recsys.data.load import load_dataset
from recsys.streaming.events import EVENT, KINDS, Event, parse_lines
from recsys.streaming.replay import (
    BROKEN,
    Disorder,
    disordered,
    event_rows,
    paced,
    rows_of,
    rows_of_invoices,
    synthetic_rows,
    to_lines,
    write_segments,
)
from recsys.streaming.shard_batch import apply_batch, apply_rows
from recsys.streaming.sharding import shards_of
from recsys.streaming.state_columns import empty_states, fold
from recsys.streaming.stores.opening import open_store
from tests.streaming.strategies import SPEC, VECTORS


def test_a_data_set_reads_back_from_its_lines():
    dataset = load_dataset("demo_store", size="small")
    rows = event_rows(dataset, ["click", "purchase"])
    assert len(rows) == dataset.events["kind"].isin(["click", "purchase"]).sum()
    assert (np.diff(rows["time"]) >= 0).all()
    read, letters = parse_lines(to_lines(rows), range(len(rows)))
    assert letters == []
    assert (read == rows).all()


def test_rows_say_when_and_how_many():
    events = pd.DataFrame(
        {
            "user": [1, 0],
            "item": [2, 3],
            "kind": "purchase",
            "time": pd.to_datetime(["2020-01-02", "2020-01-01"]),
            "quantity": [4, 1],
        }
    )
    rows = rows_of(events)
    assert rows["user"].tolist() == [0, 1]
    assert rows["time"].tolist() == [1577836800000, 1577923200000]
    assert rows["quantity"].tolist() == [1, 4]


def test_a_data_set_without_times_is_refused():
    dataset = load_dataset("demo_store", size="small")
    timeless = type(dataset)(dataset.name, dataset.items, dataset.users, dataset.events.drop(columns="time"))
    with pytest.raises(ValueError, match="cannot be replayed"):
        event_rows(timeless)


@pytest.mark.parametrize("seed", range(4))
def test_every_fault_put_in_is_found_and_nothing_else(tmp_path, seed):
    rows = synthetic_rows(1500, 40, 8, seed, rate=20.0)
    rows["user"][::30] = -1
    injected = disordered(rows, Disorder(0.1, 0.1, 0.03, 0.02), SPEC.delay, 3, seed)
    events, letters = parse_lines(injected.lines, range(len(injected.lines)))
    store = open_store(tmp_path, SPEC, 3)
    shard, bad = shards_of(events, 3), np.array([letter.offset for letter in letters]) % 3
    for number in range(3):
        own = [letter for letter, place in zip(letters, bad, strict=True) if place == number]
        apply_batch(store, number, 0, events[shard == number], own, VECTORS)
    tallies = store.tallies()
    assert tallies == {name: injected.counts[name] for name in tallies}
    assert min(injected.counts.values()) > 0


def test_every_broken_line_is_broken():
    rows, letters = parse_lines(BROKEN, range(len(BROKEN)))
    assert (len(rows), len(letters)) == (0, len(BROKEN))
    assert len({letter.reason for letter in letters}) > 5


def test_segments_are_whole_and_numbered(tmp_path):
    assert write_segments(list("abcde"), tmp_path, 2, first=7) == 3
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == [f"events-0000000{n}.jsonl" for n in (7, 8, 9)]
    assert (tmp_path / files[2]).read_text() == "e\n"


def test_synthetic_rows_are_what_was_asked_for():
    rows = synthetic_rows(2000, 50, 20, seed=1, rate=100.0)
    assert rows.dtype == EVENT
    assert rows["user"].max() < 50
    assert rows["item"].max() < 20
    assert (synthetic_rows(2000, 50, 20, seed=1, rate=100.0) == rows).all()


def test_pace_is_kept_by_the_clock_of_the_start():
    events = [Event(n, 0, 0, 2, 1000 * n) for n in range(4)]
    started = time.monotonic()
    assert [event.id for event in paced(events, 100.0)] == [0, 1, 2, 3]
    assert time.monotonic() - started >= 0.03
    assert [event.id for event in paced(events, 0, speed=1e6)] == [0, 1, 2, 3]


def test_raw_invoices_keep_returns_and_buyers_without_a_number():
    lines = pd.DataFrame(
        {
            "description": ["cup", "cup", None, "bowl", "bowl"],
            "quantity": [3, -1, 5, 0, 2],
            "time": pd.to_datetime(["2010-01-02", "2010-01-03", "2010-01-01", "2010-01-01", "2010-01-01"]),
            "customer": pd.array([17, 17, 17, 18, None], dtype="Int64"),
        }
    )
    rows = rows_of_invoices(lines)
    assert rows["user"].tolist() == [-1, 0, 0]
    assert [KINDS[kind] for kind in rows["kind"]] == ["purchase", "purchase", "return"]
    assert rows["quantity"].tolist() == [2, 3, 1]
    read, letters = parse_lines(to_lines(rows), range(3))
    assert letters == []
    assert (read == rows).all()


def test_a_shop_replayed_in_stretches_ends_where_one_computation_ends(tmp_path):
    dataset = load_dataset("demo_store", size="small")
    rows = event_rows(dataset, ["view", "click", "cart", "purchase"])
    vectors = np.random.default_rng(0).normal(size=(dataset.n_items, SPEC.width))
    store = open_store(tmp_path, SPEC, 2)
    for batch, part in enumerate(np.array_split(rows, 7)):
        apply_rows(store, batch, part, vectors)
    want = fold(empty_states(np.unique(rows["user"]), SPEC), rows, vectors, SPEC)
    assert store.states(vectors).tobytes() == want.tobytes()
    assert store.tallies()["accepted"] == len(rows)
