"""Records that a criterion can't be judged by: they are named, never passed over."""

import json

import pytest

from recsys.runs.records import load_records
from tests.runs.evidence.statistics.test_examination import (
    BCE_BEATS,
    EXPERIMENT,
    found,
    seed_criterion,
)
from tests.runs.made_records import make_record, objective, positions


@pytest.mark.parametrize(
    ("changes", "state", "told"),
    [
        ({"metric": "hap", "pair": "seed"}, "invalid", "names no family for the metric 'hap'"),
        ({"metric": "mae", "pair": "seed"}, "invalid", "has no metric 'mae'"),
        ({"metric": "hr@1.5"}, "invalid", "is no ranking metric"),
        ({"control": {"objective": "absent"}}, "not yet tested", "no record of the control"),
        ({"seen_at_most": 3}, "invalid", "recorded no train_count"),
        ({"metric": "gradient_ratio", "pair": "seed"}, "undecided", "it can only be a level"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, changes, state, told):
    objective(tmp_path, "bce", mean_rank=5)
    objective(tmp_path, "random", mean_rank=9)
    for record in load_records(tmp_path):
        record.raw["metrics"]["gradient_ratio"] = 1.0
        (record.folder / "record.json").write_text(json.dumps(record.raw))
    finding = found(tmp_path, "gain", BCE_BEATS | changes)
    assert finding.state == state
    assert told in finding.message


def test_runs_without_ranks_and_two_that_match_are_invalid(tmp_path):
    objective(tmp_path, "bce", gaps=[1.0, 1.0, 1.0])
    objective(tmp_path, "random", gaps=[1.0, 1.0, 1.0])
    assert "recorded no rank positions" in found(tmp_path, "gain", BCE_BEATS).message
    make_record(tmp_path, EXPERIMENT, {"objective": "bce", "steps": 5, "seed": 1}, {"overfit_gap": 1.0})
    finding = found(tmp_path, "gain", seed_criterion("overfit_gap", "less"))
    assert finding.state == "invalid"
    assert "two runs match for seed 1" in finding.message


def test_other_users_are_not_compared(tmp_path):
    objective(tmp_path, "bce", mean_rank=5)
    for seed in range(3):
        make_record(
            tmp_path, EXPERIMENT, {"objective": "random", "seed": seed}, ranks=positions(300, 9, seed)
        )
    finding = found(tmp_path, "gain", BCE_BEATS)
    assert (finding.state, finding.p_value) == ("undecided", None)
    assert finding.message == "the runs rank different users, so users can't be compared"
