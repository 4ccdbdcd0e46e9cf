"""A pool: the search never holds the test part, and what it chose is judged there afterwards."""

import numpy as np
import pytest

from recsys.data.splits import split
from recsys.metrics.ranking import ranking_metrics
from recsys.models.next_item.data import NextItemData
from recsys.runs.grid.experiment import load_experiments
from recsys.sweeps import pool as pools
from recsys.sweeps.draws import best_of_draws, optimism_of_halves
from recsys.sweeps.functions import next_item
from recsys.training.hyperparameter_search.validation_only import NoTestPart
from tests.conftest import ROOT
from tests.models.next_item.test_comparison import shop


@pytest.fixture
def data(monkeypatch) -> NextItemData:
    dataset = shop()
    parts = split(dataset)
    made = NextItemData(dataset, parts, parts.train, None, None)
    monkeypatch.setattr(next_item, "load_next_item", lambda name: made)
    next_item.trial_data.cache_clear()
    yield made
    next_item.trial_data.cache_clear()


@pytest.mark.parametrize("model", ["item_knn", "bpr", "sequence"])
def test_a_pool_is_chosen_by_validation_and_judged_on_test(data, model):
    pool = pools.tuning_pool(data, model, 4, epochs=1.0, judged_users=30, seed=1)
    trials = pool.trials
    assert len(trials) == 4
    assert trials.loc[trials["chosen"], "validation"].item() == trials["validation"].max()
    np.testing.assert_allclose(trials["validation"], trials["ndcg@10"], rtol=1e-5)
    chosen = trials.index[trials["chosen"]].item()
    assert pool.metrics["ndcg@10"] == pytest.approx(trials.loc[chosen, "test"], rel=1e-5)
    assert ranking_metrics(pool.positions)[0]["ndcg@10"] == pool.metrics["ndcg@10"]
    draws = best_of_draws(trials["validation"].to_numpy(), pool.test, (1, 4))
    halves = optimism_of_halves(pool.validation, (1, 4), repeats=10)
    metrics = pools.pool_metrics(pool, draws, halves)
    assert metrics["gain_of_4"] == pytest.approx(metrics["tuning_gain"], abs=1e-6)
    assert {"optimism_of_4", "hidden_by_choice_of_4", "tuning_spread", "failed_trials"} <= metrics.keys()


def test_every_run_has_every_metric_that_its_experiment_demands(data):
    """A run of the defaults alone had no tuning_spread, and a demanded metric that is missing fails a run."""
    pool = pools.tuning_pool(data, "item_knn", 1)
    validation = pool.trials["validation"].to_numpy()
    draws = best_of_draws(validation, pool.test, (1,))
    metrics = pools.pool_metrics(pool, draws, optimism_of_halves(pool.validation, (1,), repeats=10))
    assert set(load_experiments(ROOT / "experiments")["06_ray_tune_sweeps"].metrics) <= metrics.keys()
    assert metrics["tuning_spread"] == 0.0


def test_a_trial_that_reaches_for_the_test_part_fails(data, monkeypatch):
    def peeking(name, given, chosen, seed):
        return given.split.test["item"]

    monkeypatch.setattr(pools, "fit_baseline", peeking)
    with pytest.raises(NoTestPart):
        pools.tuning_pool(data, "item_knn", 2)


def test_a_failed_configuration_leaves_a_gap_and_no_more(data, monkeypatch):
    honest = pools.fit_baseline

    def sometimes(name, given, chosen, seed):
        if chosen["neighbours"] != 100:
            raise MemoryError("no room")
        return honest(name, given, chosen, seed)

    monkeypatch.setattr(pools, "fit_baseline", sometimes)
    pool = pools.tuning_pool(data, "item_knn", 3)
    assert np.isnan(pool.trials["test"]).tolist() == [False, True, True]
    assert pool.trials["chosen"].tolist() == [True, False, False]


@pytest.mark.parametrize("model", ["item_knn", "sequence"])
def test_the_trial_function_measures_and_reports(data, model):
    parameters = next_item.declared({"model": model})
    settings = {name: one.default for name, one in parameters.items()} | {"model": model, "epochs": 2.0}
    reports = []
    metrics = next_item.run(settings, reports.append)
    assert set(metrics) == set(next_item.NEXT_ITEM.metrics)
    assert len(reports) == (2 if model == "sequence" else 0)
    assert (metrics["parameters"] > 0) == (model == "sequence")
    assert next_item.trial_data("circle").split.test.__class__.__name__ == "_Absent"


def test_data_are_loaded_before_a_trials_clock_starts(data):
    """The first trial of a process once paid seven core seconds for what the second had for nothing."""
    next_item.NEXT_ITEM.prepare({"dataset": "circle", "model": "item_knn"})
    loaded = next_item.trial_data.cache_info().misses
    settings = {name: one.default for name, one in next_item.declared({}).items()} | {"dataset": "circle"}
    next_item.run(settings, lambda metrics: None)
    assert next_item.trial_data.cache_info().misses == loaded == 1


def test_models_without_settings_are_refused(data):
    with pytest.raises(ValueError, match="no model 'popularity' with settings to search"):
        pools.tuning_pool(data, "popularity", 2)
