"""Fusion weights, and α and β: a trial follows from the weights' ratio, and from nothing later."""

import numpy as np
import pytest

from recsys.data.splits import split
from recsys.search.ranking import rank_scores
from recsys.search.studies.logged_lists import logged_lists
from recsys.sweeps.functions import alpha_beta, fusion_weights
from recsys.training.hyperparameter_search.validation_only import without_test


def silent(metrics):
    """No report is expected."""
    raise AssertionError(metrics)


@pytest.fixture(scope="module")
def fusion():
    fixed = {"modalities": "words+colours", "judged_users": 200}
    return {name: one.default for name, one in fusion_weights.declared(fixed).items()} | fixed


def test_only_the_ratio_of_fusion_weights_counts(fusion):
    some = {"weight_behaviour": 0.8, "weight_words": 0.2, "weight_colours": 0.4}
    found = fusion_weights.run(fusion | some, silent)
    half = {name: value / 2 for name, value in some.items()}
    assert fusion_weights.run(fusion | half, silent) == pytest.approx(found)
    alone = fusion_weights.run(fusion, silent)
    assert alone != found
    assert set(found) == set(fusion_weights.FUSION_WEIGHTS.metrics)
    assert all(0 < value < 1 for value in found.values())


def test_a_fusions_scorers_are_made_without_the_test_part(fusion, monkeypatch):
    seen = []
    monkeypatch.setattr(
        fusion_weights, "without_test", lambda parts: seen.append(without_test(parts)) or seen[-1]
    )
    fusion_weights._scores.cache_clear()
    fusion_weights.run(fusion, silent)
    assert [one.test.__class__.__name__ for one in seen] == ["_Absent"]


@pytest.mark.parametrize("joined", ["", "profile", "text+reviews"])
def test_only_modalities_of_items_can_be_fused(joined):
    with pytest.raises(ValueError, match="modalities: names of items' modalities"):
        fusion_weights.declared({"modalities": joined})


@pytest.fixture(scope="module")
def feedback():
    return {name: one.default for name, one in alpha_beta.declared({}).items()} | {"backbone": "random-bert"}


def test_only_the_ratio_of_alpha_and_beta_counts(feedback):
    found = alpha_beta.run(feedback | {"alpha": 0.6, "beta": 0.3}, silent)
    assert alpha_beta.run(feedback | {"alpha": 0.2, "beta": 0.1}, silent) == pytest.approx(found)
    assert alpha_beta.run(feedback, silent) != found
    model = alpha_beta.run(feedback | {"alpha": 0.6, "beta": 0.3, "feedback": "model"}, silent)
    assert model != found
    assert 0 < found["ndcg@10"] < 1


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (-0.1, 1.0)])
def test_weights_that_mean_nothing_fail_with_a_reason(feedback, alpha, beta):
    with pytest.raises(ValueError, match="at least 0 and not both 0"):
        alpha_beta.run(feedback | {"alpha": alpha, "beta": beta}, silent)


def test_no_list_of_the_judging_time_is_there():
    logged = logged_lists("random-bert")
    kept = alpha_beta.before_judging(logged)
    assert set(kept.table["part"]) == {"learning", "choosing"}
    assert kept.shop.events["time"].max() < logged.part("judging")["time"].min()
    rows = alpha_beta._rows("random-bert", 0)
    assert len(rows) == len(logged.part("choosing"))
    scores = rank_scores(rows["search"].to_numpy(), rows["match"].to_numpy(), rows["model"].to_numpy(), 0.5)
    assert np.isfinite(scores).all()


def test_the_split_of_the_fusion_is_the_shops_own(fusion):
    from recsys.data.load import load_dataset

    parts = split(load_dataset("demo_store"))
    users = fusion_weights._scores(*(fusion[name] for name in fusion_weights.OWN)).users
    assert set(users) <= set(parts.validation["user"])
