"""Experiments, claims and the committed reference fit together."""

import pytest

from recsys.runs import paths
from recsys.runs.evidence.claims import load_claims
from recsys.runs.evidence.judge import judge
from recsys.runs.evidence.stored import check_states
from recsys.runs.evidence.verify import check_record
from recsys.runs.grid.experiment import PROFILES, load_experiments
from recsys.runs.grid.plan import plan
from recsys.runs.records import load_records

EXPERIMENTS = load_experiments(paths.PROJECT / "experiments")
REFERENCE = load_records(paths.REFERENCE)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_grid_names_parameters_that_its_notebook_has(profile, tmp_path):
    for experiment in EXPERIMENTS.values():
        planned = plan([experiment], profile, runs=tmp_path)
        assert bool(planned) == (profile in experiment.profiles)


def test_every_experiment_states_its_budget():
    assert [e.name for e in EXPERIMENTS.values() if not {"quick", "reference"} <= set(e.budget)] == []


def test_claims_agree_with_the_committed_records():
    claims = load_claims()
    known = {claim.id for claim in claims.claims}
    assert {c for e in EXPERIMENTS.values() for c in e.claims} <= known
    assert check_states(judge(claims, REFERENCE, EXPERIMENTS)) == []


def test_reference_is_made_from_committed_code():
    assert [r.run for r in REFERENCE if r.code["dirty"] or not r.code["commit"]] == []


@pytest.mark.parametrize("record", REFERENCE, ids=lambda r: f"{r.experiment}/{r.run}")
def test_committed_metrics_follow_from_the_committed_ranks(record):
    problems, checked = check_record(record)
    assert problems == []
    assert checked >= len(record.files)
