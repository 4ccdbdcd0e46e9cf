"""Titles in a sequence model: planted circles of items and of titles, cold items, resumption."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.models.next_item.title_sequence import SETTINGS, TitleSequence
from tests.training.planted_cycle import (
    EVERYBODY,
    ITEMS,
    USERS,
    Untouchable,
    parts_by_order,
    planted_cycle,
)

SPLIT = planted_cycle()
QUICK = replace(SETTINGS, epochs=15, learning_rate=1e-2, batch_size=64)
TITLES = np.random.default_rng(0).normal(size=(ITEMS, 24)).astype(np.float32)  # each item's its own

CIRCLE, KIN, BUYERS, STEPS = 8, 6, 120, 6  # kinds of items, items of a kind, users, events of each
COLD = np.arange(CIRCLE * KIN) % KIN == 0  # one item of each kind is never bought


def titled(text=TITLES, settings=QUICK, drop=0.1, low_pass=0.5, layers=1, **rest):
    return TitleSequence(
        text, settings=settings, width=16, layers=layers, drop=drop, max_items=10, low_pass=low_pass, **rest
    )


def fitted(split=None, folder=None, events=SPLIT.train, **rest):
    return titled(**rest).fit(events, USERS, ITEMS, split, folder)


def ndcg(model, split=SPLIT, part="validation"):
    return ranking_metrics(evaluate(model, split, part))[0]["ndcg@10"]


@pytest.mark.parametrize(("text", "ids"), [(TITLES, True), (TITLES, False), (None, True)])
def test_the_circle_is_learnt(text, ids):
    model = fitted(SPLIT, text=text, ids=ids)
    assert ndcg(model) > 0.95
    assert ndcg(model.with_history(pd.concat([SPLIT.train, SPLIT.validation])), part="test") > 0.95


def kinds_split():
    """Users go round a circle of kinds and take any warm item of the next; validation is always cold."""
    rng = np.random.default_rng(3)
    rows = []
    for user in range(BUYERS):
        start = rng.integers(CIRCLE)
        for place in range(STEPS):
            of_kind = int(rng.integers(1, KIN)) if place < STEPS - 2 else 0
            rows.append((user, int(start + place) % CIRCLE * KIN + of_kind, place))
    return parts_by_order(pd.DataFrame(rows, columns=["user", "item", "order"]), BUYERS, CIRCLE * KIN)


def kind_titles():
    kind = np.repeat(np.arange(CIRCLE), KIN)
    noise = np.random.default_rng(4).normal(scale=0.1, size=(len(kind), CIRCLE))
    return (np.eye(CIRCLE)[kind] + noise).astype(np.float32)


def place_of_cold_items(model, split):
    model.fit(split.train, BUYERS, CIRCLE * KIN)
    return evaluate(model, split, "validation")["better"].mean()


def test_a_title_lets_an_item_that_nobody_bought_be_found():
    split, chance = kinds_split(), CIRCLE * KIN / 2
    assert not COLD[split.train["item"]].any()
    assert COLD[split.validation["item"]].all()
    assert place_of_cold_items(titled(kind_titles(), ids=False), split) < KIN
    assert place_of_cold_items(titled(None), split) > 0.8 * chance


def test_without_ids_items_of_one_title_cannot_be_told_apart():
    titles = TITLES.copy()
    titles[3] = titles[9]
    scores = fitted(text=titles, ids=False, settings=replace(QUICK, epochs=1)).score(EVERYBODY)
    np.testing.assert_array_equal(scores[:, 3], scores[:, 9])
    with_ids = fitted(text=titles, settings=replace(QUICK, epochs=1)).score(EVERYBODY)
    assert not np.allclose(with_ids[:, 3], with_ids[:, 9], atol=1e-3)


def test_judging_reads_validation_only():
    told = replace(QUICK, epochs=6, patience=1)
    model = fitted(replace(SPLIT, test=Untouchable()), settings=told)
    for test in (SPLIT.test.assign(item=0), SPLIT.test[:0]):
        other = fitted(replace(SPLIT, test=test), settings=told)
        np.testing.assert_array_equal(other.score(EVERYBODY), model.score(EVERYBODY))
        assert other.result.best_metric == model.result.best_metric


def test_training_stops_when_validation_no_longer_improves():
    told = replace(QUICK, epochs=60, patience=2, schedule="constant")
    model = fitted(SPLIT, settings=told)
    assert model.result.stopped_early
    assert model.result.history["epoch"].max() < 60
    assert ndcg(model) == pytest.approx(model.result.best_metric)


def test_a_finished_run_is_taken_from_its_folder(tmp_path, monkeypatch):
    told = replace(QUICK, epochs=3)
    first = fitted(SPLIT, tmp_path, settings=told)

    def never(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(TitleSequence, "loss", never)
    again = fitted(SPLIT, tmp_path, settings=told)
    np.testing.assert_array_equal(again.score(EVERYBODY), first.score(EVERYBODY))


def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    told = replace(QUICK, epochs=3, checkpoint_minutes=0)
    whole = fitted(SPLIT, settings=told, drop=0.3)
    loss, calls = TitleSequence.loss, []

    def breaking(self, network, batch):
        calls.append(1)
        if len(calls) == 9:
            raise RuntimeError("the power is gone")
        return loss(self, network, batch)

    monkeypatch.setattr(TitleSequence, "loss", breaking)
    with pytest.raises(RuntimeError, match="the power is gone"):
        fitted(SPLIT, tmp_path, settings=told, drop=0.3)
    resumed = fitted(SPLIT, tmp_path, settings=told, drop=0.3)
    assert len(calls) < 2 * whole.result.steps
    np.testing.assert_array_equal(resumed.score(EVERYBODY), whole.score(EVERYBODY))


def test_a_seed_fixes_the_scores():
    def scores(seed):
        told = replace(QUICK, epochs=2, seed=seed)
        return fitted(settings=told, drop=0.5, text_drop=0.3).score(EVERYBODY)

    first, again, other = scores(0), scores(0), scores(1)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-3)


def test_the_options_reach_the_samples_and_the_network():
    model = titled(most_per_user=2, text_drop=0.3, low_pass=0.6, drop=0.2, layers=2)
    model.settings = replace(QUICK, epochs=1)
    model.fit(SPLIT.train, USERS, ITEMS)
    assert len(model.samples(model.known)) == 2 * USERS
    assert len(fitted(settings=replace(QUICK, epochs=1)).samples(model.known)) == 4 * USERS
    assert model.network.items.drop == 0.3
    assert [layer.low_pass for layer in model.network.encoder.layers] == [0.6, 0.6]
    assert model.network.encoder.drop == 0.2
    assert model.network.items.text.square().sum(dim=1).mean().item() == pytest.approx(1, abs=1e-5)


def test_the_loss_is_the_cross_entropy_of_the_newest_state():
    model = fitted(settings=replace(QUICK, epochs=1), drop=0.0)
    batch = model.samples(model.known).collate(np.array([5, 0, 17]))
    total, count = model.loss(model.network, batch)
    states, vectors = model.network(batch["items"], batch["lengths"])
    scores = states.double() @ vectors.double().t()
    wanted = torch.nn.functional.cross_entropy(scores, batch["target"], reduction="sum")
    assert count == 3
    assert total.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_users_without_history_get_popularity():
    events = SPLIT.train[SPLIT.train["user"] != 4]
    model = fitted(events=events, settings=replace(QUICK, epochs=1))
    popular = np.bincount(events["item"], minlength=ITEMS)
    np.testing.assert_array_equal(model.score(np.array([4, 5]))[0], popular)


def test_neither_text_nor_ids_is_refused():
    with pytest.raises(ValueError, match="an id embedding, a text vector or both"):
        fitted(text=None, ids=False)
    with pytest.raises(ValueError, match=f"each of {ITEMS} items"):
        fitted(text=TITLES[:-1])
