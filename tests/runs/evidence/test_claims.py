"""Verdicts of claims follow from records."""

import numpy as np
import pytest

from recsys.metrics.significance import paired_bootstrap, paired_permutation_test
from recsys.runs.evidence.claims import verdicts
from recsys.runs.records import load_records
from tests.runs.made_records import claims_of, objective

BCE_BEATS = {
    "metric": "ndcg@10",
    "treatment": {"objective": "bce"},
    "control": {"objective": "random"},
    "pair": "user",
    "alternative": "greater",
}
GAP_FALLS = {
    "metric": "gap",
    "treatment": {"objective": "l2"},
    "control": {"objective": "bce"},
    "pair": "seed",
    "alternative": "less",
}


def verdict_of(folder, *criteria, **fields):
    return verdicts(claims_of({"decide": list(criteria)} | fields), load_records(folder))[0]


@pytest.mark.parametrize(
    ("bce", "random", "state"), [(5, 60, "supported"), (60, 5, "refuted"), (20, 20, "undecided")]
)
def test_verdict_pairs_users_over_seeds(tmp_path, bce, random, state):
    objective(tmp_path, "bce", mean_rank=bce)
    objective(tmp_path, "random", seeds=(5, 6, 7), mean_rank=random)
    verdict = verdict_of(tmp_path, BCE_BEATS)
    assert verdict.state == state
    assert verdict.decisive.n == 400
    assert len(verdict.records) == 6


def test_interval_and_p_value_are_those_of_significance(tmp_path):
    objective(tmp_path, "bce", seeds=(0,), mean_rank=8)
    objective(tmp_path, "random", seeds=(1,), mean_rank=12)
    found = verdict_of(tmp_path, BCE_BEATS).decisive
    records = {record.parameters["objective"]: record for record in load_records(tmp_path)}
    a, b = (
        np.where(r.positions()["better"] < 10, 1 / np.log2(r.positions()["better"] + 2), 0)
        for r in (records["bce"], records["random"])
    )
    expected = paired_bootstrap(a, b, resamples=2000)
    assert (found.effect, found.low, found.high) == pytest.approx(
        (expected.difference, expected.low, expected.high)
    )
    assert found.p_value == pytest.approx(paired_permutation_test(a, b))


@pytest.mark.parametrize(
    ("gaps", "state"),
    [
        ([0.50, 0.52, 0.49], "supported"),
        ([1.50, 1.52, 1.49], "refuted"),
        ([0.2, 1.9, 1.1], "undecided"),
    ],
)
def test_verdict_pairs_seeds_with_a_t_test(tmp_path, gaps, state):
    objective(tmp_path, "l2", gaps=gaps)
    objective(tmp_path, "bce", gaps=[1.0, 1.01, 0.99])
    verdict = verdict_of(tmp_path, GAP_FALLS)
    assert verdict.state == state
    assert verdict.decisive.n == 3


def test_two_seeds_decide_nothing(tmp_path):
    objective(tmp_path, "l2", seeds=(0, 1), gaps=[0.1, 0.1])
    objective(tmp_path, "bce", seeds=(0, 1), gaps=[1.0, 1.01])
    verdict = verdict_of(tmp_path, GAP_FALLS)
    assert (verdict.state, verdict.message) == ("undecided", "2 seeds have both sides; at least 3 are needed")


def test_no_record_no_verdict(tmp_path):
    assert verdict_of(tmp_path, BCE_BEATS).state == "not yet tested"
    objective(tmp_path, "bce", mean_rank=5)
    verdict = verdict_of(tmp_path, BCE_BEATS)
    assert (verdict.state, verdict.message) == ("not yet tested", "no record of the control")
    assert verdict_of(tmp_path).message == "01_loss_derivation will decide it"


def test_the_larger_profile_counts_and_profiles_never_mix(tmp_path):
    objective(tmp_path, "bce", mean_rank=60, profile="smoke")
    objective(tmp_path, "random", mean_rank=5, profile="smoke")
    objective(tmp_path, "bce", mean_rank=5, profile="quick")
    assert verdict_of(tmp_path, BCE_BEATS).state == "refuted"  # quick has no control yet
    objective(tmp_path, "random", mean_rank=60, profile="quick")
    verdict = verdict_of(tmp_path, BCE_BEATS)
    assert (verdict.state, verdict.decisive.profile) == ("supported", "quick")


def test_two_runs_for_one_seed_are_refused(tmp_path):
    objective(tmp_path, "bce", mean_rank=5)
    objective(tmp_path, "bce", mean_rank=5, dataset="beauty")
    objective(tmp_path, "random", mean_rank=60)
    verdict = verdict_of(tmp_path, BCE_BEATS)
    assert verdict.state == "undecided"
    assert "they differ in dataset" in verdict.message
    assert verdict_of(tmp_path, BCE_BEATS | {"where": {"dataset": "demo_store"}}).state == "supported"


def test_each_place_is_asked_and_mixed_answers_leave_it_open(tmp_path):
    everywhere = BCE_BEATS | {"each": {"dataset": ["demo_store", "beauty", "planted"]}}
    objective(tmp_path, "bce", mean_rank=5)
    objective(tmp_path, "random", mean_rank=60)
    verdict = verdict_of(tmp_path, everywhere)
    assert verdict.state == "supported"
    assert verdict.message == (
        "supported on dataset=demo_store; not yet tested on dataset=beauty, dataset=planted"
    )
    objective(tmp_path, "bce", mean_rank=60, dataset="beauty")
    objective(tmp_path, "random", mean_rank=5, dataset="beauty")
    verdict = verdict_of(tmp_path, everywhere)
    assert verdict.state == "undecided"
    assert verdict.message.startswith("supported on dataset=demo_store; refuted on dataset=beauty")


def test_one_refuted_criterion_refutes_and_all_are_needed(tmp_path):
    objective(tmp_path, "bce", mean_rank=5, gaps=[1.0, 1.01, 0.99])
    objective(tmp_path, "random", mean_rank=60)
    assert verdict_of(tmp_path, BCE_BEATS, GAP_FALLS).state == "not yet tested"
    objective(tmp_path, "l2", gaps=[1.5, 1.52, 1.49])
    verdict = verdict_of(tmp_path, BCE_BEATS, GAP_FALLS)
    assert verdict.state == "refuted"
    assert verdict.decisive.criterion.metric == "gap"


def test_margins(tmp_path):
    objective(tmp_path, "l2", gaps=[0.96, 0.97, 0.965])
    objective(tmp_path, "bce", gaps=[1.0, 1.0, 1.0])
    keeps = GAP_FALLS | {"alternative": "greater"}
    assert verdict_of(tmp_path, keeps).state == "refuted"
    assert verdict_of(tmp_path, keeps | {"margin": -0.05}).state == "supported"
    assert verdict_of(tmp_path, keeps | {"margin": -0.05, "relative": True}).state == "supported"
    assert verdict_of(tmp_path, keeps | {"margin": -0.01, "relative": True}).state == "refuted"
    assert verdict_of(tmp_path, GAP_FALLS | {"margin": 0.2}).state == "refuted"  # falls, but not by .2


def test_margin_over_users(tmp_path):
    objective(tmp_path, "bce", mean_rank=10)
    objective(tmp_path, "random", mean_rank=10)
    within = BCE_BEATS | {"margin": -0.5, "relative": True}
    assert verdict_of(tmp_path, within).state == "supported"
    assert verdict_of(tmp_path, BCE_BEATS | {"margin": 0.3}).state == "refuted"


def test_a_fixed_value_as_control(tmp_path):
    objective(tmp_path, "l2", gaps=[0.5, 0.52, 0.48])
    against = {k: v for k, v in GAP_FALLS.items() if k != "control"}
    assert verdict_of(tmp_path, against | {"value": 0.9}).state == "supported"
    assert verdict_of(tmp_path, against | {"value": 0.1}).state == "refuted"


def test_differences_without_spread(tmp_path):
    objective(tmp_path, "l2", gaps=[0.5, 0.5, 0.5])
    objective(tmp_path, "bce", gaps=[1.0, 1.0, 1.0])
    verdict = verdict_of(tmp_path, GAP_FALLS)
    assert (verdict.state, verdict.decisive.low, verdict.decisive.high) == ("supported", -0.5, -0.5)


def test_missing_metric_and_ranks_are_said(tmp_path):
    objective(tmp_path, "bce", gaps=[1.0, 1.0, 1.0])
    objective(tmp_path, "random", gaps=[1.0, 1.0, 1.0])
    for criterion, said in (
        (BCE_BEATS, "recorded no rank positions"),
        (BCE_BEATS | {"metric": "hap", "pair": "seed"}, "has no metric 'hap'"),
    ):
        verdict = verdict_of(tmp_path, criterion)
        assert verdict.state == "not yet tested"
        assert said in verdict.message


def test_p_values_are_corrected_over_the_family(tmp_path):
    objective(tmp_path, "l2", gaps=[0.90, 0.95, 0.93])
    objective(tmp_path, "bce", gaps=[1.0, 1.0, 1.0])
    alone = verdict_of(tmp_path, GAP_FALLS)
    assert alone.state == "supported"
    many = verdicts(claims_of(*[{"decide": [GAP_FALLS]}] * 12), load_records(tmp_path))
    assert {verdict.state for verdict in many} == {"undecided"}
    assert many[0].decisive.corrected == pytest.approx(12 * alone.decisive.p_value)
