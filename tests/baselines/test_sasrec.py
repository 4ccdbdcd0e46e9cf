"""SASRec on a planted circle, and its pairwise loss against the formula."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from recsys.baselines.popularity import Popularity
from recsys.baselines.sasrec import PUBLISHED, SASRec, _not_met, _pair_keys
from recsys.data.histories import histories
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.training.prefixes import IGNORED
from tests.training.planted_cycle import EVERYBODY, ITEMS, USERS, Untouchable, planted_cycle

SPLIT = planted_cycle()
QUICK = replace(PUBLISHED, epochs=25, learning_rate=1e-2, accumulation=1)


def sasrec(loss="cross_entropy", settings=QUICK, drop=0.1, **shape):
    return SASRec(loss, settings, width=16, layers=1, drop=drop, max_items=10, **shape)


def fitted(loss="cross_entropy", settings=QUICK, split=None, events=SPLIT.train, **rest):
    return sasrec(loss, settings, **rest).fit(events, USERS, ITEMS, split)


def ndcg(model, part="validation"):
    return ranking_metrics(evaluate(model, SPLIT, part, ties="expected"))[0]["ndcg@10"]


def test_the_circle_is_learnt_with_cross_entropy():
    model = fitted(split=SPLIT)
    assert ndcg(model) > 0.95
    # one event more, one step further round
    assert ndcg(model.with_history(pd.concat([SPLIT.train, SPLIT.validation])), "test") > 0.95


def test_the_circle_is_learnt_with_the_published_loss():
    popular = ndcg(Popularity().fit(SPLIT.train, USERS, ITEMS))
    assert ndcg(fitted("bce")) > 1.4 * popular


def pairs_of(walks):
    rows = [(user, item, place) for user, walk in enumerate(walks) for place, item in enumerate(walk)]
    known = histories(pd.DataFrame(rows, columns=["user", "item", "order"]), len(walks))
    return _pair_keys(known, 6)


def test_no_item_is_drawn_that_the_user_met_unless_that_is_all():
    torch.manual_seed(0)
    walks = [[1, 1, 2], [], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5], [5]]
    users = torch.arange(5).repeat(800)
    drawn = _not_met(users, pairs_of(walks), 6)
    for user, walk in enumerate(walks):
        counts = torch.bincount(drawn[users == user], minlength=6)
        free = sorted(set(range(6)) - set(walk)) or list(range(6))
        assert counts.nonzero().flatten().tolist() == free  # each of them, and no other
        share = counts[free] / 800
        np.testing.assert_allclose(share, np.full(len(free), 1 / len(free)), atol=0.06)  # evenly


def test_the_published_loss_is_the_formula(monkeypatch):
    walks = [[0, 3, 2, 5], [4, 1], [2, 1, 0]]
    rows = [(user, item, place) for user, walk in enumerate(walks) for place, item in enumerate(walk)]
    events = pd.DataFrame(rows, columns=["user", "item", "order"])
    model = sasrec("bce", replace(QUICK, epochs=1), drop=0.0).fit(events, 3, 6)
    samples = model.samples(model.known)
    batch = samples.collate(np.array([0, 2, 1]))
    torch.manual_seed(5)
    total, count = model.loss(model.network, batch)
    torch.manual_seed(5)
    there = batch["target"] != IGNORED
    users = batch["users"][:, None].expand_as(batch["items"])[there]
    drawn = iter(_not_met(users, model.known_pairs, 6).tolist())
    weights = model.network.items.ids.weight.detach().double()
    wanted, places = 0.0, 0
    for user in (0, 2, 1):
        walk = walks[user]
        for place in range(1, len(walk)):
            # the state after `place` items, alone: position ages count from the newest of the whole walk
            states = model.network.encoder(
                model.network.items()[torch.tensor([walk[:-1]])], torch.tensor([len(walk) - 1]), True
            )
            state, other = states[0, place - 1].detach().double(), next(drawn)
            assert other not in walk
            own = float(state @ weights[walk[place]])
            wanted += math.log1p(math.exp(-own)) + math.log1p(math.exp(float(state @ weights[other])))
            places += 1
    assert count == places == 6
    assert total.item() == pytest.approx(wanted, rel=1e-5)


def test_cross_entropy_of_a_batch_is_the_formula():
    model = fitted(settings=replace(QUICK, epochs=1), drop=0.0)
    batch = model.samples(model.known).collate(np.array([3, 1]))
    total, count = model.loss(model.network, batch)
    states, vectors = model.network(batch["items"], batch["lengths"], every_position=True)
    scores = (states @ vectors.t()).double()
    wanted = torch.nn.functional.cross_entropy(
        scores.flatten(0, 1), batch["target"].flatten(), ignore_index=IGNORED, reduction="sum"
    )
    assert count == int((batch["target"] != IGNORED).sum())
    assert total.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_only_the_newest_items_are_read():
    model = sasrec(settings=replace(QUICK, epochs=1))
    model.shape["max_items"] = 3
    model.fit(SPLIT.train, USERS, ITEMS)
    newest = SPLIT.train.groupby("user").tail(3)
    np.testing.assert_allclose(model.with_history(newest).score(EVERYBODY), model.score(EVERYBODY), atol=1e-5)


def test_users_without_history_get_popularity():
    events = SPLIT.train[SPLIT.train["user"] != 4]
    model = fitted(settings=replace(QUICK, epochs=1), events=events)
    popular = np.bincount(events["item"], minlength=ITEMS)
    np.testing.assert_array_equal(model.score(np.array([4, 5]))[0], popular)


@pytest.mark.parametrize("loss", ["bce", "cross_entropy"])
def test_a_seed_fixes_the_scores(loss):
    told = replace(QUICK, epochs=2)
    first, again, other = (
        fitted(loss, replace(told, seed=seed), drop=0.5).score(EVERYBODY) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-3)


def test_the_test_part_is_not_read():
    told = replace(QUICK, epochs=2)
    hidden = fitted(settings=told, split=replace(SPLIT, test=Untouchable()))
    np.testing.assert_array_equal(
        hidden.score(EVERYBODY), fitted(settings=told, split=SPLIT).score(EVERYBODY)
    )


def test_no_other_loss():
    with pytest.raises(ValueError, match="'bce' or 'cross_entropy', not 'bpr'"):
        SASRec("bpr")


@pytest.mark.parametrize("other", [{"loss": "cross_entropy"}, {"drop": 0.1}])
def test_a_folder_of_another_sasrec_is_refused(tmp_path, other):
    """A finished bce folder once gave its weights to a cross-entropy model."""
    quick = replace(PUBLISHED, epochs=1)
    SASRec("bce", settings=quick).fit(SPLIT.train, USERS, ITEMS, folder=tmp_path)
    with pytest.raises(ValueError, match="task: "):
        SASRec(**{"loss": "bce", "settings": quick} | other).fit(SPLIT.train, USERS, ITEMS, folder=tmp_path)
