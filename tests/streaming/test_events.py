"""Lines of a log: what is taken, what is refused and why."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.streaming.events import (
    ANONYMOUS,
    CLOCK_TOLERANCE,
    EVENT,
    KIND,
    NO_ITEM,
    RETURN,
    BadEvent,
    Event,
    parse_line,
    parse_lines,
    to_line,
)

GOOD = {"id": 7, "user": 3, "item": 5, "kind": "click", "time": 1_511_571_600_000}


def row_of(**values):
    row = np.zeros(1, dtype=EVENT)
    for name, value in values.items():
        row[name] = value
    return row


def parsed(**changes):
    return parse_line(json.dumps(GOOD | changes))


def without(field):
    return json.dumps({name: value for name, value in GOOD.items() if name != field})


@pytest.mark.parametrize(
    "time", ["2017-11-25T01:00:00Z", "2017-11-25T09:00:00+08:00", "2017-11-24T20:00:00-05:00", GOOD["time"]]
)
def test_times_of_all_zones_are_one_moment(time):
    assert parsed(time=time).time == GOOD["time"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"time": "2017-11-25 09:00:00"}, "time: without time zone"),
        ({"time": "yesterday"}, "time: unreadable"),
        ({"time": 1.5}, "time: unreadable"),
        ({"time": True}, "time: unreadable"),
        ({"time": None}, "time: missing"),
        ({"time": 0}, "time: before 1990"),
        ({"time": "1970-01-01T00:00:00Z"}, "time: before 1990"),
        ({"time": "0001-01-01T00:00:00+00:00"}, "time: before 1990"),
        ({"time": "9999-12-31T23:59:59Z"}, "time: ahead of its reception"),
        ({"time": 10**30}, "time: ahead of its reception"),
        ({"received": GOOD["time"] - CLOCK_TOLERANCE - 1}, "time: ahead of its reception"),
        ({"received": "now"}, "received: unreadable"),
        ({"id": None}, "id: missing"),
        ({"id": -1}, "id: not a whole number of at least 0"),
        ({"id": 2**63}, "id: not a whole number of at least 0"),
        ({"id": "7"}, "id: not a whole number of at least 0"),
        ({"user": 1.0}, "user: not a whole number of at least 0"),
        ({"user": True}, "user: not a whole number of at least 0"),
        ({"item": None}, "item: missing"),
        ({"kind": "buy"}, "kind: unknown"),
        ({"kind": ["click"]}, "kind: unknown"),
        ({"quantity": 0}, "quantity: not a whole number other than 0"),
        ({"quantity": "2"}, "quantity: not a whole number other than 0"),
        ({"quantity": -1}, "quantity: negative, but neither purchase nor return"),
    ],
)
def test_a_bad_field_has_its_reason(changes, reason):
    with pytest.raises(BadEvent) as told:
        parsed(**changes)
    assert str(told.value) == reason


@pytest.mark.parametrize("line", ["", "{", "nonsense", "[" * 9000, '{"id": NaN}x'])
def test_what_is_no_json_is_said_to_be_none(line):
    with pytest.raises(BadEvent, match="not JSON"):
        parse_line(line)


def test_other_json_and_overlong_lines_are_refused():
    with pytest.raises(BadEvent, match="not a JSON object"):
        parse_line("[1]")
    with pytest.raises(BadEvent, match="longer than"):
        parse_line(" " * 10_001)


def test_a_clock_ahead_within_the_tolerance_is_taken():
    assert parsed(received=GOOD["time"] - CLOCK_TOLERANCE).id == 7


def test_a_user_without_id_is_anonymous_whether_null_or_absent():
    assert parsed(user=None).user == parse_line(without("user")).user == ANONYMOUS


def test_a_negative_quantity_makes_a_purchase_a_return():
    assert parsed(kind="purchase", quantity=-3)[3:] == (RETURN, GOOD["time"], 3)


def test_a_search_may_name_no_item():
    assert parsed(kind="search", item=None).item == NO_ITEM


def test_bad_lines_keep_place_reason_and_text():
    rows, letters = parse_lines([json.dumps(GOOD), "x", without("kind")], [10, 11, 12])
    assert rows["offset"].tolist() == [10]
    assert [tuple(letter) for letter in letters] == [
        (11, "not JSON", "x"),
        (12, "kind: unknown", without("kind")),
    ]


@given(
    st.builds(
        Event,
        st.integers(0, 2**63 - 1),
        st.integers(-1, 2**40),
        st.integers(0, 2**40),
        st.sampled_from(sorted(KIND.values())),
        st.integers(700_000_000_000, 4_000_000_000_000),
        st.integers(1, 10**9),
    )
)
def test_a_line_reads_back_as_its_event(event):
    assert parse_line(to_line(event)) == event


@given(st.text(max_size=60))
def test_no_line_whatever_breaks_the_parser(text):
    rows, letters = parse_lines([text], [0])
    assert len(rows) + len(letters) == 1


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=4)
)
def test_no_value_whatever_breaks_the_parser(value):
    for field in (*GOOD, "received", "quantity"):
        rows, letters = parse_lines([json.dumps(GOOD | {field: value})], [0])
        assert len(rows) + len(letters) == 1


def test_huge_numbers_as_text_are_refused_and_not_an_error():
    digits = "9" * (sys.get_int_max_str_digits() + 10)
    _, letters = parse_lines([f'{{"id": {digits}}}'], [0])
    assert len(letters) == 1
