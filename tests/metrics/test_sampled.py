"""Drawn counts against really drawn negatives, and the arithmetic of the chances."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.metrics.sampled import compare_protocols, sampled_metrics, sampled_positions


class FixedScores:
    def __init__(self, scores):
        self.scores = scores

    def score(self, users):
        return self.scores[users]


def one_target_each(users=400, items=60, levels=20, seed=0):
    random = np.random.default_rng(seed)
    chosen = np.argsort(random.random((users, items)), axis=1)[:, :3]
    parts = [pd.DataFrame({"user": np.arange(users), "item": chosen[:, i]}) for i in range(3)]
    model = FixedScores(random.integers(0, levels, (users, items)).astype(float))
    return model, SimpleNamespace(train=parts[0], validation=parts[1], test=parts[2])


def chances_by_hand(model, split, weights):
    """[T, 2] chance that one drawn candidate is better than, or equal to, the target: item by item."""
    rows = []
    for user, target in split.test.itertuples(index=False):
        out = {int(part.loc[user, "item"]) for part in (split.train, split.validation, split.test)}
        pool = np.array([i for i in range(model.scores.shape[1]) if i not in out])
        weight = weights[pool] / weights[pool].sum()
        scores, own = model.scores[user, pool], model.scores[user, target]
        rows.append((weight[scores > own].sum(), weight[scores == own].sum()))
    return np.array(rows)


@pytest.mark.parametrize("weights", [None, np.linspace(0.1, 5, 60)])
def test_counts_follow_the_chances_of_drawing_items_one_by_one(weights):
    model, split = one_target_each()
    negatives, repeats = 15, 40
    tables = [
        sampled_positions(model, split, negatives=negatives, weights=weights, seed=s) for s in range(repeats)
    ]
    drawn = np.mean([table[["better", "equal"]].to_numpy() for table in tables], axis=0)
    chance = chances_by_hand(model, split, np.ones(60) if weights is None else weights).clip(0, 1)
    deviation = np.sqrt(negatives * chance * (1 - chance) / repeats)
    random = deviation > 0
    np.testing.assert_allclose(drawn[~random], negatives * chance[~random])
    z = ((drawn - negatives * chance)[random]) / deviation[random]
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert np.mean(z**2) == pytest.approx(1.0, abs=0.2)


def test_sampled_metrics_flatter():
    model, split = one_target_each()
    full, _ = ranking_metrics(evaluate(model, split, ties="expected"), [5])
    sampled = sampled_metrics(sampled_positions(model, split, negatives=9), [5])
    assert sampled["sampled_hr@5"] > full["hr@5"] + 0.2
    assert set(sampled) == {f"sampled_{name}" for name in full}


def test_protocols_agree_with_their_parts_and_popular_draws_hide_a_real_gain():
    """Popularity beats chance over the catalogue and against uniform draws, but not against popular draws."""
    random = np.random.default_rng(0)
    users, items = 1500, 300
    chance = 1 / (np.arange(items) + 20.0)
    bought = random.choice(items, (users, 2), p=chance / chance.sum())
    split = SimpleNamespace(
        train=pd.DataFrame({"user": np.arange(users), "item": bought[:, 0]}),
        validation=pd.DataFrame({"user": [], "item": []}, dtype="int64"),
        test=pd.DataFrame({"user": np.arange(users), "item": bought[:, 1]}),
    )
    counts = np.bincount(split.train["item"], minlength=items)
    models = {
        "random": FixedScores(random.random((users, items))),
        "popularity": FixedScores(np.tile(counts.astype(float), (users, 1))),
    }
    found = compare_protocols(models, split, counts)
    hr = found.set_index(["scorer", "protocol"])["hr@10"]
    for protocol in ("full catalogue", "99 uniform"):
        assert hr["popularity", protocol] > 1.3 * hr["random", protocol]
    assert hr["popularity", "99 by popularity"] < 1.1 * hr["random", "99 by popularity"]
    whole, _ = ranking_metrics(evaluate(models["popularity"], split, ties="expected"), [10])
    assert hr["popularity", "full catalogue"] == pytest.approx(whole["hr@10"])
    binomial = np.sqrt(hr["random", "99 uniform"] * (1 - hr["random", "99 uniform"]) / 1500)
    assert found["error"][1] == pytest.approx(binomial, rel=0.1)


def test_same_seed_same_draw():
    model, split = one_target_each()
    first, again, other = (sampled_positions(model, split, seed=s) for s in (3, 3, 4))
    pd.testing.assert_frame_equal(first, again)
    assert not first["better"].equals(other["better"])


def test_targets_of_a_user_are_no_negatives_of_each_other():
    targets = pd.DataFrame({"user": [0, 0], "item": [0, 1]})
    nothing = targets.iloc[:0]
    split = SimpleNamespace(train=nothing, validation=nothing, test=targets)
    positions = sampled_positions(FixedScores(np.array([[2.0, 1.0, 0.0]])), split, negatives=50)
    assert positions["better"].tolist() == [0, 0]


def test_refusals():
    model, split = one_target_each()
    with pytest.raises(ValueError, match="at least 1"):
        sampled_positions(model, split, negatives=0)
    with pytest.raises(ValueError, match="no candidate"):
        sampled_positions(model, split, weights=np.zeros(60))
