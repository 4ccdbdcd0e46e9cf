import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.encoders.length_batches import length_batches, padding_share

LENGTHS = st.lists(st.integers(1, 200), max_size=60).map(np.array).map(lambda a: a.astype(np.int64))
SEEDS = st.none() | st.integers(0, 5)
BUCKETS = st.integers(1, 70)


@given(LENGTHS, st.integers(1, 20), SEEDS, BUCKETS)
def test_fixed_size_every_index_once(lengths, size, seed, bucket):
    batches = length_batches(lengths, batch_size=size, shuffle_seed=seed, bucket=bucket)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in batches)
    # buckets are whole batches, so that a single batch is short at most
    assert sum(len(batch) < size for batch in batches) <= 1


@given(LENGTHS, st.integers(1, 500), SEEDS, BUCKETS)
def test_budget_every_index_once_and_kept(lengths, budget, seed, bucket):
    batches = length_batches(lengths, token_budget=budget, shuffle_seed=seed, bucket=bucket)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget
    again = length_batches(lengths, token_budget=budget, shuffle_seed=seed, bucket=bucket)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]
    assert 0 <= padding_share(lengths, batches) < 1


def test_without_seed_longest_first():
    batches = length_batches(np.array([2, 9, 4, 7], dtype=np.int32), batch_size=2)
    assert [batch.tolist() for batch in batches] == [[1, 3], [2, 0]]
    assert padding_share([2, 9, 4, 7], batches) == pytest.approx(1 - 22 / 26)


def test_shuffled_batches_differ_by_seed_and_hold_little_padding():
    lengths = np.random.default_rng(0).integers(1, 100, size=2000)
    shuffled = [length_batches(lengths, batch_size=16, shuffle_seed=seed) for seed in (0, 1)]
    assert shuffled[0][0].tolist() != shuffled[1][0].tolist()
    longest = [lengths[batch].max() for batch in shuffled[0]]
    assert longest != sorted(longest, reverse=True)
    unsorted = np.array_split(np.random.default_rng(0).permutation(2000), 125)
    assert padding_share(lengths, shuffled[0]) < 0.05 < 0.4 < padding_share(lengths, unsorted)


def test_what_cannot_be_cut_is_an_error():
    for options in ({}, {"batch_size": 2, "token_budget": 2}):
        with pytest.raises(ValueError, match="either batch_size or token_budget"):
            length_batches([1], **options)
    for name in ("batch_size", "token_budget"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1"):
            length_batches([1], **{name: 0})
    with pytest.raises(ValueError, match="bucket"):
        length_batches([1], batch_size=1, bucket=0)
    with pytest.raises(ValueError, match="got 0 in row 1"):
        length_batches([1, 0], batch_size=1)
    with pytest.raises(ValueError, match="whole numbers"):
        length_batches([1.5], batch_size=1)
    assert length_batches([], batch_size=1) == []
    assert padding_share([], []) == 0
