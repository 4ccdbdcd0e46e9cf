"""Distillation: the loss is the cross-entropy with soft targets, and a student learns what only the list
knows."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from recsys.data.histories import histories
from recsys.ensembling.candidate_lists import CandidateLists, union
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.one_model.distilled_sequence import (
    DistilledTitleCosine,
    DistilledTitleSequence,
    SoftLists,
    TaughtPrefixes,
    soft_lists,
)
from recsys.metrics.lists import NO_ITEM
from recsys.models.next_item.title_sequence import TitleSequence
from tests.models.next_item.test_title_sequence import QUICK, SPLIT, TITLES
from tests.training.planted_cycle import ITEMS, USERS

SHAPE = {"width": 16, "layers": 1, "drop": 0.1, "max_items": 10, "low_pass": 0.5}


def favourite(item):
    """A teacher who names one item to everybody."""
    users = np.arange(USERS)
    return SoftLists(users, np.full((USERS, 1), item, dtype=np.int32), np.ones((USERS, 1)))


def test_soft_lists_are_the_softmax_of_the_best():
    scores = np.array([[3.0, 1.0, 2.0, -np.inf], [-np.inf] * 4])
    lists = CandidateLists(
        "t",
        np.arange(2),
        np.array([[0, 1, 2, NO_ITEM], [NO_ITEM] * 4], np.int32),
        scores.astype("f4"),
        np.zeros(2, "f4"),
        np.ones(2, "f4"),
        9,
    )
    pool = union([lists])
    soft = soft_lists(pool, pool.scores[0], top=2, temperature=0.5)
    assert soft.users.tolist() == [0]  # who was offered nothing teaches nothing
    assert soft.ids.tolist() == [[0, 2]]
    np.testing.assert_allclose(soft.shares, [[1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))]], rtol=1e-6)
    with pytest.raises(EnsembleError, match="temperature > 0"):
        soft_lists(pool, pool.scores[0], temperature=0)


def test_the_loss_is_cross_entropy_with_soft_targets():
    rng = np.random.default_rng(0)
    ids = np.stack([rng.choice(ITEMS, 5, replace=False) for _ in range(USERS)]).astype(np.int32)
    raw = rng.integers(1, 9, (USERS, 5))
    shares = raw / raw.sum(axis=1, keepdims=True)
    lists = SoftLists(np.arange(USERS), ids, shares)
    model = DistilledTitleSequence(TITLES, lists, trust=0.5, settings=QUICK, **SHAPE)
    known = histories(SPLIT.train, USERS)
    network = model.build(ITEMS).eval()
    samples = model.samples(known)
    chosen = np.array([0, 5, len(samples) - 1, len(samples.hard), 3])
    batch = samples.collate(chosen)
    total, count = model.loss(network, batch)
    users, vectors = network(batch["items"], batch["lengths"])
    target = torch.zeros(len(chosen), ITEMS)
    for row, index in enumerate(chosen):
        if index < len(samples.hard):
            target[row, known.items[samples.hard.ends[index]]] = 1
        else:
            user = index - len(samples.hard)
            target[row, ids[user]] = 0.5 * torch.from_numpy(shares[user]).float()
    expected = cross_entropy(users @ vectors.t(), target, reduction="sum")
    assert count == len(chosen)
    # shares are counted in 1/1024 of a purchase
    torch.testing.assert_close(total.float(), expected, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("kind", [DistilledTitleSequence, DistilledTitleCosine])
def test_a_student_learns_what_only_the_teacher_says(kind):
    """At the end of every history the teacher names item 3, whatever the circle says."""
    model = kind(TITLES, favourite(3), trust=20.0, settings=QUICK, **SHAPE).fit(SPLIT.train, USERS, ITEMS)
    plain = TitleSequence(TITLES, settings=QUICK, **SHAPE).fit(SPLIT.train, USERS, ITEMS)
    users = np.arange(USERS)

    def named(scorer):
        return (scorer.score(users).argmax(axis=1) == 3).mean()

    assert named(model) > 0.9
    assert named(plain) < 0.3


def test_who_has_no_history_is_left_out_and_trust_must_be_positive():
    known = histories(SPLIT.train[SPLIT.train["user"] != 0], USERS)
    samples = TaughtPrefixes(known, 10, favourite(1), 1.0, None)
    assert len(samples) == len(samples.hard) + USERS - 1
    with pytest.raises(EnsembleError, match="above 0"):
        TaughtPrefixes(known, 10, favourite(1), 0.0, None)
