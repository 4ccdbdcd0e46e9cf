"""A trial that is a run of a notebook: its record stands, and answers when the sweep is run again."""

import json

import pytest
import yaml

from recsys.sweeps.results import ended
from recsys.training.hyperparameter_search.trial_log import read_log
from tests.conftest import recsys_command, write_notebook

PARAMETERS = "x: float = 0.5  # where\nseed: int = 0  # of nothing"
CELLS = [
    "from recsys.runs.record import record",
    "assert x != 0.25, 'a planted failure'",
    "record(metrics={'height_validation': 1 - (x - 0.3) ** 2, 'height': 99.0})",
]
EXPERIMENT = {
    "name": "00_hill",
    "notebook": "notebooks/00_hill.ipynb",
    "question": "Where is the top?",
    "metrics": ["height", "height_validation"],
    "primary_metric": "height",
    "profiles": {"quick": {"cells": [{"grid": {"x": [0.1]}}]}},
}
SWEEP = {
    "name": "hill",
    "question": "Where is the top?",
    "notebook": "notebooks/00_hill.ipynb",
    "space": {"x": {"choice": [0.1, 0.25, 0.3]}},
    "objectives": [{"metric": "height_validation"}],
    "budget": {"trials": 3},
    "methods": [{"sampler": "grid"}],
}


@pytest.fixture
def hill(project):
    write_notebook(project / "notebooks" / "00_hill.ipynb", PARAMETERS, *CELLS)
    (project / "experiments" / "sweeps").mkdir()
    for path, what in (("00_hill.yaml", EXPERIMENT), ("sweeps/hill.yaml", SWEEP)):
        (project / "experiments" / path).write_text(yaml.safe_dump(what, sort_keys=False))
    return project


def test_trials_are_runs(hill):
    recsys = recsys_command(hill)
    refused = recsys("sweep", "hill", "--resume")
    assert refused.returncode == 2
    done = recsys("sweep", "hill")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = hill / "experiments" / "runs" / "sweeps" / "hill"
    trials = ended(read_log(folder / "grid-0.jsonl")[1])
    assert [trial.state for trial in trials] == ["done", "failed", "done"]
    assert "a planted failure" in trials[1].reason
    assert trials[2].metrics == {"height_validation": 1.0}  # what is not of validation stays in the record
    records = sorted((folder / "runs").glob("*/record.json"))
    assert len(records) == 2
    raw = [json.loads(path.read_text()) for path in records]
    assert {one["parameters"]["x"] for one in raw} == {0.1, 0.3}
    assert all(one["metrics"]["height"] == 99.0 for one in raw)
    before = [path.stat().st_mtime_ns for path in records]
    again = recsys("sweep", "hill", "--restart")
    assert again.returncode == 0, again.stdout + again.stderr
    assert [path.stat().st_mtime_ns for path in records] == before
    assert list(folder.glob("before-*/grid-0.jsonl"))
