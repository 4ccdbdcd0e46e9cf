"""What all trained next-item models share, shown on the smallest one: the next item from the last alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.training.next_item import METRIC, NextItemRecommender, catalogue_cross_entropy
from recsys.training.prefixes import PrefixSamples
from recsys.training.settings import TrainingSettings
from tests.training.planted_cycle import EVERYBODY, ITEMS, USERS, Untouchable, planted_cycle

SPLIT = planted_cycle()
QUICK = TrainingSettings(epochs=12, learning_rate=0.05, batch_size=64)


class FromTo(nn.Module):
    def __init__(self, n_items):
        super().__init__()
        self.come, self.go = nn.Embedding(n_items, 12), nn.Embedding(n_items, 12)

    def item_vectors(self):
        return self.go.weight


class LastItem(NextItemRecommender):
    """x_u is a vector of u's last item. Notes down whom it scores."""

    def build(self, n_items):
        self.asked = []
        return FromTo(n_items)

    def samples(self, known):
        return PrefixSamples(known, max_items=1)

    def loss(self, network, batch):
        states = network.come(batch["items"][:, 0])
        return catalogue_cross_entropy(states, network.item_vectors(), batch["target"])

    def user_vectors(self, users):
        return self.network.come(torch.from_numpy(self.known.newest(users, 1)[0][:, 0]))

    def score(self, users):
        self.asked.append(np.asarray(users))
        return super().score(users)


def fitted(settings=QUICK, split=None, events=SPLIT.train, n_items=ITEMS, folder=None, **rest):
    return LastItem(settings, **rest).fit(events, USERS, n_items, split, folder)


def ndcg(model, split=SPLIT, part="validation"):
    return ranking_metrics(evaluate(model, split, part))[0][METRIC]


def test_it_learns_and_returns_itself():
    model = fitted(split=SPLIT)
    assert isinstance(model, LastItem)
    assert ndcg(model) > 0.95
    assert ndcg(model.with_history(pd.concat([SPLIT.train, SPLIT.validation])), part="test") > 0.95
    assert model.result.best_metric == pytest.approx(ndcg(model))
    assert not model.network.training


def test_catalogue_cross_entropy_is_torchs():
    torch.manual_seed(0)
    x, w = torch.randn(9, 4, requires_grad=True), torch.randn(6, 4, requires_grad=True)
    target = torch.tensor([0, 5, 5, 1, 2, 0, 3, 3, 3])
    mine, count = catalogue_cross_entropy(x, w, target)
    torchs = cross_entropy(x.double() @ w.double().t(), target, reduction="sum")
    assert count == 9
    assert mine.item() == pytest.approx(torchs.item(), rel=1e-6)
    for own, other in zip(*(torch.autograd.grad(loss, [x, w]) for loss in (mine, torchs)), strict=True):
        torch.testing.assert_close(own, other, atol=1e-5, rtol=1e-5)


def test_scores_are_of_the_newest_item_and_in_the_order_asked_for():
    model = fitted(replace(QUICK, epochs=1))
    scores = model.score(EVERYBODY)
    assert scores.shape == (USERS, ITEMS)
    assert scores.dtype == np.float32
    last = SPLIT.train.groupby("user")["item"].last().to_numpy()
    come, go = (table.weight.detach().numpy() for table in (model.network.come, model.network.go))
    np.testing.assert_allclose(scores, come[last] @ go.T, atol=1e-5)
    some = np.array([7, 3, 80])
    np.testing.assert_allclose(model.score(some), scores[some], atol=1e-5)


def test_users_without_history_get_the_popularity_of_training():
    mute = [0, 3, USERS - 1]
    events = SPLIT.train[~SPLIT.train["user"].isin(mute)]
    model = fitted(replace(QUICK, epochs=1), events=events)
    popular = np.bincount(events["item"], minlength=ITEMS)
    np.testing.assert_array_equal(model.score(np.array([3, 5, 0]))[[0, 2]], [popular, popular])
    np.testing.assert_array_equal(model.score(np.array(mute)), [popular] * 3)
    assert not np.array_equal(model.score(np.array([5]))[0], popular)


def test_with_history_changes_what_is_known_and_nothing_else():
    model = fitted(replace(QUICK, epochs=1))
    before = model.score(EVERYBODY)
    everything = pd.concat([SPLIT.train, SPLIT.validation])
    told = model.with_history(everything)
    assert told.network is model.network
    last = SPLIT.validation.sort_values("user")["item"].to_numpy()
    come, go = (table.weight.detach().numpy() for table in (model.network.come, model.network.go))
    np.testing.assert_allclose(told.score(EVERYBODY), come[last] @ go.T, atol=1e-5)
    np.testing.assert_array_equal(model.score(EVERYBODY), before)
    nothing = model.with_history(everything[:0])
    np.testing.assert_array_equal(nothing.score(EVERYBODY), np.tile(model.popularity, (USERS, 1)))


def test_judging_reads_validation_and_never_the_test_table():
    hidden = replace(SPLIT, test=Untouchable())
    model = fitted(split=hidden)
    assert ndcg(model) > 0.95
    wrong = SPLIT.test.assign(item=0)
    for test in (wrong, SPLIT.test[:0]):
        other = fitted(split=replace(SPLIT, test=test))
        np.testing.assert_array_equal(other.score(EVERYBODY), model.score(EVERYBODY))
    other = fitted(replace(QUICK, patience=1), replace(SPLIT, validation=SPLIT.validation.assign(item=0)))
    assert other.result.best_metric != model.result.best_metric


def test_the_best_weights_are_kept_and_training_stops_when_nothing_improves():
    told = replace(QUICK, epochs=60, patience=2, schedule="constant", warmup_share=0.0, learning_rate=0.3)
    model = fitted(told, SPLIT)
    metrics = model.result.history["metric"].dropna()
    assert model.result.stopped_early
    assert metrics.argmax() == len(metrics) - 3
    assert ndcg(model) == pytest.approx(metrics.max())
    # the item vectors that are scored with are those of the best weights too
    np.testing.assert_array_equal(model.items.detach(), model.network.item_vectors().detach())


@pytest.mark.parametrize("most", [1, 7, USERS, 1000])
def test_the_judged_users_are_fixed_by_their_codes(most):
    def asked(split, seed):
        model = fitted(replace(QUICK, epochs=2, seed=seed), split, judged_users=most)
        return [np.concatenate(model.asked[i :: len(model.asked)]).tolist() for i in range(2)]

    some = replace(SPLIT, validation=SPLIT.validation[SPLIT.validation["user"] % 2 == 0])
    first, second = asked(some, seed=0)
    assert first == second  # the same at each look,
    assert asked(replace(some, validation=some.validation.sample(frac=1, random_state=1)), 5)[0] == first
    assert len(set(first)) == len(first) == min(most, USERS // 2)
    assert set(first) <= set(range(0, USERS, 2))


def test_without_a_split_training_goes_to_the_end():
    model = fitted(replace(QUICK, epochs=3, patience=1))
    assert model.result.best_metric is None
    assert model.result.history["epoch"].max() == 3


def test_the_seed_fixes_everything():
    def scores(seed):
        torch.rand(seed + 3)  # whatever was drawn before does not matter
        return fitted(replace(QUICK, epochs=2, seed=seed)).score(EVERYBODY)

    first, again, other = scores(0), scores(0), scores(1)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_finished_run_is_taken_from_its_folder(tmp_path, monkeypatch):
    first = fitted(split=SPLIT, folder=tmp_path)

    def never(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(LastItem, "loss", never)
    again = fitted(split=SPLIT, folder=tmp_path)
    np.testing.assert_array_equal(again.score(EVERYBODY), first.score(EVERYBODY))
    assert again.result.best_metric == first.result.best_metric


def test_what_cannot_be_trained_on_is_refused():
    once = SPLIT.train.groupby("user").head(1)
    with pytest.raises(ValueError, match="no user has two events"):
        fitted(events=once)
    with pytest.raises(ValueError, match=f"items 0 to {ITEMS - 1}, but there are {ITEMS - 1} items"):
        fitted(n_items=ITEMS - 1)
    with pytest.raises(ValueError, match="items -1 to "):
        fitted(events=SPLIT.train.assign(item=SPLIT.train["item"] - 1))
    with pytest.raises(ValueError, match=f"users 1 to {USERS}"):
        fitted(events=SPLIT.train.assign(user=SPLIT.train["user"] + 1))


def test_nothing_to_judge_by_is_said_before_training(monkeypatch):
    def never(*_):
        raise AssertionError("trained first")

    monkeypatch.setattr(LastItem, "loss", never)
    for part in (SPLIT.validation[:0], SPLIT.train):  # nobody; nothing but repeats
        with pytest.raises(ValueError, match="nothing to judge by"):
            fitted(split=replace(SPLIT, validation=part))
    with pytest.raises(ValueError, match="judged_users must be at least 1, got 0"):
        fitted(split=SPLIT, judged_users=0)


def test_unknown_codes_are_refused_when_scoring():
    model = fitted(replace(QUICK, epochs=1))
    for user in (-1, USERS):
        with pytest.raises(ValueError, match=f"user {user} is unknown"):
            model.score(np.array([0, user]))
    with pytest.raises(ValueError, match=f"but there are {ITEMS} items"):
        model.with_history(SPLIT.train.assign(item=SPLIT.train["item"] + 1))
