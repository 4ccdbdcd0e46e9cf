"""Events become the same matrix however they are written down, or are refused."""

import numpy as np
import pandas as pd
import pytest

from recsys.baselines.interactions import interaction_matrix, newest_items, user_rows


def events(*pairs):
    return pd.DataFrame(pairs, columns=["user", "item"]).astype("int64")


def test_duplicates_count_once_or_are_counted():
    table = events((1, 2), (0, 1), (1, 0), (1, 2))
    binary = interaction_matrix(table, 3, 4)
    assert binary.toarray().tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert interaction_matrix(table, 3, 4, "count").toarray()[1].tolist() == [1, 0, 2, 0]
    assert binary.dtype == np.float32
    assert binary.has_sorted_indices
    assert binary.nnz == 3


def test_no_events_make_an_empty_matrix():
    empty = pd.DataFrame({"user": [], "item": []})
    assert interaction_matrix(empty, 2, 3).toarray().tolist() == [[0] * 3] * 2


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (events((0, 3)), "item 3, but the codes run from 0 to 2"),
        (events((0, -1)), "item -1"),
        (events((2, 0)), "user 2, but the codes run from 0 to 1: give fit the data set's n_users"),
        (pd.DataFrame({"user": [0, 1], "item": [0, None]}), "item that is missing"),
        (pd.DataFrame({"user": [0], "item": [0.5]}), "whole codes, not float64"),
        (pd.DataFrame({"user": [0]}), "column 'item'"),
    ],
)
def test_unusable_events_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        interaction_matrix(table, 2, 3)


def test_unknown_weights_are_refused():
    with pytest.raises(ValueError, match="binary"):
        interaction_matrix(events((0, 0)), 1, 1, "log")


def test_unknown_users_are_refused():
    with pytest.raises(ValueError, match="user -1 is unknown"):
        user_rows(np.array([0, -1]), 2)
    with pytest.raises(ValueError, match="user 2 is unknown"):
        user_rows(np.array([2]), 2)


def test_the_newest_items_are_distinct_and_follow_order():
    table = events((0, 5), (0, 6), (0, 7), (0, 6), (1, 1)).assign(order=[0, 1, 2, 3, 0])
    newest = newest_items(table.sample(frac=1, random_state=1), 2)
    assert {(u, i) for u, i in newest.to_numpy().tolist()} == {(0, 6), (0, 7), (1, 1)}
    assert set(newest_items(table, 1).query("user == 0")["item"]) == {6}  # at its second event
    timed = table.drop(columns="order").assign(
        time=pd.Timestamp("2026-01-01") + pd.to_timedelta([0, 3, 1, 2, 0], "D")
    )
    assert set(newest_items(timed, 1).query("user == 0")["item"]) == {6}


def test_newest_items_need_a_course_of_events():
    assert newest_items(events((0, 1)), None).equals(events((0, 1)))
    with pytest.raises(ValueError, match="neither order nor time"):
        newest_items(events((0, 1)), 1)
    with pytest.raises(ValueError, match="at least 1"):
        newest_items(events((0, 1)), 0)
