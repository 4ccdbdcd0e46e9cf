"""What docs/streaming.md promises for hostile events, from the line to the feature store."""

import json

import numpy as np
import pytest

from recsys.streaming.events import CLOCK_TOLERANCE, DAY, HOUR, RETURN, parse_lines
from recsys.streaming.shard_batch import LATE, apply_batch
from recsys.streaming.sharding import shards_of
from recsys.streaming.state_columns import from_row
from recsys.streaming.stores.opening import open_store
from recsys.streaming.user_state import StateSpec
from recsys.streaming.windows import popularity

SPEC = StateSpec(width=2, delay=10 * 60_000, window=60_000)
VECTORS = np.eye(3, 2)
NOON = 1_635_681_600_000  # 2021-10-31 12:00 UTC, the day on which Europe's clocks go back


def line(number, time=NOON, user=1, item=0, kind="click", **fields):
    told = {"id": number, "user": user, "item": item, "kind": kind, "time": time} | fields
    return json.dumps({name: value for name, value in told.items() if value != "absent"})


@pytest.fixture
def read(tmp_path):
    """Function: lines through the engine's own functions, in batches of two, into a store of one shard."""

    def into_a_store(lines):
        store = open_store(tmp_path / "store", SPEC, 1)
        for batch, start in enumerate(range(0, len(lines), 2)):
            part = lines[start : start + 2]
            events, letters = parse_lines(part, range(start, start + len(part)))
            assert (shards_of(events, 1) == 0).all()
            apply_batch(store, 0, batch, events, letters, VECTORS)
        tallies = store.tallies()
        assert tallies["read"] == len(lines)
        assert tallies["read"] == sum(tallies[n] for n in ("accepted", "duplicates", "late", "malformed"))
        assert len(store.all_letters()) == tallies["late"] + tallies["malformed"]
        return store

    return into_a_store


def reasons(store):
    return [letter.reason for letter in sorted(store.all_letters())]


def state_of(store, user=1):
    states = store.states(VECTORS)
    return from_row(states[states["user"] == user][0])


def test_a_clock_that_jumps_ahead_is_refused_by_the_collectors_clock(read):
    jump = line(2, NOON + 365 * DAY, received=NOON)
    store = read([line(1, received=NOON), jump, line(3, NOON + HOUR, received=NOON + HOUR)])
    assert reasons(store) == ["time: ahead of its reception"]
    assert store.meta(0).clock == NOON + HOUR
    assert state_of(store).counts[2] == 2


def test_a_small_lead_of_a_clock_is_taken_as_it_is(read):
    store = read([line(1, NOON + CLOCK_TOLERANCE, received=NOON)])
    assert state_of(store).last == NOON + CLOCK_TOLERANCE


def test_without_a_collectors_clock_a_jump_makes_its_shard_late_and_every_line_is_told(read):
    store = read([line(1), line(2, NOON + 365 * DAY), line(3, NOON + 1000), line(4, NOON + 365 * DAY + 1)])
    assert reasons(store) == [LATE]
    assert json.loads(store.all_letters()[0].line)["id"] == 3
    assert state_of(store).counts[2] == 3


def test_a_clock_that_jumps_back_is_late_beyond_the_watermark_and_sorted_in_within_it(read):
    store = read([line(1), line(2, NOON - HOUR), line(3, NOON - SPEC.delay, item=2)])
    assert reasons(store) == [LATE]
    assert state_of(store).items == (2, 0)  # by event time, not by arrival


def test_the_hour_that_comes_twice_in_autumn_is_two_hours(read):
    """02:30 in Berlin before and after the clocks went back, and 02:45 summer time, as UTC, between them."""
    first, again = "2021-10-31T02:30:00+02:00", "2021-10-31T02:30:00+01:00"
    store = read([line(1, first), line(2, "2021-10-31T00:45:00Z", item=1), line(3, again, item=2)])
    state = state_of(store)
    assert state.items == (0, 1, 2)
    assert state.times[2] - state.times[0] == HOUR
    assert state.sessions == 2  # 45 minutes of silence


def test_a_time_without_a_zone_is_refused(read):
    store = read([line(1, "2021-10-31T02:30:00")])
    assert reasons(store) == ["time: without time zone"]


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("1970-01-01T00:00:00Z", "time: before 1990"),
        (0, "time: before 1990"),
        (-1, "time: before 1990"),
        ("9999-12-31T23:59:59Z", "time: ahead of its reception"),
        (253_402_300_799_000, "time: ahead of its reception"),
    ],
)
def test_the_years_1970_and_9999_never_move_the_watermark(read, time, reason):
    store = read([line(1), line(2, time), line(3, NOON + 1)])
    assert reasons(store) == [reason]
    assert store.meta(0).clock == NOON + 1
    assert state_of(store).counts[2] == 2


def test_a_negative_quantity_is_a_return_that_counts_for_nothing_else(read):
    bought, back = (line(n, NOON + n, kind="purchase", quantity=q, item=1) for n, q in ((1, 3), (2, -3)))
    store = read([bought, back, line(3, NOON + HOUR)])
    state = state_of(store)
    assert state.counts[RETURN] == 1
    assert state.items == (1, 0)
    windows = store.all_windows()
    assert popularity(windows, 3).tolist() == [
        0,
        1,
        0,
    ]  # the return is not popular; the last click still waits


@pytest.mark.parametrize("quantity", [0, 1.5, "3", 10**10])
def test_other_quantities_are_refused(read, quantity):
    store = read([line(1, kind="purchase", quantity=quantity)])
    assert reasons(store) == ["quantity: not a whole number other than 0"]


@pytest.mark.parametrize("user", [None, "absent"])
def test_a_user_without_id_counts_for_popularity_and_has_no_state(read, user):
    store = read([line(1, user=user, item=2), line(2, NOON + HOUR)])
    assert store.tallies()["anonymous"] == 1
    assert store.states(VECTORS)["user"].tolist() == [1]
    assert popularity(store.all_windows(), 3).tolist() == [0, 0, 1]


def test_the_nameless_are_one_user_whose_events_the_collector_numbers(read):
    """Ids are unique within a user: two equal ones of nobody are taken for a repeat."""
    store = read([line(5, user=None), line(5, NOON + 1, user=None)])
    assert store.tallies()["duplicates"] == 1
