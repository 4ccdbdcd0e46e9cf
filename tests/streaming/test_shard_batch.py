"""Arrivals, windows and the store: whatever the batches, the same; and as a plain program would have it."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.streaming.errors import StoreMismatch, StreamError
from recsys.streaming.events import Letter, as_events
from recsys.streaming.shard_batch import apply_batch
from recsys.streaming.sharding import shard_of_user, shards_of
from recsys.streaming.state_columns import from_row
from recsys.streaming.stores.opening import open_store
from recsys.streaming.top_lists import TopLists
from recsys.streaming.user_state import StateSpec, fold_events
from recsys.streaming.windows import EARLIER, merged, popularity, trend
from tests.streaming.strategies import SPEC, VECTORS, cuts, logs


def by_the_book(rows):
    """Event by event, with sets: counts of verdicts, accepted events by user, windows of those due."""
    clock, waiting, accepted = -(10**9), set(), []
    counts = dict.fromkeys(("accepted", "duplicates", "late"), 0)
    for row in rows.tolist():
        event = row[1:]
        watermark = clock - SPEC.delay
        waiting = {key: time for key, time in dict(waiting).items() if time >= watermark}
        if event[4] < watermark:
            counts["late"] += 1
        elif (event[1], event[0]) in waiting:
            counts["duplicates"] += 1
        else:
            counts["accepted"] += 1
            accepted.append(row)
            waiting[event[1], event[0]] = event[4]
        clock = max(clock, event[4])
    return counts, np.array(accepted, dtype=rows.dtype), clock


def replayed(folder, rows, places, shards=1, top_lists=None):
    store = open_store(folder, SPEC, shards)
    for batch, (start, stop) in enumerate(itertools.pairwise(places)):
        part = rows[start:stop]
        for shard in range(shards):
            own = part[shards_of(part, shards) == shard]
            apply_batch(store, shard, batch, own, [], VECTORS, top_lists)
    return store


def contents(store):
    """Everything in a store but the numbers of batches."""
    return [
        (
            dataclasses.replace(store.meta(shard), batch=0),
            store.all_rows(shard),
            store.windows(shard).tolist(),
            store.letters(shard),
        )
        for shard in range(store.shards)
    ]


@given(logs())
@settings(deadline=None, max_examples=150)
def test_verdicts_and_states_are_those_of_a_plain_program(tmp_path_factory, rows):
    store = replayed(tmp_path_factory.mktemp("store"), rows, [0, len(rows)])
    counts, accepted, clock = by_the_book(rows)
    tallies = store.tallies()
    assert {name: tallies[name] for name in counts} == counts
    assert tallies["read"] == len(rows) == sum(counts.values())
    assert tallies["anonymous"] == (accepted["user"] < 0).sum()
    states = store.states(VECTORS)
    assert states["user"].tolist() == sorted({u for u in accepted["user"].tolist() if u >= 0})
    for state in states:
        want = fold_events(None, as_events(accepted[accepted["user"] == state["user"]]), VECTORS, SPEC)
        got = from_row(state)
        assert (got.counts, got.items, got.sessions) == (want.counts, want.items, want.sessions)
        assert got.interest == pytest.approx(want.interest, rel=1e-9, abs=1e-12)
    due = accepted[accepted["time"] < clock - SPEC.delay]
    weight = np.array(SPEC.popular)[due["kind"]] * (due["item"] >= 0)
    assert popularity(store.all_windows(), 8).tolist() == np.bincount(due["item"], weight, 8).tolist()
    assert len(store.all_letters()) == counts["late"]


@given(logs(), st.data())
@settings(deadline=None, max_examples=60)
def test_any_cut_into_batches_gives_the_same_store_bit_for_bit(tmp_path_factory, rows, data):
    folder = tmp_path_factory.mktemp("stores")
    tops = TopLists(VECTORS, np.ones(6), k=2)
    whole = replayed(folder / "whole", rows, [0, len(rows)], 2)
    parts = replayed(folder / "parts", rows, cuts(data.draw, len(rows)), 2)
    assert contents(whole) == contents(parts)
    with_lists = replayed(folder / "lists", rows, cuts(data.draw, len(rows)), 2, tops)
    assert with_lists.states(VECTORS).tobytes() == whole.states(VECTORS).tobytes()


def test_an_id_used_anew_after_its_first_event_has_left_counts_in_any_batch(tmp_path):
    """Found by the Redis test: one batch took it for a repeat, two batches did not."""
    rows = np.zeros(3, dtype=logs_dtype())
    rows["offset"], rows["id"], rows["user"], rows["kind"] = np.arange(3), [5, 6, 5], 1, 2
    rows["time"] = [0, 1000, 1001]
    whole = replayed(tmp_path / "whole", rows, [0, 3])
    assert whole.tallies()["accepted"] == 3
    assert contents(whole) == contents(replayed(tmp_path / "parts", rows, [0, 2, 3]))


@given(logs(), st.data())
@settings(deadline=None, max_examples=30)
def test_a_batch_applied_again_or_from_the_start_changes_nothing(tmp_path_factory, rows, data):
    places = cuts(data.draw, len(rows))
    folder = tmp_path_factory.mktemp("store")
    once = contents(replayed(folder, rows, places))
    assert contents(replayed(folder, rows, places)) == once
    assert contents(replayed(folder, rows, [0, len(rows)])) == once


def test_memory_of_windows_is_bounded_by_the_catalogue(tmp_path):
    rows = np.zeros(400, dtype=logs_dtype())
    rows["offset"] = rows["id"] = np.arange(400)
    rows["kind"], rows["item"], rows["time"] = 2, np.arange(400) % 5, 100 * np.arange(400)
    store = replayed(tmp_path, rows, list(range(0, 401, 40)))
    windows = store.all_windows()
    assert len(windows) <= 5 * (SPEC.windows + 3)
    assert windows["count"].sum() + len(store.waiting()) == 400
    assert (windows["window"] == EARLIER).sum() == 5


def logs_dtype():
    from recsys.streaming.events import EVENT

    return EVENT


def test_a_letter_is_written_once_and_counted(tmp_path):
    store = open_store(tmp_path, SPEC, 1)
    none = np.zeros(0, dtype=logs_dtype())
    for _ in range(2):
        apply_batch(store, 0, 0, none, [Letter(3, "not JSON", "{")], VECTORS)
    assert store.all_letters() == [Letter(3, "not JSON", "{")]
    assert store.tallies()["malformed"] == store.tallies()["read"] == 1


def test_another_writer_is_noticed(tmp_path):
    from recsys.streaming.stores.feature_store import Changes, Meta, already_applied

    changes = Changes(base=3, meta=Meta(offset=9), rows=[], windows=None, letters=[], first_window=0)
    assert already_applied(9, changes, 0)
    assert not already_applied(3, changes, 0)
    with pytest.raises(StreamError, match="another writer"):
        already_applied(5, changes, 0)


def test_a_store_keeps_its_settings(tmp_path):
    open_store(tmp_path, SPEC, 3)
    assert open_store(tmp_path).shards == 3
    assert open_store(tmp_path).spec == SPEC
    with pytest.raises(StoreMismatch, match="other settings"):
        open_store(tmp_path, StateSpec(width=99))
    with pytest.raises(StoreMismatch, match="other settings"):
        open_store(tmp_path, SPEC, 4)


def test_a_users_row_is_found_in_its_shard(tmp_path):
    rows = np.zeros(1, dtype=logs_dtype())
    rows["user"], rows["kind"] = 7, 2
    store = replayed(tmp_path, rows, [0, 1], shards=5)
    assert store.row(7).user == 7
    assert store.row(8) is None
    assert shard_of_user(7, 5) == shards_of(rows, 5)[0]


def test_windows_of_shards_add_up_and_a_trend_stands_out():
    from recsys.streaming.windows import COUNT

    a = np.array([(1, 0, 2), (2, 0, 2), (3, 0, 2), (3, 1, 9)], dtype=COUNT)
    b = np.array([(3, 1, 1)], dtype=COUNT)
    both = merged([a, b])
    assert both[both["item"] == 1]["count"].tolist() == [10]
    assert popularity(both, 2).tolist() == [6, 10]
    assert popularity(both, 2, newest=1).tolist() == [2, 10]
    assert trend(both, 2).tolist() == [0.0, 10.0]
    assert trend(both[both["window"] == 3], 2).tolist() == [0.0, 0.0]


def test_lists_leave_out_recent_items_and_fall_back_to_popularity():
    from recsys.streaming.state_columns import empty_states, fold
    from tests.streaming.test_events import row_of

    vectors = np.array([[1.0, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [0, 0, 1]])
    states = fold(empty_states(np.array([1, 2]), SPEC), row_of(user=1, item=0, kind=2), vectors, SPEC)
    tops = TopLists(vectors, np.array([0, 0, 5, 9]), k=2).of_states(states)
    assert tops[0].tolist() == [1, 3]
    assert tops[1].tolist() == [3, 2]
