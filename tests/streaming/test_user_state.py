"""The pure state: by hand, and the columnar form against the form event by event."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.streaming.events import CART, CLICK, PURCHASE, RETURN, SEARCH, VIEW, Event, as_events, as_rows
from recsys.streaming.state_columns import empty_states, fold, from_row, state_dtype, to_row
from recsys.streaming.user_state import StateSpec, fold_events, step
from tests.streaming.strategies import SPEC, VECTORS, logs

ONE = np.eye(3)


def test_interest_halves_in_a_half_life_and_intent_does_not():
    first = step(None, Event(0, 1, 0, CLICK, 0), ONE, SPEC)
    second = step(first, Event(1, 1, 1, PURCHASE, 100), ONE, SPEC)
    assert second.interest == pytest.approx((2 ** (-100 / 500), 3.0, 0.0))
    assert second.intent == pytest.approx((1.0, 3.0, 0.0))
    later = step(second, Event(2, 1, 2, VIEW, 600), ONE, SPEC)
    assert later.interest == pytest.approx((2 ** (-600 / 500), 3 / 2, 0.5))


def test_a_session_ends_after_a_pause_and_not_at_it():
    state = step(None, Event(0, 1, 0, CLICK, 0), ONE, SPEC)
    same = step(state, Event(1, 1, 0, CLICK, 100), ONE, SPEC)
    other = step(state, Event(1, 1, 0, CLICK, 101), ONE, SPEC)
    assert (same.sessions, same.session_events, same.session_start) == (1, 2, 0)
    assert (other.sessions, other.session_events, other.session_start) == (2, 1, 101)
    assert other.intent == (1.0, 0.0, 0.0)


def test_recent_items_are_the_newest_and_searches_and_returns_are_not_among_them():
    kinds = [VIEW, SEARCH, CLICK, RETURN, CART, PURCHASE, VIEW]
    events = [Event(n, 1, -1 if kind == SEARCH else n, kind, n) for n, kind in enumerate(kinds)]
    state = fold_events(None, events, VECTORS, SPEC)
    assert state.items == (2, 4, 5, 6)
    assert state.times == (2, 4, 5, 6)
    assert state.counts == (1, 2, 1, 1, 1, 1)


def test_an_item_without_a_vector_is_recent_and_moves_no_vector():
    state = step(None, Event(0, 1, 99, CLICK, 0), VECTORS, SPEC)
    assert state.items == (99,)
    assert state.interest == (0.0, 0.0, 0.0)


def test_a_state_is_not_changed_by_a_step():
    state = step(None, Event(0, 1, 0, CLICK, 0), ONE, SPEC)
    before = dataclasses.replace(state)
    step(state, Event(1, 1, 1, CLICK, 1), ONE, SPEC)
    assert state == before


def test_an_older_event_is_refused_by_both_forms():
    state = step(None, Event(0, 1, 0, CLICK, 50), ONE, SPEC)
    with pytest.raises(ValueError, match="older than the state"):
        step(state, Event(1, 1, 0, CLICK, 49), ONE, SPEC)
    with pytest.raises(ValueError, match="older than the state"):
        fold(to_row(1, state, SPEC), as_rows([Event(1, 1, 0, CLICK, 49)]), ONE, SPEC)


def test_an_event_of_a_user_without_a_row_is_refused():
    with pytest.raises(ValueError, match="no row"):
        fold(empty_states(np.array([1, 3]), SPEC), as_rows([Event(0, 2, 0, CLICK, 0)]), ONE, SPEC)


@given(logs(unique=True))
@settings(deadline=None)
def test_columns_give_what_events_give_one_by_one(rows):
    rows = rows[rows["user"] >= 0]
    users = np.unique(rows["user"])
    folded = fold(empty_states(users, SPEC), rows, VECTORS, SPEC)
    for user, got in zip(users.tolist(), folded, strict=True):
        want = fold_events(None, as_events(rows[rows["user"] == user]), VECTORS, SPEC)
        got = from_row(got)
        whole = ("last", "counts", "items", "times", "session_start", "session_events", "sessions")
        assert all(getattr(got, name) == getattr(want, name) for name in whole)
        assert got.interest == pytest.approx(want.interest, rel=1e-12, abs=1e-15)
        assert got.intent == pytest.approx(want.intent, rel=1e-12, abs=1e-15)
        assert from_row(to_row(user, want, SPEC)[0]) == want


@given(logs(unique=True), st.data())
@settings(deadline=None)
def test_folding_in_stretches_of_time_changes_no_bit(rows, data):
    rows = np.sort(rows[rows["user"] >= 0], order=["time", "id"])
    states = whole = empty_states(np.arange(5), SPEC)
    whole = fold(whole, rows, VECTORS, SPEC)
    at = data.draw(st.integers(0, len(rows)))
    states = fold(fold(states, rows[:at], VECTORS, SPEC), rows[at:], VECTORS, SPEC)
    assert states.tobytes() == whole.tobytes()


def test_a_row_has_a_fixed_size():
    assert state_dtype(StateSpec()).itemsize == 5 * 8 + 6 * 8 + 2 * 20 * 8 + 2 * 16 * 8


@pytest.mark.parametrize("wrong", [{"width": 0}, {"delay": -1}, {"weights": (1.0,)}, {"popular": (1,)}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"must be|need a number"):
        StateSpec(**wrong)
