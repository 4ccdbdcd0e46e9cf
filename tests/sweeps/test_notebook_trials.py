"""A trial that is a run of a notebook: its record stands, and answers when the sweep is run again."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from recsys.sweeps.results import ended
from recsys.training.hyperparameter_search.trial_log import read_log
from tests.conftest import ROOT, write_notebook

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


DRIVE = """
from recsys.sweeps.arm import Arm
from recsys.sweeps.results import sweep_folder
from recsys.sweeps.spec import find_spec, load_spec
from tests.sweeps.conftest import drive

spec, folder = load_spec(find_spec("hill")), sweep_folder("hill")
drive(Arm(spec, spec.methods[0], 0, folder), folder)
"""


CODE_OF = """
import json
from recsys.sweeps.provenance import _modules
from recsys.sweeps.spec import find_spec, load_spec

print(json.dumps(_modules(load_spec(find_spec("hill")))))
"""


def drive_sweep(project):
    """Without Ray, which would only place the trials; in a process whose project is this one."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(project), str(ROOT)])}
    command = [sys.executable, "-c", DRIVE]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr


def test_trials_are_runs(hill):
    folder = hill / "experiments" / "runs" / "sweeps" / "hill"
    drive_sweep(hill)
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
    (folder / "grid-0.jsonl").unlink()
    drive_sweep(hill)
    assert [path.stat().st_mtime_ns for path in records] == before  # up to date: not executed again
    again = ended(read_log(folder / "grid-0.jsonl")[1])
    assert [(trial.state, trial.metrics) for trial in again] == [(t.state, t.metrics) for t in trials]
    # what a kernel used is no child's of the trial process; a record costs what it did, whoever reads it
    costs = {one["parameters"]["x"]: one["core_seconds"] for one in raw}
    assert all(trial.core_seconds == costs[trial.settings["x"]] for trial in (trials[0], trials[2], again[0]))
    assert trials[1].core_seconds > 0


def test_an_edit_of_the_notebook_is_an_edit_of_the_sweep(hill):
    command = [sys.executable, "-c", CODE_OF]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(hill), str(ROOT)])}

    def code() -> dict[str, str]:
        done = subprocess.run(command, cwd=hill, env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    before = code()
    write_notebook(hill / "notebooks" / "00_hill.ipynb", PARAMETERS, *CELLS, "print(1)\nx = x + 0")
    after = code()
    place = "notebooks/00_hill.ipynb"
    assert before[place] != after[place]
