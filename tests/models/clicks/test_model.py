"""The click model end to end: planted case, training, search, evaluation."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, softmax

from recsys.data.splits import Split
from recsys.losses.click_likelihood import gradient_by_hand
from recsys.metrics.ranking import earlier_events, new_targets, ranking_metrics
from recsys.models.clicks.data import ClickData
from recsys.models.clicks.evaluation import evaluate_model
from recsys.models.clicks.load import load_click_data
from recsys.models.clicks.model import ClickModel, popularity, untrained
from recsys.models.clicks.objectives import LOSSES, parse_objective
from recsys.models.clicks.planted import HELD_OUT, planted_clicks
from recsys.models.clicks.search import search, settings
from recsys.models.clicks.training import CONVERGED, fit


@pytest.fixture(scope="module")
def case():
    return planted_clicks(n_users=120, n_items=90, clicks_per_user=6, width=8, seed=1)


@pytest.fixture(scope="module")
def learned(case):
    """The same clicks with the users' features withheld."""
    return ClickData("withheld", case.split)


def test_the_default_case_has_the_sizes_of_the_article():
    case = load_click_data("planted", seed=0)
    assert (case.n_users, case.n_items, case.features.shape) == (1000, 1000, (1000, 100))
    assert set(case.clicks.per_user().tolist()) == {10}


def test_clicks_are_distinct_and_each_user_gives_the_same_number_to_every_part(case):
    split = case.split
    everything = pd.concat([split.train, split.validation, split.test])
    assert not everything.duplicated(["user", "item"]).any()
    for part, count in ((split.train, 6), (split.validation, HELD_OUT), (split.test, HELD_OUT)):
        assert (part.groupby("user").size() == count).all()
        assert part["user"].nunique() == case.n_users
    assert (case.features[:, 0] == 1).all()


def test_clicks_follow_the_planted_scores_and_the_seed(case):
    clicked = case.true_scores[case.split.test["user"], case.split.test["item"]]
    assert clicked.mean() > case.true_scores.mean() + 1
    again = planted_clicks(120, 90, 6, 8, seed=1)
    other = planted_clicks(120, 90, 6, 8, seed=2)
    pd.testing.assert_frame_equal(case.split.train, again.split.train)
    assert not case.split.train["item"].equals(other.split.train["item"])


def test_a_case_that_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="10 distinct clicks a user"):
        planted_clicks(5, 9, clicks_per_user=6)
    with pytest.raises(ValueError, match="width must be at least 2"):
        planted_clicks(5, 90, 6, width=1)


def test_popularity_orders_items_by_how_many_users_clicked_them(case):
    scores = popularity(case).score(np.array([0, 7]))
    clickers = case.split.train.groupby("item")["user"].nunique().reindex(range(90), fill_value=0)
    assert (np.argsort(-scores[0], kind="stable") == np.argsort(-clickers.to_numpy(), kind="stable")).all()
    np.testing.assert_array_equal(scores[0], scores[1])
    rate = (clickers.iloc[3] + 0.5) / (case.n_users + 1)
    assert scores[0, 3] == pytest.approx(math.log(rate / (1 - rate)), rel=1e-5)


def test_untrained_scores_differ_little_from_the_click_rate(case):
    probability = 1 / (1 + np.exp(-untrained(case).score(np.arange(case.n_users))))
    rate = len(case.clicks.users) / (case.n_users * case.n_items)
    assert probability.mean() == pytest.approx(rate, rel=0.05)


def test_the_printed_loss_drives_clicked_pairs_down_and_never_comes_to_rest(case):
    start = evaluate_model(fit(case, "untrained").model, case)[0]
    result = fit(case, "printed", learning_rate=0.05, steps=150)
    metrics, _ = evaluate_model(result.model, case)
    assert result.curve["loss"].is_monotonic_decreasing
    assert result.gradient_ratio > 0.9
    assert metrics["clicked_probability"] < 0.5 * start["clicked_probability"]
    assert metrics["clicked_probability"] < 0.5 * metrics["other_probability"]
    assert metrics["ndcg@10"] < 0.5 * start["ndcg@10"]


def test_without_negatives_clicked_pairs_go_to_one_and_pull_the_others_along(learned):
    result = fit(learned, "positives_only", learning_rate=0.1, steps=150, width=8)
    metrics, _ = evaluate_model(result.model, learned)
    assert metrics["clicked_probability"] > 0.99
    assert metrics["other_probability"] > 0.5  # from a click rate of 0.07


@pytest.mark.parametrize("objective", ["bce_l2", "softmax_l2"])
def test_convex_objectives_reach_their_optimum(case, objective):
    result = fit(case, objective, strength=3.0, steps=300)
    assert result.solver == "L-BFGS"
    assert result.gradient_ratio <= CONVERGED
    elsewhere = fit(case, objective, strength=3.0, steps=300, seed=5)  # another start, the same optimum
    # the base rate of an item without a click has no finite optimum, but what it predicts has: 0
    everyone = np.arange(case.n_users)
    link = (lambda s: softmax(s, axis=1)) if objective == "softmax_l2" else expit
    one, other = (link(found.model.score(everyone)) for found in (result, elsewhere))
    assert np.abs(one - other).max() < 2e-3


def test_the_optimum_balances_likelihood_and_penalty(case):
    model = fit(case, "bce_l2", strength=3.0, steps=300).model
    pull = gradient_by_hand(model.user_vectors.double(), model.item_vectors.double(), case.clicks)[1]
    penalty = 2 * 3.0 / case.n_users * model.item_vectors.double()
    penalty[:, 0] = 0  # Ω leaves the base rates alone
    assert (pull + penalty).norm() < 1e-3 * penalty.norm()


@pytest.mark.parametrize("objective", [*LOSSES, "bce_dropout", "bpr_l2"])
def test_every_objective_trains_with_learned_users_and_repeats_bit_for_bit(learned, objective):
    options = {"strength": 0.3, "steps": 12, "batch_users": 50, "width": 6, "seed": 3}
    one, two = (fit(learned, objective, **options) for _ in range(2))
    assert torch.equal(one.model.item_vectors, two.model.item_vectors)
    assert torch.equal(one.model.user_vectors, two.model.user_vectors)
    assert (one.model.user_vectors[:, 0] == 1).all()
    assert len(one.curve) == 12
    start = untrained(learned, 6, seed=3)
    assert not torch.equal(one.model.item_vectors, start.item_vectors)
    assert not torch.equal(one.model.user_vectors, start.user_vectors)


@pytest.mark.parametrize("objective", ["bce_l2", "bce_dropout", "softmax_l2", "sampled_softmax_l2", "bpr_l2"])
def test_mended_losses_beat_the_start_and_popularity(case, objective):
    strength = 0.5 if objective == "bce_dropout" else 3.0
    trained = fit(case, objective, learning_rate=0.05, strength=strength, steps=150).model
    found, by_count, start = (
        evaluate_model(model, case)[0]["ndcg@10"] for model in (trained, popularity(case), untrained(case))
    )
    assert found > by_count > start


def test_names_of_objectives():
    assert parse_objective("sampled_softmax_l2", 2.0).loss == "sampled_softmax"
    assert parse_objective("bce", 2.0).strength == 0.0
    assert parse_objective("bce_dropout", 0.5).penalty == "dropout"
    assert not parse_objective("bce_dropout", 0.5).is_smooth
    for name, strength in (("hinge", 0), ("bce_l1", 0), ("_l2", 0)):
        with pytest.raises(ValueError, match="unknown objective"):
            parse_objective(name, strength)
    for name, strength in (("bce_dropout", 1.0), ("bce_l2", -1.0)):
        with pytest.raises(ValueError, match="out of range"):
            parse_objective(name, strength)


def test_every_objective_has_the_same_budget_and_ignored_settings_are_left_out(case, learned):
    for objective in ("printed", "bce", "bce_dropout", "softmax_l2", "bpr"):
        table = pd.DataFrame(settings(learned, objective, 4))
        assert len(table) == 4
        assert table["learning_rate"].nunique() == 4
        assert table["strength"].nunique() == (4 if "_" in objective else 0)
    assert len(settings(case, "bce", 4)) == 1
    assert pd.DataFrame(settings(case, "bce_l2", 4))["learning_rate"].isna().all()
    with pytest.raises(ValueError, match="at least one trial"):
        settings(case, "bce", 0)


def test_search_keeps_the_setting_that_validates_best(case):
    found = search(case, "bce_l2", trials=3, steps=60)
    chosen = found.trials[found.trials["chosen"]]
    assert len(chosen) == 1
    assert chosen["ndcg@10"].item() == found.trials["ndcg@10"].max()
    again, _ = evaluate_model(found.best.model, case, "validation")
    assert again["ndcg@10"] == chosen["ndcg@10"].item()


def test_measures_follow_their_definitions():
    split = Split(
        pd.DataFrame({"user": [0, 0, 1], "item": [0, 1, 2]}),
        pd.DataFrame({"user": [0], "item": [2]}),
        pd.DataFrame({"user": [0, 1, 1], "item": [3, 0, 2]}),  # user 1 had met item 2: no new target
        "leave_one_out",
        2,
        5,
    )
    generator = torch.Generator().manual_seed(0)
    model = ClickModel(torch.randn(2, 3, generator=generator), torch.randn(5, 3, generator=generator))
    data = ClickData("small", split)
    metrics, positions = evaluate_model(model, data, "test")
    scores = model.score(np.array([0, 1])).astype(float)

    def surprise(user, item, others):
        return math.log(sum(math.exp(scores[user, j]) for j in {item, *others})) - scores[user, item]

    train = [surprise(0, 0, [2, 3, 4]), surprise(0, 1, [2, 3, 4]), surprise(1, 2, [0, 1, 3, 4])]
    held_out = [surprise(0, 3, [4]), surprise(1, 0, [1, 3, 4])]
    assert metrics["train_nats"] == pytest.approx(np.mean(train), rel=1e-5)
    assert metrics["held_out_nats"] == pytest.approx(np.mean(held_out), rel=1e-5)
    assert metrics["overfit_gap"] == pytest.approx(np.mean(held_out) - np.mean(train), rel=1e-4)
    probability = 1 / (1 + np.exp(-scores))
    clicked = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 0, 0]], dtype=bool)
    assert metrics["clicked_probability"] == pytest.approx(probability[clicked].mean(), rel=1e-5)
    assert metrics["other_probability"] == pytest.approx(probability[~clicked].mean(), rel=1e-5)
    assert len(positions) == len(new_targets(split, "test")) == 2
    assert len(earlier_events(split, "test")) == 4
    assert ranking_metrics(positions)[0]["ndcg@10"] == metrics["ndcg@10"]


def test_wrong_arguments_are_refused(case, learned):
    with pytest.raises(ValueError, match="learning_rate > 0"):
        fit(case, "printed", learning_rate=0.0)
    with pytest.raises(ValueError, match="unknown objective"):
        fit(case, "hinge")
    with pytest.raises(ValueError, match="width must be at least 2"):
        fit(learned, "bce", width=1)
