"""Every method of fusion on pools whose best fusion is planted."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import fused_positions
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.fusion import METHODS, cross_fitted, fit, fuse
from recsys.ensembling.list_measure import ListMeasure
from recsys.ensembling.methods import stacking
from recsys.ensembling.methods.selection import greedy
from recsys.metrics.ranking import ranking_metrics
from tests.ensembling.planted_pools import USERS, planted

BUDGET = Budget(calls=120, rows=0)


def ndcg(places):
    return ranking_metrics(places, (10,))[0]["ndcg@10"]


@pytest.mark.parametrize("per_user", [1, 3])
def test_the_measure_is_the_metric(per_user):
    pool, targets = planted(per_user=per_user)
    measure = ListMeasure(pool, targets)
    for scores, whole in zip(measure.pool.scores, pool.scores, strict=True):
        # rounded, so that ties happen in both
        expected = ndcg(fused_positions(pool, np.round(whole, 1), targets))
        assert measure(np.round(scores, 1)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "single"])
def test_two_good_scorers_together_beat_the_best_alone(method):
    validation, targets = planted(0, noises=(1.2, 1.2))
    test, test_targets = planted(1, noises=(1.2, 1.2))
    both = {"validation": targets, "test": test_targets}
    single = fuse("single", validation, test, both, BUDGET)
    fused = fuse(method, validation, test, both, BUDGET)
    assert ndcg(fused.test) > ndcg(single.test) + 0.03
    assert ndcg(fused.validation) > ndcg(single.validation) + 0.03


@pytest.mark.parametrize("method", ["convex", "rrf", "greedy", "stacking"])
def test_a_scorer_of_noise_is_not_believed(method):
    pool, targets = planted(0)
    test, test_targets = planted(1)
    fusion = fit(method, pool, targets, BUDGET)
    without = fit(method, planted(0, (1.2, 1.2))[0], targets, BUDGET)
    clean, clean_targets = planted(1, (1.2, 1.2))
    with_noise = ndcg(fused_positions(test, fusion.fuse(test), test_targets))
    assert with_noise > ndcg(fused_positions(clean, without.fuse(clean), clean_targets)) - 0.04
    if fusion.weights is not None:
        assert fusion.weights[2] <= 0.2


def test_stacking_is_not_turned_round_by_targets_far_down(monkeypatch):
    """Beside the best five of each user a target from further down looks as if a low score were the sign."""
    monkeypatch.setattr(stacking, "NEGATIVES", 5)
    pool, targets = planted(0, noises=(3.0, 3.0))
    test, wanted = planted(1, noises=(3.0, 3.0))
    learnt, equal = (fit(method, pool, targets, BUDGET).fuse(test) for method in ("stacking", "equal"))
    assert ndcg(fused_positions(test, learnt, wanted)) > 0.9 * ndcg(fused_positions(test, equal, wanted))


@pytest.mark.parametrize("method", list(METHODS))
def test_a_fusion_depends_on_its_own_users_alone(method):
    pool, targets = planted(0)
    fusion = fit(method, pool, targets, BUDGET)
    some = np.arange(0, USERS, 7)
    np.testing.assert_allclose(fusion.fuse(pool)[some], fusion.fuse(pool.take(some)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["convex", "stacking"])
def test_cross_fitting_never_shows_a_fold_its_own_targets(method):
    """Targets of one fold are swapped for others: its fused lists may not move, only their places do."""
    pool, targets = planted(0)
    fold = np.random.default_rng(BUDGET.seed).permutation(len(pool.rows)) % 3
    changed = targets.copy()
    own = np.flatnonzero(fold == 0)
    changed.loc[own, "item"] = (targets.loc[own, "item"] + 1) % 60
    before = fit(method, pool.take(fold != 0), targets, BUDGET).fuse(pool.take(fold == 0))
    after = fit(method, pool.take(fold != 0), changed, BUDGET).fuse(pool.take(fold == 0))
    np.testing.assert_array_equal(before, after)
    whole = cross_fitted(method, pool, targets, BUDGET, folds=3)
    expected = fused_positions(pool.take(fold == 0), before, targets)
    found = whole[whole["user"].isin(own)].reset_index(drop=True)
    assert (found["better"] == expected["better"]).all()


@pytest.mark.parametrize("search", ["coordinate", "grid", "random"])
def test_no_search_calls_the_measure_more_often_than_it_may(search):
    pool, targets = planted(0, users=80)
    fusion = fit("convex", pool, targets, Budget(calls=40, rows=0, search=search))
    assert 3 <= len(fusion.trials) <= 40
    assert {"value", "seconds"} <= set(fusion.trials)


def test_greedy_selection_counts_what_it_took():
    weights, trials = greedy(lambda w: -float(np.abs(w - [0.5, 0.25, 0.25]).sum()), 3, calls=30)
    np.testing.assert_allclose(weights, [0.5, 0.25, 0.25])
    assert len(trials) == 30


def test_few_users_are_chosen_by_when_few_are_asked_for():
    pool, targets = planted(0)
    few = fit("single", pool, targets, replace(BUDGET, rows=50))
    assert len(few.trials) == 3


def test_what_cannot_be_fused_is_said():
    pool, targets = planted(0, noises=(1.0,))
    with pytest.raises(EnsembleError, match="one model only"):
        fit("convex", pool, targets)
    two, _ = planted(0, noises=(1.0, 1.0))
    with pytest.raises(EnsembleError, match="validation has the scorers"):
        fuse("convex", two, pool, {"validation": targets, "test": targets})
    with pytest.raises(EnsembleError, match="no search"):
        fit("convex", two, targets, Budget(search="annealing"))
    with pytest.raises(EnsembleError, match="folds"):
        cross_fitted("convex", two, targets, folds=1)
    with pytest.raises(EnsembleError, match="nothing to choose by"):
        fit("convex", two, targets.assign(user=-5))
