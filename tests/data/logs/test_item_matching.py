"""Items of two copies of a log find each other, whatever their ids and the order of users."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.logs.item_matching import UNMATCHED, Sequences, match_items


def sequences(histories: list[list[int]]) -> Sequences:
    lengths = np.array([len(history) for history in histories])
    return Sequences(np.arange(len(histories)), np.concatenate(histories), lengths)


def random_log(seed: int, n_users: int = 300, n_items: int = 120) -> list[list[int]]:
    """A long-tailed log in which every item occurs."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, n_items + 1)
    histories = [
        rng.choice(n_items, rng.integers(5, 12), replace=False, p=weights / weights.sum()).tolist()
        for _ in range(n_users)
    ]
    for item in range(n_items):
        histories[rng.integers(n_users)].append(item)
    return histories


def copy_of(
    histories: list[list[int]], seed: int, shuffle_users: bool
) -> tuple[list[list[int]], dict[int, int]]:
    rng = np.random.default_rng(seed)
    new = rng.permutation(1 + max(map(max, histories))) + 1000
    copied = [[int(new[item]) for item in history] for history in histories]
    if shuffle_users:
        rng.shuffle(copied)
    return copied, {old: int(number) for old, number in enumerate(new)}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), shuffle_users=st.booleans())
def test_exact_copy_is_matched_completely(seed, shuffle_users):
    log = random_log(seed)
    copied, truth = copy_of(log, seed + 1, shuffle_users)
    ours, theirs = match_items(sequences(log), sequences(copied))
    assert theirs.tolist() == [truth[item] for item in ours.tolist()]


def test_small_differences_cost_few_items_and_spoil_almost_none():
    log = random_log(0, n_users=2000, n_items=500)
    copied, truth = copy_of(log, 1, shuffle_users=True)
    rng = np.random.default_rng(2)
    for history in rng.choice(len(copied), 100, replace=False):  # 5 % of the users: two neighbours swapped
        copied[history][0], copied[history][1] = copied[history][1], copied[history][0]
    for history in rng.choice(len(copied), 5, replace=False):
        del copied[history][-1]
    ours, theirs = match_items(sequences(log), sequences(copied))
    right = np.array([truth[item] for item in ours.tolist()])
    assert np.mean(theirs == right) > 0.95
    assert np.mean((theirs != right) & (theirs != UNMATCHED)) < 0.01


def test_items_that_nothing_tells_apart_stay_unmatched():
    log = [[1, 2], [3, 4], [5, 6, 7]]
    _, theirs = match_items(sequences(log), sequences([[33, 34], [35, 36, 37], [31, 32]]))
    assert theirs.tolist() == [UNMATCHED] * 4 + [35, 36, 37]


@pytest.mark.parametrize("seed", range(5))
def test_no_partner_is_given_twice(seed):
    ours, theirs = match_items(sequences(random_log(seed)), sequences(random_log(seed + 100)))
    partners = theirs[theirs != UNMATCHED]
    assert len(ours) == len(theirs)
    assert len(np.unique(partners)) == len(partners)


def test_same_user_order_needs_no_guessing():
    # Nothing but the positions tells these items apart.
    log = [[1, 2], [3, 4]]
    assert match_items(sequences(log), sequences([[9, 8], [7, 6]]))[1].tolist() == [9, 8, 7, 6]
