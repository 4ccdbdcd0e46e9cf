"""Which runs a criterion looks at, and what it may not ask."""

import pytest

from recsys.runs.evidence.statistics.criterion import Ambiguous, Criterion, Records, match
from recsys.runs.records import load_records
from tests.runs.made_records import make_record, objective

GAP_FALLS = {
    "metric": "overfit_gap",
    "treatment": {"objective": "l2"},
    "control": {"objective": "bce"},
    "pair": "seed",
    "alternative": "less",
}
EXPERIMENT = "01_loss_derivation"


def matched(folder, **changes):
    return match(Criterion(**GAP_FALLS | changes), EXPERIMENT, Records(load_records(folder)))


def test_runs_are_found_by_their_parameters(tmp_path):
    objective(tmp_path, "l2", seeds=(0, 1, 2), gaps=[1, 2, 3])
    objective(tmp_path, "bce", seeds=(0, 1, 2, 3), gaps=[1, 2, 3, 4])
    objective(tmp_path, "dropout", seeds=(0,), gaps=[1])
    found = matched(tmp_path)
    assert {side: sorted(runs) for side, runs in found.sides.items()} == {
        "treatment": [0, 1, 2],
        "control": [0, 1, 2, 3],
    }
    assert len(found.runs) == 7
    assert matched(tmp_path, where={"dataset": "beauty"}) == "no record of the treatment (dataset=beauty)"


def test_the_larger_profile_counts_and_profiles_never_mix(tmp_path):
    for profile in ("smoke", "quick", "reference"):
        objective(tmp_path, "l2", gaps=[1, 2, 3], profile=profile)
    for profile in ("smoke", "quick"):
        objective(tmp_path, "bce", gaps=[1, 2, 3], profile=profile)
    found = matched(tmp_path)
    assert found.profile == "quick"
    assert {record.profile for record in found.records} == {"quick"}


def test_sides_in_different_profiles_are_no_comparison(tmp_path):
    objective(tmp_path, "l2", gaps=[1, 2, 3], profile="quick")
    objective(tmp_path, "bce", gaps=[1, 2, 3], profile="reference")
    assert matched(tmp_path) == "no record of the two sides in one profile"


def test_two_runs_of_one_seed_are_ambiguous(tmp_path):
    objective(tmp_path, "bce", gaps=[1, 2, 3])
    for steps in (10, 20):
        make_record(tmp_path, EXPERIMENT, {"objective": "l2", "steps": steps, "seed": 0}, {"overfit_gap": 1})
    with pytest.raises(Ambiguous, match="two runs match for seed 0; they differ in steps"):
        matched(tmp_path)


def test_each_asks_for_every_combination():
    criterion = Criterion(**GAP_FALLS, where={"steps": 5}, each={"dataset": ["a", "b"], "rate": [1, 2, 3]})
    parts = criterion.expand()
    assert len(parts) == 6
    assert parts[0].where == {"steps": 5, "dataset": "a", "rate": 1}
    assert all(part.each == {} for part in parts)


def test_a_gain_has_two_starts():
    criterion = Criterion(**GAP_FALLS, gain_over={"objective": "none"}, control_experiment="02_other")
    assert criterion.sides(EXPERIMENT) == {
        "treatment": (EXPERIMENT, {"objective": "l2"}),
        "control": ("02_other", {"objective": "bce"}),
        "treatment's start": (EXPERIMENT, {"objective": "none"}),
        "control's start": ("02_other", {"objective": "none"}),
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"value": 1.0}, "either `control`"),
        ({"control": None}, "either `control`"),
        ({"pair": "list", "metric": "fast:difference"}, "a difference within a run: give `value`"),
        ({"control": None, "value": 0.1, "gain_over": {"start": "random"}}, "give `control`"),
        ({"line": 0.1}, "needs a `line_reason`"),
        ({"line_reason": "because"}, "needs a `line_reason`"),
        ({"margin": 0.1}, "not permitted"),
        ({"value": "0.1", "control": None}, "valid number"),
        ({"seen_at_most": "3"}, "valid integer"),
        ({"kind": "better"}, "'gain'"),
        ({"line": 0.1, "line_reason": ""}, "at least 1 character"),
        ({"each": {"dataset": []}}, "each: dataset needs values, each once"),
        ({"each": {"dataset": ["a", "b", "a"]}}, "each: dataset needs values, each once"),
        ({"where": {"objective": "l2"}}, "'objective' stands in both where and treatment"),
        ({"where": {"rate": 1}, "each": {"rate": [1, 2]}}, "'rate' stands in both each and where"),
        ({"each": {"objective": ["l2", "l1"]}}, "'objective' stands in both each and treatment"),
        ({"control": {"objective": "l2"}}, "treatment and control are the same runs"),
        ({"gain_over": {"objective": "bce"}}, "gain_over chooses the runs of the control itself"),
        ({"seen_at_most": 3}, "pair by user"),
        ({"seen_at_most": -1, "pair": "user"}, "greater than or equal to 0"),
    ],
)
def test_what_a_criterion_may_not_say(changes, told):
    with pytest.raises(ValueError, match=told):
        Criterion(**GAP_FALLS | changes)
