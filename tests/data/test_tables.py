"""The schemas let sound tables pass and name what is wrong with others."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.errors import TableError
from recsys.data.tables import EVENT_KINDS, Dataset, check, place_in_history

ITEMS = pd.DataFrame({"item": [0, 1, 2], "source_id": ["a", "b", "c"], "title": ["x", None, "z"]})
USERS = pd.DataFrame({"user": [0, 1], "source_id": [5, 7]})
EVENTS = pd.DataFrame(
    {
        "user": [0, 0, 1],
        "item": [0, 1, 2],
        "kind": ["view", "purchase", "purchase"],
        "order": [0, 1, 0],
        "time": pd.to_datetime(["2020-01-01", "2021-01-01", "2020-06-01"]),
    }
)


def dataset(**changes) -> Dataset:
    return Dataset(**({"name": "small", "items": ITEMS, "users": USERS, "events": EVENTS} | changes))


def test_sound_tables_pass():
    full = dataset(
        events=EVENTS.assign(
            query=["q", None, None], position=[0, 1, 2], propensity=0.5, rating=5, review="good"
        ),
        judgements=pd.DataFrame({"query": ["q"], "item": [1], "grade": [2]}),
    )
    assert check(full) is full
    assert (full.n_users, full.n_items, full.has_times) == (2, 3, True)
    assert not dataset(events=EVENTS.drop(columns="time")).has_times


def test_a_search_needs_no_item():
    check(dataset(events=EVENTS.assign(item=[-1, 1, 2], kind=["search", "view", "view"])))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"events": EVENTS.assign(item=[0, 1, 9])}, r"events\.item.*in 1 rows \(row 2: 9\)"),
        ({"events": EVENTS.assign(user=[0, 0, 2])}, r"events\.user.*row 2: 2"),
        ({"events": EVENTS.assign(kind=["view", "buy", "view"])}, r"events\.kind.*'buy'"),
        ({"events": EVENTS.assign(item=[0, -1, 2])}, r"events\.item.*only a search"),
        ({"events": EVENTS.assign(order=[1, 0, 0])}, r"events\.order.*first at 0, 1"),
        ({"events": EVENTS.assign(order=[0, 2, 0])}, r"events\.order.*first at 1"),
        ({"events": EVENTS.assign(user=[1, 1, 0])}, r"events\.user: not sorted"),
        ({"events": EVENTS.assign(order=[0.0, 1.0, 0.0])}, r"events\.order.*int64"),
        ({"events": EVENTS.drop(columns="order")}, r"events.*order"),
        (
            {"events": EVENTS.assign(time=EVENTS["time"].iloc[[1, 0, 2]].to_numpy())},
            r"events\.time: runs back",
        ),
        ({"events": EVENTS.assign(time=["2020", "2021", "2020"])}, r"events\.time.*datetime64"),
        ({"events": EVENTS.assign(rating=[1, 7, 2])}, r"events\.rating.*row 1: 7"),
        ({"events": EVENTS.assign(propensity=[0.5, 0.0, 1.0])}, r"events\.propensity.*row 1: 0\.0"),
        ({"events": EVENTS.assign(quantity=[1, 0, 1])}, r"events\.quantity.*row 1: 0"),
        ({"events": EVENTS.assign(query=["q", 3, None])}, r"events\.query.*text"),
        ({"events": EVENTS.set_axis([0, 0, 1])}, r"events.*unique"),
        ({"items": ITEMS.assign(item=[0, 2, 1])}, r"items\.item.*row number.*row 1: 2"),
        ({"items": ITEMS.assign(source_id=["a", "a", "b"])}, r"items\.source_id.*unique"),
        ({"items": ITEMS.assign(title=[1, 2, 3])}, r"items\.title.*text"),
        ({"users": USERS.assign(source_id=[5, None])}, r"users\.source_id.*null"),
        (
            {"judgements": pd.DataFrame({"query": ["q"], "item": [3], "grade": [1]})},
            r"judgements\.item.*row 0: 3",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_broken_tables_are_named(changes, message):
    with pytest.raises(TableError, match=message) as caught:
        check(dataset(**changes))
    assert str(caught.value).startswith("data set small: ")


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 6), st.sampled_from(EVENT_KINDS), st.integers(0, 10**6)),
        max_size=30,
    )
)
def test_any_log_sorted_by_user_and_time_passes(rows):
    events = pd.DataFrame(rows, columns=["user", "item", "kind", "time"])
    events = events.astype({"user": "int64", "item": "int64", "kind": object})
    events["time"] = pd.to_datetime(events["time"], unit="s").astype("datetime64[ns]")
    events = events.sort_values(["user", "time"], ignore_index=True)
    events["order"] = place_in_history(events["user"])
    items = pd.DataFrame({"item": range(7), "source_id": range(7)})
    users = pd.DataFrame({"user": range(5), "source_id": range(5)})
    check(Dataset("any", items, users, events))
