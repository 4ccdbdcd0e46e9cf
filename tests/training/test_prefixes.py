"""PrefixSamples and walks against the two loops that their docstrings describe."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from recsys.data.histories import histories
from recsys.training.prefixes import IGNORED, PrefixSamples, SequenceSamples

WALKS = st.lists(st.lists(st.integers(0, 5), max_size=9), min_size=1, max_size=6)
MOST = st.one_of(st.none(), st.integers(1, 4))


def known_from(walks):
    rows = [(user, item, place) for user, walk in enumerate(walks) for place, item in enumerate(walk)]
    return histories(pd.DataFrame(rows, columns=["user", "item", "order"], dtype=np.int64), len(walks))


def prefixes_by_loop(walks, max_items, repeats, most):
    samples = []
    for user, walk in enumerate(walks):
        own = [
            (user, walk[max(0, place - max_items) : place], walk[place])
            for place in range(1, len(walk))
            if repeats or walk[place] not in walk[:place]
        ]
        samples += own if most is None else own[-most:]
    return samples


def padded(rows, padding=0):
    longest = max([1, *map(len, rows)])
    return [row + [padding] * (longest - len(row)) for row in rows]


@hypothesis_settings(max_examples=120, deadline=None)
@given(
    walks=WALKS,
    max_items=st.integers(1, 10),
    repeats=st.booleans(),
    most=MOST,
    order=st.randoms(use_true_random=False),
)
def test_prefixes_are_those_of_two_loops(walks, max_items, repeats, most, order):
    wanted = prefixes_by_loop(walks, max_items, repeats, most)
    samples = PrefixSamples(known_from(walks), max_items, repeats, most)
    assert len(samples) == len(wanted)
    assert samples.users.tolist() == [user for user, _, _ in wanted]
    assert samples.lengths.tolist() == [len(items) for _, items, _ in wanted]
    if not wanted:
        return
    chosen = order.sample(range(len(wanted)), order.randint(1, len(wanted)))
    batch = samples.collate(np.array(chosen))
    assert batch["items"].tolist() == padded([wanted[i][1] for i in chosen])
    assert batch["lengths"].tolist() == [len(wanted[i][1]) for i in chosen]
    assert batch["target"].tolist() == [wanted[i][2] for i in chosen]
    assert {str(tensor.dtype) for tensor in batch.values()} == {"torch.int64"}
    if not repeats:
        real = np.arange(batch["items"].shape[1]) < batch["lengths"].numpy()[:, None]
        assert not ((batch["items"] == batch["target"][:, None]).numpy() & real).any()


@hypothesis_settings(max_examples=80, deadline=None)
def targets_of(walk):
    """What is to be predicted after each item but the last: the next one, if the user never met it."""
    return [item if item not in walk[: place + 1] else IGNORED for place, item in enumerate(walk[1:])]


@given(walks=WALKS, max_items=st.integers(1, 10))
def test_walks_predict_the_next_item_at_every_place(walks, max_items):
    samples = SequenceSamples(known_from(walks), max_items)
    wanted = [
        (user, walk[-max_items - 1 :], targets_of(walk)[-max_items:]) for user, walk in enumerate(walks)
    ]
    wanted = [one for one in wanted if any(target != IGNORED for target in one[2])]
    assert len(samples) == len(wanted)
    if not wanted:
        return
    batch = samples.collate(np.arange(len(wanted))[::-1])
    wanted = wanted[::-1]
    assert batch["users"].tolist() == [user for user, _, _ in wanted]
    assert batch["lengths"].tolist() == [len(walk) - 1 for _, walk, _ in wanted]
    assert batch["items"].tolist() == padded([walk[:-1] for _, walk, _ in wanted])
    assert batch["target"].tolist() == padded([targets for _, _, targets in wanted], IGNORED)


def test_a_user_with_one_event_gives_no_sample():
    known = known_from([[3], [], [4]])
    assert len(PrefixSamples(known)) == len(SequenceSamples(known)) == 0


def test_a_repeat_is_a_target_only_when_asked_for():
    known = known_from([[1, 2, 1, 3]])
    assert [known.items[end] for end in PrefixSamples(known).ends] == [2, 3]
    assert [known.items[end] for end in PrefixSamples(known, repeats=True).ends] == [2, 1, 3]
    # the newest of those that are wanted: the repeat takes nobody's place
    assert [known.items[end] for end in PrefixSamples(known, most_per_user=2).ends] == [2, 3]


def test_sizes_below_one_are_refused():
    known = known_from([[1, 2]])
    with pytest.raises(ValueError, match="at least 1, got 0, None"):
        PrefixSamples(known, max_items=0)
    with pytest.raises(ValueError, match="at least 1, got 50, 0"):
        PrefixSamples(known, most_per_user=0)
    with pytest.raises(ValueError, match="max_items must be at least 1, got 0"):
        SequenceSamples(known, max_items=0)


def test_walks_do_not_train_on_repeats():
    """Where repeats are not judged they are no targets, in either form of samples."""
    known = histories(pd.DataFrame({"user": [0] * 4 + [1] * 3, "item": [5, 6, 5, 7, 2, 2, 2]}), 2)
    walks = SequenceSamples(known)
    assert walks.users.tolist() == [0]
    assert walks.collate(np.array([0]))["target"].tolist() == [[6, IGNORED, 7]]
