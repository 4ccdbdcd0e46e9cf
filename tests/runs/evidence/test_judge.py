"""Which records have a say, which criteria are broken, and what stands in verdicts.json."""

import json

import pytest

from recsys.runs.evidence.claims import Claims
from recsys.runs.evidence.judge import broken_criteria, grid_records, judge
from recsys.runs.evidence.results import load_records
from recsys.runs.evidence.stored import check_states, update_states
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.records import Record
from tests.conftest import ROOT
from tests.runs.made_records import claims_of

EXPERIMENT = "01_loss_derivation"
EXPERIMENTS = load_experiments(ROOT / "experiments")
PRINTED = {"metric": "ndcg@10", "treatment": {"objective": "printed"}, "control": {"objective": "untrained"}}
PRINTED |= {"where": {"dataset": "planted"}, "pair": "user", "alternative": "greater"}


@pytest.fixture(scope="module")
def reference():
    return [
        record
        for record in load_records(ROOT / "experiments" / "reference", EXPERIMENT)
        if record.parameters["dataset"] == "planted"
        and record.parameters["objective"] in ("printed", "untrained")
    ]


def changed(record: Record, seed=None, threads=1, **parameters) -> Record:
    raw = json.loads(json.dumps(record.raw))
    raw["parameters"] |= parameters
    raw |= {"run": f"trial-{parameters}-{threads}", "threads": threads}
    if seed is not None:
        raw["parameters"]["seed"] = raw["seed"] = seed
    return Record(record.folder, raw)


def test_a_trial_and_a_second_thread_count_have_no_say(reference):
    claims = claims_of({"criteria": [PRINTED]})
    before = judge(claims, reference, EXPERIMENTS)[0]
    assert before.state == "refuted"
    for trial in (changed(reference[0], steps=50), changed(reference[0], threads=2)):
        assert len(grid_records([trial], EXPERIMENTS)) == 0
        after = judge(claims, [*reference, trial], EXPERIMENTS)[0]
        assert (after.state, after.p_value, after.records) == (before.state, before.p_value, before.records)


def test_a_further_seed_has_one(reference):
    more = changed(reference[0], seed=17)
    assert grid_records([more], EXPERIMENTS) == [more]
    assert len(judge(claims_of({"criteria": [PRINTED]}), [*reference, more], EXPERIMENTS)[0].records) == 7


def test_a_parameter_that_came_or_went_leaves_the_cell_what_it_is(reference):
    """What the notebook got since then had its default (trials: 3); what it lost no longer counts."""
    raw = json.loads(json.dumps(reference[0].raw))
    assert raw["parameters"].pop("trials") == 3
    raw["parameters"]["gone"] = 5
    older = Record(reference[0].folder, raw)
    assert grid_records([older], EXPERIMENTS) == [older]


def test_records_of_unknown_experiments_have_no_say(reference):
    other = Record(reference[0].folder, reference[0].raw | {"experiment": "99_gone"})
    assert grid_records([other], EXPERIMENTS) == []


def test_a_metric_of_the_reference_is_known_to_a_reader_without_records(reference):
    metric = next(name for name in reference[0].metrics if name not in EXPERIMENTS[EXPERIMENT].metrics)
    claims = claims_of({"criteria": [PRINTED | {"metric": metric, "pair": "seed"}]})
    assert judge(claims, [], EXPERIMENTS)[0].state == "invalid"
    assert judge(claims, [], EXPERIMENTS, known=reference)[0].state == "not yet tested"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"metric": "ndgc@10"}, "names no family for the metric 'ndgc@10'"),
        ({"metric": "quality", "pair": "seed"}, f"no run of {EXPERIMENT} records the metric 'quality'"),
        ({"metric": "quality"}, "not known user by user"),
        ({"treatment": {"objectiv": "printed"}}, "no parameter 'objectiv'; did you mean 'objective'"),
        ({"where": {"steps": "1e-4"}}, "parameter 'steps' expects int, got '1e-4'"),
        ({"each": {"learning_rate": ["1e-4"]}}, "no parameter 'learning_rate'"),
        ({"experiment": "02_other"}, "there is no experiment '02_other'"),
    ],
)
def test_broken_criteria_are_invalid_and_named(reference, changes, told):
    claims = claims_of({"criteria": [PRINTED | changes]}, {"id": "sound", "criteria": [PRINTED]})
    broken = broken_criteria(claims, EXPERIMENTS, reference)
    assert list(broken) == ["claim-0"]
    assert told in broken["claim-0"]
    invalid, sound = judge(claims, reference, EXPERIMENTS)
    assert (invalid.state, sound.state) == ("invalid", "refuted")


def test_a_broken_criterion_is_named_with_file_and_line(reference):
    text = (ROOT / "experiments" / "claims" / "01_loss_derivation.yaml").read_text("utf-8")
    line = next(n for n, told in enumerate(text.splitlines(), 1) if "objective: printed" in told)
    criterion = PRINTED | {"metric": "ndgc@10"}
    claims = claims_of({"id": "printed-loss-ranks-clicked", "criteria": [criterion]})
    told = broken_criteria(claims, EXPERIMENTS)["printed-loss-ranks-clicked"]
    assert told.startswith(f"claims/01_loss_derivation.yaml, line {line}: printed-loss-ranks-clicked: ")


# ---- verdicts.json


@pytest.fixture
def stored(tmp_path, reference):
    claims: Claims = claims_of({"criteria": [PRINTED]}, {"reason": "No measure."})
    judged = judge(claims, reference, EXPERIMENTS)
    path = tmp_path / "verdicts.json"
    assert update_states(judged, path) == ["claim-0: new → refuted", "claim-1: new → untestable"]
    return path, judged


def test_what_was_stored_is_what_the_records_give(stored):
    path, judged = stored
    assert check_states(judged, path) == []
    assert update_states(judged, path) == []
    entry = json.loads(path.read_text())["claim-0"]
    assert entry["state"] == "refuted"
    assert len(entry["records"]) == 6
    finding = entry["findings"][0]
    assert finding["low"] < finding["effect"] < finding["high"] < finding["line"]


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("state",), "supported", "is stored as 'supported', the committed records give 'refuted'"),
        (("p",), 0.5, "p is stored as 0.5"),
        (("q",), 0.5, "q is stored as 0.5"),
        (("fragile",), True, "fragile is stored as True"),
        (("findings", 0, "effect"), 1.0, "effect is stored as 1.0"),
        (("findings", 0, "line"), 0.1, "line is stored as 0.1"),
        (("findings", 0, "message"), "x", "message is stored as 'x'"),
        (("findings", 0, "runs"), [3], "runs is stored as [3]"),
        (("records",), [], "records is stored as []"),
    ],
)
def test_an_edited_entry_is_named(stored, place, value, told):
    path, judged = stored
    whole = json.loads(path.read_text())
    target = whole["claim-0"]
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    path.write_text(json.dumps(whole))
    (problem,) = check_states(judged, path)
    assert told in problem


def test_a_missing_a_foreign_and_an_invalid_claim_are_named(stored, reference):
    path, judged = stored
    assert "claim-0 is missing" in check_states(judged, path.with_name("none.json"))[0]
    assert check_states(judged[:1], path) == ["verdicts.json: there is no claim 'claim-1'"]
    broken = judge(claims_of({"criteria": [PRINTED | {"metric": "hap"}]}), reference, EXPERIMENTS)
    assert any("claim-0 is invalid" in problem for problem in check_states(broken, path))
    assert any("is stored as 'refuted'" in problem for problem in check_states(broken, path))


@pytest.mark.parametrize("spoilt", ["", "{", "[1]", "null", '{"claim-0": 3, "claim-1": "untestable"}', "\0"])
def test_a_spoilt_file_is_one_problem_and_is_written_anew(stored, spoilt):
    path, judged = stored
    path.write_text(spoilt)
    (problem,) = check_states(judged, path)
    assert problem.startswith("verdicts.json cannot be read")
    update_states(judged, path)
    assert check_states(judged, path) == []
    assert [one.name for one in path.parent.iterdir() if one.name.startswith(".verdicts")] == []
