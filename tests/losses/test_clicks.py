import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys.losses.clicks import check_factors, click_pairs

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=40)


def as_clicks(pairs):
    return click_pairs(np.array([u for u, _ in pairs]), np.array([i for _, i in pairs]), 5, 7)


@given(PAIRS)
def test_pairs_are_distinct_sorted_and_keep_every_click(pairs):
    clicks = as_clicks(pairs)
    found = list(zip(clicks.users.tolist(), clicks.items.tolist(), strict=True))
    assert found == sorted(set(pairs), key=lambda pair: (pair[1], pair[0]))
    assert clicks.counts.tolist() == [pairs.count(pair) for pair in found]
    assert clicks.total == len(pairs)
    assert clicks.per_user().tolist() == [sum(u == user for u, _ in pairs) for user in range(5)]


@given(PAIRS, st.permutations(range(5)), st.integers(1, 5))
def test_clicks_of_some_users_are_renumbered(pairs, order, size):
    users = torch.tensor(order[:size])
    part = as_clicks(pairs).of_users(users)
    expected = click_pairs(
        torch.tensor([order.index(u) for u, _ in pairs if u in order[:size]], dtype=torch.int64),
        torch.tensor([i for u, i in pairs if u in order[:size]], dtype=torch.int64),
        size,
        7,
    )
    for name in ("users", "items", "counts"):
        assert getattr(part, name).tolist() == getattr(expected, name).tolist()


@given(PAIRS, st.integers(0, 7), st.integers(0, 7))
def test_between_takes_a_span_of_items(pairs, first, last):
    row, user, count = as_clicks(pairs).between(first, max(first, last))
    found = [(u, i + first, n) for i, u, n in zip(row.tolist(), user.tolist(), count.tolist(), strict=True)]
    assert sorted(found) == sorted({(u, i, pairs.count((u, i))) for u, i in pairs if first <= i < last})


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        ([0, 5], [0, 0], "users hold the code 5, but codes run from 0 to 4"),
        ([0, 1], [0, -1], "items hold the code -1"),
        ([0, 1], [0], "2 users but 1 items"),
        ([0.5], [1], "users must be integer codes"),
        ([[0, 1]], [[0, 1]], "users must be one-dimensional"),
    ],
)
def test_wrong_clicks_are_refused(users, items, message):
    with pytest.raises(ValueError, match=message):
        click_pairs(np.array(users), np.array(items), 5, 7)


def test_a_user_twice_in_a_batch_is_refused():
    with pytest.raises(ValueError, match="stands twice"):
        as_clicks([(0, 0)]).of_users(torch.tensor([1, 1]))


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        (torch.zeros(5, 3), torch.zeros(3, 7), "is W transposed"),
        (torch.zeros(5), torch.zeros(7, 3), "two-dimensional float tensor"),
        (torch.zeros(5, 3, dtype=torch.int64), torch.zeros(7, 3), "two-dimensional float tensor"),
        (torch.zeros(5, 3), torch.zeros(7, 3, dtype=torch.float64), "bring both to one type"),
        (torch.zeros(6, 3), torch.zeros(7, 3), "5 users and 7 items, but there are 6 user and 7"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(users, items, message):
    with pytest.raises(ValueError, match=message):
        check_factors(users, items, as_clicks([(0, 0)]))
