"""Verdicts of claims: one p-value each, by kind; nothing that another claim says enters."""

from types import SimpleNamespace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from recsys.runs.evidence.deciding import would_decide
from recsys.runs.evidence.statistics.criterion import Criterion
from recsys.runs.evidence.verdicts import labels, verdicts
from recsys.runs.records import load_records
from tests.runs.made_records import claims_of, make_record, objective

EXPERIMENT = "01_loss_derivation"
HIT = {"value": 0.5, "pair": "seed", "alternative": "greater"}


def criterion(metric="accuracy", side="a", **changes):
    return {"metric": metric, "treatment": {"objective": side}} | HIT | changes


def runs(folder, side, values, metric="accuracy", **more):
    for seed, value in enumerate(values):
        parameters = {"objective": side, **more, "seed": seed}
        make_record(folder, EXPERIMENT, parameters, {metric: float(value)})


# accuracy's line is .01: clear gain, clear loss, nothing to tell, and in between
GAIN, HARM, OPEN = [0.6, 0.61, 0.59], [0.4, 0.41, 0.39], [0.505, 0.53, 0.49]


def verdict_of(folder, *criteria, **fields):
    return verdicts(claims_of({"criteria": list(criteria)} | fields), load_records(folder))[0]


@pytest.fixture
def sides(tmp_path):
    for side, values in {"gain": GAIN, "harm": HARM, "open": OPEN, "more": [0.7, 0.72, 0.71]}.items():
        runs(tmp_path, side, values)
    return tmp_path


def over(*names):
    return [criterion(side=name) for name in names]


@pytest.mark.parametrize(
    ("kind", "names", "state", "words"),
    [
        ("gain", ["gain"], "supported", ""),
        ("gain", ["harm"], "refuted", "harms"),
        ("gain", ["open"], "undecided", ""),
        ("gain", ["gain", "more"], "supported", ""),
        ("gain", ["gain", "open"], "undecided", ""),
        ("gain", ["gain", "harm"], "refuted", "harms"),
        ("gain", ["gain", "absent"], "undecided", ""),  # a missing data set blocks supported
        ("gain", ["harm", "absent"], "refuted", "harms"),
        ("gain", ["absent"], "not yet tested", ""),
        ("can", ["gain", "harm", "open"], "supported", "1 of 3"),
        ("can", ["harm", "harm2"], "refuted", "in none of the 2 tried"),
        ("can", ["harm", "open"], "undecided", "0 of 2"),
        ("can", ["harm", "absent"], "undecided", "0 of 2, 1 tested"),
        ("all", ["gain", "more"], "supported", "2 of 2"),
        ("all", ["gain", "open"], "undecided", "1 of 2"),
        ("all", ["gain", "harm"], "refuted", "1 of 2"),
        ("most", ["gain", "more", "harm"], "supported", "2 of 3"),
        ("most", ["gain", "harm", "harm2"], "refuted", "1 of 3"),
        ("most", ["gain", "harm"], "refuted", "1 of 2"),  # a half is not most
        ("most", ["gain", "open", "absent"], "undecided", "1 of 3, 2 tested"),
    ],
)
def test_criteria_come_together_by_kind(sides, kind, names, state, words):
    runs(sides, "harm2", [0.3, 0.31, 0.3])
    verdict = verdict_of(sides, *over(*names), kind=kind)
    assert (verdict.state, verdict.words) == (state, words)


def p_of(folder, name):
    found = verdict_of(folder, criterion(side=name)).decisive
    return found.p_support, found.p_refute


def test_the_p_value_of_a_claim(sides):
    """The largest to support, Bonferroni's smallest to refute; `can` the other way round."""
    gain, more, harm = (p_of(sides, name) for name in ("gain", "more", "harm"))
    both = verdict_of(sides, *over("gain", "more"))
    assert both.p_value == pytest.approx(max(gain[0], more[0]))
    assert both.decisive.p_value == pytest.approx(max(gain[0], more[0]))  # the weakest that supports
    assert verdict_of(sides, *over("gain", "harm", "more")).p_value == pytest.approx(3 * harm[1])
    assert verdict_of(sides, *over("gain", "harm", "absent")).p_value == pytest.approx(3 * harm[1])
    can = verdict_of(sides, *over("gain", "harm", "open"), kind="can")
    assert can.p_value == pytest.approx(3 * gain[0])
    refuted = verdict_of(sides, *over("harm", "open"), kind="can")
    assert refuted.p_value == pytest.approx(min(1, p_of(sides, "open")[1], 2 * p_of(sides, "open")[0]))
    most = verdict_of(sides, *over("gain", "more", "open"), kind="most")
    assert most.p_value == pytest.approx(2 * max(gain[0], more[0]))  # partial conjunction, 2 of 3
    runs(sides, "harm2", [0.3, 0.31, 0.3])
    against = verdict_of(sides, *over("harm", "harm2", "open"), kind="most")
    assert against.state == "refuted"
    assert against.p_value == pytest.approx(2 * max(harm[1], p_of(sides, "harm2")[1]))


def test_bonferroni_can_take_a_refutation_away(tmp_path):
    """p = .03 refutes alone, not as one of four."""
    runs(tmp_path, "harm", np.array([0.4, 0.455, 0.43]))
    for side in "bcd":
        runs(tmp_path, side, GAIN)
    alone = verdict_of(tmp_path, criterion(side="harm"))
    assert alone.state == "refuted"
    assert 0.0125 < alone.p_value < 0.05
    assert verdict_of(tmp_path, *over("harm", "b", "c", "d")).state == "undecided"


def test_criteria_of_one_setting_are_needed_together(sides):
    asked = [criterion(side="gain", setting="x"), criterion(side="harm", setting="x")]
    asked.append(criterion(side="more", setting="y"))
    verdict = verdict_of(sides, *asked, kind="can")
    assert (verdict.state, verdict.words) == ("supported", "1 of 2")
    assert verdict.p_value == pytest.approx(2 * p_of(sides, "more")[0])
    assert verdict_of(sides, *asked[:2], kind="can").state == "refuted"
    # two settings, and within the first two criteria
    assert verdict_of(sides, *asked, kind="all").p_value == pytest.approx(4 * p_of(sides, "harm")[1])
    # a criterion without records is a test that was planned: it counts within its setting too
    lacking = [asked[1], criterion(side="absent", setting="x")]
    assert verdict_of(sides, *lacking, kind="all").p_value == pytest.approx(2 * p_of(sides, "harm")[1])


def test_each_value_is_a_setting(tmp_path):
    for dataset, values in {"a": GAIN, "b": GAIN, "c": HARM}.items():
        runs(tmp_path, "gain", values, dataset=dataset)
    asked = criterion(side="gain", each={"dataset": ["a", "b", "c"]})
    assert verdict_of(tmp_path, asked, kind="all").words == "2 of 3"
    assert verdict_of(tmp_path, asked, kind="most").state == "supported"
    assert verdict_of(tmp_path, asked).message == "supported on a, b; refuted on c"


def test_comparisons_are_told_apart_by_little():
    """Not by every parameter that their criteria fix."""
    fixed = {"dataset": "shop", "members": "a b c", "depth": 1, "steady": 0}
    rival = {"control": {"objective": "single"}, "value": None, "where": fixed, "setting": "shop"}
    seeds = {"control": {"repeats": 2}, "value": None, "where": fixed | {"method": "x"}, "setting": "shop"}
    other = rival | {"where": fixed | {"dataset": "films"}, "setting": "films"}
    asked = [criterion(pair="user", **more) for more in (rival, seeds, other)]
    every = [SimpleNamespace(criterion=Criterion.model_validate(words)) for words in asked]
    assert labels(every) == ["shop against single", "shop", "films against single"]
    assert labels(every[:2]) == ["against single", "shop"], "none is empty"
    assert labels(every[::2]) == ["shop", "films"]
    assert labels(every[:1]) == ["accuracy"]


def test_a_criterion_may_have_a_rule_of_its_own(tmp_path):
    """Faster, and keeps its quality."""
    runs(tmp_path, "a", [2.0, 2.1, 2.0, 2.1, 2.0], "query_speedup")
    runs(tmp_path, "b", [0.499, 0.5, 0.501])
    faster = criterion("query_speedup", value=1.0)
    keeps = criterion(side="b", kind="keeps")
    assert verdict_of(tmp_path, faster, keeps, kind="faster").state == "supported"
    runs(tmp_path, "c", HARM)
    assert verdict_of(tmp_path, faster, criterion(side="c", kind="keeps"), kind="faster").state == "refuted"


def test_facts_stand_outside_the_tests(tmp_path):
    runs(tmp_path, "a", [0, 0], "errors_in_000")
    fact = criterion("errors_in_000", value=1, alternative="less")
    verdict = verdict_of(tmp_path, fact, kind="fact")
    assert (verdict.state, verdict.p_value, verdict.q_value) == ("supported", None, None)
    runs(tmp_path, "b", [0, 2], "errors_in_000")
    runs(tmp_path, "gain", GAIN)
    one_wrong = fact | {"treatment": {"objective": "b"}}
    assert verdict_of(tmp_path, one_wrong, kind="fact").state == "refuted"
    # beside tests a fact that fails refutes, and a fact that holds takes nothing from them
    both = verdict_of(tmp_path, fact, criterion(side="gain"))
    assert both.p_value == pytest.approx(p_of(tmp_path, "gain")[0])
    assert verdict_of(tmp_path, one_wrong, criterion(side="gain")).state == "refuted"


# ---- across claims


def test_two_hundred_null_comparisons_change_no_verdict(sides):
    asked = [{"criteria": over(name)} for name in ("gain", "harm", "open", "more")]
    random = np.random.default_rng(0)
    for number in range(200):
        runs(sides, f"null{number}", 0.51 + random.normal(0, 0.02, 3))
    records = load_records(sides)
    before = verdicts(claims_of(*asked), records)
    null = [{"criteria": over(f"null{number}")} for number in range(200)]
    after = verdicts(claims_of(*asked, *null), records)
    for old, new in zip(before, after, strict=False):
        assert (old.state, old.p_value, old.words) == (new.state, new.p_value, new.words)
        assert new.q_value >= old.q_value
    decided = sum(verdict.state != "undecided" for verdict in after[4:])
    assert decided <= 0.05 * 200 + 3 * np.sqrt(200 * 0.05 * 0.95)  # the level holds among them


def test_q_values_are_benjamini_hochberg_over_all_testable_claims(sides):
    asked = [{"criteria": over(name)} for name in ("harm", "gain", "open", "more")]
    untested = [{"criteria": []}] * 6
    outside = [{"reason": "No measure."}, {"withdrawn": "Never mind."}, {"kind": "fact"}]
    found = verdicts(claims_of(*asked, *untested, *outside), load_records(sides))
    p_values = [verdict.p_value for verdict in found[:4]] + [1.0] * 6
    expected = multipletests(p_values, method="fdr_bh")[1]
    assert [verdict.q_value for verdict in found[:4]] == pytest.approx(expected[:4])
    assert all(verdict.q_value is None for verdict in found[4:])
    smallest = min(found[:4], key=lambda verdict: verdict.p_value)
    assert smallest.q_value == pytest.approx(min(1, 10 * smallest.p_value), rel=0.5)


def test_a_decided_claim_with_a_large_q_is_fragile(tmp_path):
    runs(tmp_path, "harm", np.array([0.4, 0.455, 0.43]))
    alone = verdict_of(tmp_path, criterion(side="harm"))
    assert (alone.state, alone.fragile) == ("refuted", False)
    among = verdicts(claims_of({"criteria": over("harm")}, *[{}] * 9), load_records(tmp_path))[0]
    assert (among.state, among.fragile) == ("refuted", True)
    assert among.q_value == pytest.approx(min(1.0, 10 * among.p_value))
    runs(tmp_path, "open", OPEN)
    undecided = verdicts(claims_of({"criteria": over("open")}, *[{}] * 9), load_records(tmp_path))[0]
    assert (undecided.state, undecided.fragile) == ("undecided", False)


# ---- claims without a verdict of their own, and what would decide one


@pytest.mark.parametrize(
    ("fields", "state", "told"),
    [
        ({"reason": "No measure."}, "untestable", "No measure."),
        ({"withdrawn": "It compared budgets."}, "withdrawn", "It compared budgets."),
        ({"merged_into": ["claim-1"]}, "merged", "its evidence is that of claim-1"),
        ({}, "not yet tested", "01_loss_derivation will decide it"),
    ],
)
def test_claims_without_a_test(tmp_path, fields, state, told):
    found = verdicts(claims_of(fields, {"id": "claim-1"}), load_records(tmp_path))[0]
    assert (found.state, found.message) == (state, told)


def test_a_broken_criterion_is_invalid_whatever_else_holds(sides):
    verdict = verdict_of(sides, criterion(side="gain"), criterion("no_such_metric", side="gain"))
    assert verdict.state == "invalid"
    assert "no_such_metric" in verdict.message
    found = verdicts(claims_of({"criteria": over("gain")}), load_records(sides), broken={"claim-0": "line 7"})
    assert (found[0].state, found[0].message) == ("invalid", "line 7")


def test_what_would_decide_it(tmp_path):
    runs(tmp_path, "near", [0.51 + 0.02, 0.51 - 0.01, 0.51 + 0.01])
    runs(tmp_path, "two", GAIN[:2])
    objective(tmp_path, "bce", mean_rank=9)
    objective(tmp_path, "random", seeds=(5, 6, 7), mean_rank=9.5)
    near = verdict_of(tmp_path, criterion(side="near"))
    assert near.state == "undecided"
    assert would_decide(near).endswith("seeds a side")
    assert would_decide(verdict_of(tmp_path, criterion(side="two"))) == "3 seeds of the treatment (2 so far)"
    users = {"metric": "ndcg@10", "treatment": {"objective": "bce"}, "control": {"objective": "random"}}
    open_one = verdict_of(tmp_path, users | {"pair": "user", "alternative": "greater"})
    assert open_one.state == "undecided"
    assert "users" in would_decide(open_one)
    both = would_decide(verdict_of(tmp_path, *over("two", "absent")))
    assert both == "3 seeds of the treatment (2 so far); the records that are missing"
    runs(tmp_path, "gain", GAIN)
    assert would_decide(verdict_of(tmp_path, criterion(side="gain"))) == ""
