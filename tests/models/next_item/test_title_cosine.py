"""The sequence model with a cosine term: it starts as that sum, learns its weights, and reads cold items."""

import numpy as np
import pandas as pd
import pytest
import torch

from recsys.data.histories import histories
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.models.next_item.title_cosine import CosineTerm, TitleCosineSequence, leading_directions
from recsys.models.next_item.zero_shot import ZeroShot
from tests.models.next_item.test_title_sequence import QUICK, SPLIT, TITLES
from tests.training.planted_cycle import ITEMS, USERS

SHAPE = {"width": 16, "layers": 1, "drop": 0.1, "max_items": 10, "low_pass": 0.5}


def model(**rest):
    return TitleCosineSequence(TITLES, settings=QUICK, **SHAPE, **rest)


def test_the_circle_is_learnt_and_the_cosine_is_weighed_down():
    fitted = model().fit(SPLIT.train, USERS, ITEMS, SPLIT)
    quality = ranking_metrics(evaluate(fitted, SPLIT, "validation"))[0]["ndcg@10"]
    assert quality > 0.95
    # titles are noise on the circle, so nearness to the newest title misleads
    weights = fitted.network.cosine.weights()
    assert weights[0] < 0.9
    assert (weights > 0).all()


def test_where_the_next_title_is_near_the_weight_grows():
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(40, 24))
    titles = np.concatenate([pairs, pairs + 0.1 * rng.normal(size=pairs.shape)]).astype(np.float32)
    first = rng.integers(0, 40, 300)
    events = pd.DataFrame(
        {
            "user": np.repeat(np.arange(300), 2),
            "item": np.stack([first, first + 40], 1).ravel(),
            "order": [0, 1] * 300,
        }
    )
    fitted = TitleCosineSequence(titles, settings=QUICK, directions=0, **SHAPE).fit(events, 300, 80)
    assert fitted.network.cosine.weights()[0] > 2


def test_without_the_sequence_part_it_ranks_as_the_zero_shot_scorer_does():
    fitted = model(directions=0, newest=1).fit(SPLIT.train, USERS, ITEMS)
    for parameter in fitted.network.sequence.parameters():
        parameter.data.zero_()
    fitted._store_item_vectors()
    users = np.arange(20)
    unit = TITLES / np.linalg.norm(TITLES, axis=1, keepdims=True)
    expected = ZeroShot(unit).fit(SPLIT.train, USERS, ITEMS).score(users)
    weight = fitted.network.cosine.weights()[0].item()
    np.testing.assert_allclose(fitted.score(users), weight * expected, rtol=1e-4, atol=1e-4)


def test_training_and_scoring_see_the_same_term():
    term = CosineTerm(torch.from_numpy(TITLES), newest=3)
    known = histories(SPLIT.train, USERS)
    items, lengths = known.newest(np.arange(5), 10)
    found = term(torch.from_numpy(items), torch.from_numpy(lengths))
    weights = term.weights().detach().numpy()
    for user in range(5):
        newest = known.of(user)[::-1][:3]
        expected = sum(w * TITLES[item] for w, item in zip(weights, newest, strict=False))
        np.testing.assert_allclose(found[user].detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_leading_directions_keep_cosines():
    rng = np.random.default_rng(0)
    flat = torch.from_numpy((rng.normal(size=(60, 4)) @ rng.normal(size=(4, 30))).astype(np.float32))
    unit = leading_directions(flat, 0)
    few = leading_directions(flat, 4)
    assert few.shape == (60, 4)
    torch.testing.assert_close(few @ few.t(), unit @ unit.t(), rtol=1e-3, atol=1e-4)
    assert (leading_directions(torch.zeros(3, 8), 2) == 0).all()


@pytest.mark.parametrize("wrong", [{"directions": -1}, {"newest": 0}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(ValueError, match="at least"):
        model(**wrong)
