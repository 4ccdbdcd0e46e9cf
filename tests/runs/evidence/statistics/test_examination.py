"""One criterion, judged: each rule's line and direction, and what blocks a judgement."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.metrics.variance_components import Effect, SeedPart
from recsys.runs.evidence.statistics.criterion import Criterion, Records
from recsys.runs.evidence.statistics.examination import _p_values, examine
from recsys.runs.evidence.statistics.policy import load_policy
from recsys.runs.records import load_records
from tests.runs.made_records import make_record, objective, positions

EXPERIMENT = "01_loss_derivation"
BCE_BEATS = {"metric": "ndcg@10", "treatment": {"objective": "bce"}, "control": {"objective": "random"}}
BCE_BEATS |= {"pair": "user", "alternative": "greater"}


def found(folder, rule, criterion, experiment=EXPERIMENT):
    return examine(Criterion(**criterion), rule, experiment, Records(load_records(folder)), load_policy())


def runs(folder, side, metric, values, first_seed=0, experiment=EXPERIMENT):
    """A run for each value."""
    for seed, value in enumerate(values, first_seed):
        make_record(folder, experiment, {"objective": side, "seed": seed}, {metric: value})


def mean_of(folder, side):
    records = [r for r in load_records(folder) if r.parameters["objective"] == side]
    return np.mean([record.metrics["ndcg@10"] for record in records])


def seed_criterion(metric, alternative="greater", **changes):
    return BCE_BEATS | {"metric": metric, "pair": "seed", "alternative": alternative} | changes


LINE = {"line": 0.5, "line_reason": "for the test"}


# ---- the rules: state by where the effect lies, for "more" and, mirrored, for "less"


@pytest.mark.parametrize(
    ("rule", "effect", "state", "words"),
    [
        ("gain", 0.05, "supported", ""),
        ("gain", 0.0105, "undecided", ""),
        ("gain", 0.0095, "undecided", ""),
        ("gain", 0.006, "refuted", "real but too small"),
        ("gain", 0.0, "refuted", "no gain worth having"),
        ("gain", -0.05, "refuted", "harms"),
        ("keeps", 0.0, "supported", ""),
        ("keeps", -0.005, "supported", ""),
        ("keeps", -0.0105, "undecided", ""),
        ("keeps", -0.05, "refuted", "loses more than the line"),
        ("no effect", 0.001, "supported", ""),
        ("no effect", 0.0095, "undecided", ""),
        ("no effect", 0.05, "refuted", ""),
        ("no effect", -0.05, "refuted", ""),
    ],
)
@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_rule_and_line(tmp_path, rule, effect, state, words, alternative):
    sign = 1 if alternative == "greater" else -1
    noise = np.array([-0.001, 0.0, 0.0, 0.001])  # half-widths .0013 and .0010; the line is .01
    runs(tmp_path, "bce", "accuracy", 0.5 + sign * effect + noise)
    runs(tmp_path, "random", "accuracy", [0.5] * 4)
    finding = found(tmp_path, rule, seed_criterion("accuracy", alternative))
    assert (finding.state, finding.words) == (state, words)
    assert finding.line == pytest.approx(sign * (-0.01 if rule == "keeps" else 0.01))
    assert finding.test_line == pytest.approx(finding.line)  # no ratio: the scale of the test is the metric's


def test_a_relative_line_is_a_share_of_the_control(tmp_path):
    objective(tmp_path, "bce", mean_rank=5)
    objective(tmp_path, "random", mean_rank=8)
    finding = found(tmp_path, "gain", BCE_BEATS)
    control = [r.metrics["ndcg@10"] for r in load_records(tmp_path) if r.parameters["objective"] == "random"]
    assert finding.line == pytest.approx(0.02 * np.mean(control))
    low = found(tmp_path, "gain", BCE_BEATS | {"control": None, "value": 0.001})
    assert low.line == 0.0005  # at least so much


@pytest.mark.parametrize(
    ("ratios", "alternative", "state"),
    [
        ([1.3, 1.32, 1.31, 1.29, 1.3], "greater", "supported"),
        ([1.05, 1.06, 1.04, 1.05, 1.05], "greater", "refuted"),
        ([0.8, 0.81, 0.79, 0.8, 0.8], "less", "supported"),
        ([0.95, 0.94, 0.95, 0.95, 0.95], "less", "refuted"),
        ([1.3, 1.32, 1.31, 1.29, 1.3], "less", "refuted"),
    ],
)
def test_costs_are_ratios_with_a_line_at_a_tenth(tmp_path, ratios, alternative, state):
    runs(tmp_path, "bce", "query_speedup", ratios)
    finding = found(tmp_path, "faster", seed_criterion("query_speedup", alternative, control=None, value=1.0))
    assert finding.state == state
    assert finding.line == pytest.approx(1.1 if alternative == "greater" else 1 / 1.1)
    assert finding.effect == pytest.approx(math.exp(np.mean(np.log(ratios))))
    assert finding.low < finding.effect < finding.high


def test_a_cost_that_is_not_above_zero_is_named(tmp_path):
    runs(tmp_path, "bce", "query_speedup", [1.0, 0.0, 1.0, 1.0, 1.0])
    finding = found(tmp_path, "faster", seed_criterion("query_speedup", control=None, value=1.0))
    assert (finding.state, finding.p_value) == ("undecided", None)
    assert "must be above zero" in finding.message


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ([90, 91, 92, 90, 91], "supported"),
        ([101, 99, 100, 104, 96], "undecided"),
        ([130, 131, 129, 130, 130], "refuted"),
    ],
)
def test_a_level_is_held_against_its_number(tmp_path, values, state):
    runs(tmp_path, "bce", "query_p99_ms", values)
    finding = found(tmp_path, "level", seed_criterion("query_p99_ms", "less", control=None, value=100.0))
    assert finding.state == state
    assert finding.line == 100
    assert finding.effect == pytest.approx(np.mean(values))
    assert not finding.ratio


@pytest.mark.parametrize(
    ("errors", "state"), [([0, 0, 0], "supported"), ([0, 0, 1], "refuted"), ([8, 8, 8], "refuted")]
)
def test_a_fact_is_counted_run_by_run(tmp_path, errors, state):
    runs(tmp_path, "bce", "errors_in_000", errors)
    finding = found(tmp_path, "fact", seed_criterion("errors_in_000", "less", control=None, value=1))
    assert finding.state == state
    assert finding.p_value is None
    assert (finding.low, finding.high, finding.line) == (min(errors), max(errors), 1)


def test_bytes_within_a_claim_of_cost_are_facts_too(tmp_path):
    runs(tmp_path, "bce", "bytes_on_disk", [80])
    runs(tmp_path, "random", "bytes_on_disk", [100])
    finding = found(tmp_path, "faster", seed_criterion("bytes_on_disk", "less"))
    assert (finding.state, finding.p_value) == ("supported", None)
    assert (finding.effect, finding.line) == (pytest.approx(0.8), pytest.approx(1 / 1.1))
    runs(tmp_path / "more", "bce", "bytes_on_disk", [95])
    runs(tmp_path / "more", "random", "bytes_on_disk", [100])
    assert found(tmp_path / "more", "faster", seed_criterion("bytes_on_disk", "less")).state == "refuted"


# ---- p-values


@given(st.floats(-3, 3), st.floats(-2, 2), st.sampled_from([1, -1]), st.sampled_from(["gain", "keeps"]))
def test_p_values_lie_on_their_own_side_of_the_line(effect, line, sign, rule):
    estimate = Effect(effect, 0.7, 5.0, 10, 0.2, (SeedPart(0.29, 4),))
    support, refute = _p_values(estimate, sign, line, rule)
    assert min(support, refute) == pytest.approx(estimate.p_value(sign * line))
    if sign * effect > line:
        assert support <= refute
    elif sign * effect < line:
        assert refute <= support
    mirrored = Effect(-effect, 0.7, 5.0, 10, 0.2, (SeedPart(0.29, 4),))
    assert _p_values(mirrored, -sign, line, rule) == pytest.approx((support, refute))


@given(st.floats(-3, 3), st.floats(0.1, 2))
def test_no_effect_is_two_one_sided_tests(effect, line):
    estimate = Effect(effect, 0.3, 8.0, 10, 0.09, ())
    support, refute = _p_values(estimate, 1, line, "no effect")
    low, high = estimate.interval(0.90)
    assert (support < 0.05) == (-line < low and high < line)
    low, high = estimate.interval(0.95)
    assert (refute < 0.05) == (low > line or high < -line)


# ---- users and seeds


def test_users_are_paired_and_seeds_are_not(tmp_path):
    objective(tmp_path, "bce", mean_rank=5)
    objective(tmp_path, "random", seeds=(5, 6, 7, 8), mean_rank=60)
    finding = found(tmp_path, "gain", BCE_BEATS)
    assert (finding.state, finding.n, finding.seeds) == ("supported", 400, (3, 4))
    assert len(finding.runs) == 7
    means = {
        side: np.mean(
            [r.metrics["ndcg@10"] for r in load_records(tmp_path) if r.parameters["objective"] == side]
        )
        for side in ("bce", "random")
    }
    assert finding.effect == pytest.approx(means["bce"] - means["random"])


def test_seeds_that_scatter_widen_the_interval(tmp_path):
    for seed, mean_rank in enumerate((5, 8, 13)):
        objective(tmp_path / "wide", "bce", seeds=(seed,), mean_rank=mean_rank)
        objective(tmp_path / "narrow", "bce", seeds=(seed,), mean_rank=8)
    for folder in ("wide", "narrow"):
        objective(tmp_path / folder, "random", mean_rank=12)
    wide, narrow = (found(tmp_path / folder, "gain", BCE_BEATS) for folder in ("wide", "narrow"))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_the_mean_is_over_seeds_not_over_runs_of_one(tmp_path):
    """With one good and two bad seeds the effect is their mean, whichever comes first."""
    for seed, mean_rank in enumerate((2, 30, 30)):
        objective(tmp_path, "bce", seeds=(seed,), mean_rank=mean_rank)
    objective(tmp_path, "random", mean_rank=30)
    records = load_records(tmp_path)
    by_side = {
        s: [r.metrics["ndcg@10"] for r in records if r.parameters["objective"] == s]
        for s in ("bce", "random")
    }
    finding = found(tmp_path, "gain", BCE_BEATS)
    assert finding.effect == pytest.approx(np.mean(by_side["bce"]) - np.mean(by_side["random"]))
    assert finding.state == "undecided"


def test_equal_seeds_are_pairs_of_runs(tmp_path):
    """A seed may draw the data too: what both sides share then cancels."""
    shared = np.array([0.1, 0.5, 0.9])
    runs(tmp_path, "bce", "accuracy", shared + 0.05)
    runs(tmp_path, "random", "accuracy", shared)
    paired = found(tmp_path, "gain", seed_criterion("accuracy"))
    assert (paired.state, paired.low) == ("supported", pytest.approx(0.05))
    runs(tmp_path, "random", "accuracy", [0.5], first_seed=3)
    assert (
        found(tmp_path, "gain", seed_criterion("accuracy")).state == "undecided"
    )  # Welch, over their scatter


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_decide_nothing(tmp_path, seeds):
    objective(tmp_path, "bce", seeds=range(seeds), mean_rank=3)
    objective(tmp_path, "random", mean_rank=80)
    finding = found(tmp_path, "gain", BCE_BEATS)
    assert (finding.state, finding.p_value) == ("undecided", 1.0)
    assert "of the treatment, which trains: at least 3 are needed" in finding.message
    assert finding.lacks == f"3 seeds of the treatment ({seeds} so far)"
    assert finding.effect > 0  # shown, without a say


def test_a_side_that_draws_nothing_needs_one_run(tmp_path):
    for seed in range(3):
        make_record(tmp_path, "02_x", {"model": "text", "seed": seed}, ranks=positions(300, 4, seed))
    make_record(tmp_path, "02_x", {"model": "popularity", "seed": 0}, ranks=positions(300, 40, 9))
    criterion = BCE_BEATS | {"treatment": {"model": "text"}, "control": {"model": "popularity"}}
    assert found(tmp_path, "gain", criterion, "02_x").state == "supported"
    swapped = criterion | {"treatment": {"model": "popularity"}, "control": {"model": "text"}}
    assert found(tmp_path, "gain", swapped, "02_x").words == "harms"


def test_timings_need_five_sessions(tmp_path):
    runs(tmp_path, "bce", "query_speedup", [2.0, 2.1, 2.0])
    finding = found(tmp_path, "faster", seed_criterion("query_speedup", control=None, value=1.0))
    assert (finding.state, finding.lacks) == ("undecided", "5 sessions (3 so far)")
    memory = seed_criterion("bf16:memory_ratio", "less", control=None, value=1.0)
    runs(tmp_path / "memory", "bce", "bf16:memory_ratio", [0.5, 0.51, 0.5])
    assert found(tmp_path / "memory", "faster", memory).state == "supported"


# ---- what can't be answered


@pytest.mark.parametrize(
    ("rule", "criterion", "told"),
    [
        ("level", seed_criterion("query_p99_ms", "less"), "a level is held against a number"),
        ("gain", seed_criterion("accuracy", None), "needs `alternative`"),
        ("level", seed_criterion("accuracy", control=None, value=0.5) | LINE, "a level has no `line`"),
        ("fact", seed_criterion("errors_in_000", control=None, value=1) | LINE, "a fact has no `line`"),
        ("faster", seed_criterion("query_speedup") | LINE, "a `line` above 1, got 0.5"),
        ("faster", seed_criterion("query_speedup", control=None, value=0.0), "a `value` above 0, got 0"),
        ("faster", seed_criterion("bytes_on_disk", control=None, value=-1.0), "a `value` above 0, got -1"),
    ],
)
def test_a_criterion_that_contradicts_its_rule_is_invalid_before_there_is_a_record(
    tmp_path, rule, criterion, told
):
    for values in ([], [1.0, 1.1, 1.0, 1.2, 1.1]):
        runs(tmp_path, "bce", criterion["metric"], values)
        runs(tmp_path, "random", criterion["metric"], values)
        finding = found(tmp_path, rule, criterion)
        assert finding.state == "invalid"
        assert told in finding.message
