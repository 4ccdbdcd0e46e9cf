"""Histories hold every event once, in its user's order; windows are what a loop would cut out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.histories import histories

USERS = 6
ROWS = st.lists(st.tuples(*[st.integers(0, most) for most in (USERS - 2, 7, 3, 3)]), max_size=25)
CLOCKS = st.sampled_from([[], ["time"], ["order"], ["time", "order"]])


def table(rows, clocks=()):
    events = pd.DataFrame(rows, columns=["user", "item", "time", "order"], dtype=np.int64)
    events["time"] = pd.to_datetime(events["time"], unit="D")
    return events[["user", "item", *clocks]]


def by_loop(events, clocks):
    lists = [[] for _ in range(USERS)]
    for place, row in enumerate(events.to_dict("records")):
        lists[row["user"]].append((*(row[clock] for clock in clocks), place, row["item"]))
    return [[event[-1] for event in sorted(events)] for events in lists]


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, clocks=CLOCKS, labels=st.randoms(use_true_random=False))
def test_every_event_stands_once_in_the_order_of_time_then_order_then_row(rows, clocks, labels):
    events = table(rows, clocks)
    events.index = labels.sample(range(100), len(events))
    before = events.copy()
    known = histories(events, USERS)
    lists = by_loop(events, clocks)
    assert [known.of(user).tolist() for user in range(USERS)] == lists
    assert known.lengths.tolist() == [len(items) for items in lists]
    assert known.items.tolist() == [item for items in lists for item in items]
    assert known.n_users == USERS
    assert known.items.dtype == np.int64
    pd.testing.assert_frame_equal(events, before)


@settings(max_examples=80, deadline=None)
@given(
    rows=ROWS,
    users=st.lists(st.integers(0, USERS - 1), max_size=8),
    most=st.integers(1, 30),
    padding=st.sampled_from([0, -100]),
)
def test_the_newest_items_end_with_the_last_one(rows, users, most, padding):
    known = histories(table(rows), USERS)
    wanted = [known.of(user)[-most:].tolist() for user in users]
    longest = max([1, *map(len, wanted)])
    items, lengths = known.newest(np.array(users, dtype=np.int64), most, padding)
    assert items.dtype == np.int64
    assert items.shape == (len(users), longest)
    assert lengths.tolist() == [len(row) for row in wanted]
    assert items.tolist() == [row + [padding] * (longest - len(row)) for row in wanted]


@settings(max_examples=80, deadline=None)
@given(data=st.data(), rows=ROWS)
def test_windows_are_slices_of_the_flat_array(data, rows):
    known = histories(table(rows), USERS)
    ends = data.draw(st.lists(st.integers(0, len(rows)), max_size=6))
    lengths = [data.draw(st.integers(0, end)) for end in ends]
    items, same = known.windows(np.array(ends, dtype=np.int64), np.array(lengths, dtype=np.int64), padding=-1)
    assert same.tolist() == lengths
    for row, end, length in zip(items.tolist(), ends, lengths, strict=True):
        assert row[:length] == known.items[end - length : end].tolist()
        assert set(row[length:]) <= {-1}


def test_nobody_has_a_history():
    known = histories(table([]), 3)
    assert known.lengths.tolist() == [0, 0, 0]
    items, lengths = known.newest(np.array([2, 0]), 5)
    assert items.tolist() == [[0], [0]]
    assert lengths.tolist() == [0, 0]


@pytest.mark.parametrize("user", [-1, USERS])
def test_a_user_code_out_of_range_is_refused(user):
    events = pd.DataFrame({"user": [0, user], "item": [1, 1]})
    with pytest.raises(ValueError, match=f"users {min(user, 0)} to {max(user, 0)}, but there are {USERS}"):
        histories(events, USERS)


@pytest.mark.parametrize("user", [-1, USERS])
def test_the_newest_items_of_an_unknown_user_are_refused(user):
    known = histories(table([(0, 1, 0, 0), (5, 2, 0, 0)]), USERS)
    with pytest.raises(ValueError, match=f"user {user} is unknown: codes run from 0 to {USERS - 1}"):
        known.newest(np.array([0, user]), 3)


@pytest.mark.parametrize("column", ["user", "item"])
@pytest.mark.parametrize("value", [np.nan, 1.7])
def test_codes_that_are_missing_or_not_whole_are_refused(column, value):
    events = pd.DataFrame({"user": [0, 1], "item": [1, 1]}).astype({column: float})
    events.loc[1, column] = value
    with pytest.raises(ValueError, match=f"{column} must hold whole codes"):
        histories(events, USERS)


def test_any_type_of_whole_codes_and_an_empty_table_of_none():
    for dtype in ("int16", "uint64", "Int64"):
        events = pd.DataFrame({"user": [2, 0], "item": [1, 4]}, dtype=dtype)
        assert histories(events, 3).items.tolist() == [4, 1]
    assert histories(pd.DataFrame({"user": [], "item": []}), 3).lengths.tolist() == [0, 0, 0]
