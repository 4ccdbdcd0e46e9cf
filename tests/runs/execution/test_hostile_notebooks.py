"""Notebooks that answer with too much, with what no terminal prints, or with a record that is none: each run
fails with a reason of a few lines, and the command goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from recsys.runs.execution.failures import MOST_OF_REASON
from tests.conftest import make_project, recsys_command
from tests.runs.execution.test_runner import add_experiment

START = "import pandas as pd\nfrom recsys.runs.record import record"
END = "record(metrics={'score': 1.0})"
TABLE = "pd.DataFrame({'a': [1]})"
FAILING = {
    "10_long": (["raise ValueError('x' * 20_000_000)"], "(20,000,012 characters)"),
    "11_half": (["raise ValueError('half \\udcff')"], "ValueError: half ?"),
    "12_twice": ([END, END], "record(...) is called twice"),
    "13_notes": (["record({'score': 1.0}, notes=3)"], "notes are a text, got int"),
    "14_outside": ([f"record({{'score': 1.0}}, tables={{'../outside': {TABLE}}})"], "a table's name becomes"),
    "15_ranks": (
        [f"record({{'score': 1.0}}, {TABLE}, tables={{'ranks': {TABLE}}})"],
        "the table 'ranks' is given twice",
    ),
    "16_syntax": (["def ("], "SyntaxError"),
    "17_interrupt": (["raise KeyboardInterrupt"], "KeyboardInterrupt"),
    "18_exit": (["import sys\nsys.exit(3)"], "SystemExit: 3"),
    "19_no_number": (["record({'score': 'many'})"], "could not convert string to float: 'many'"),
    "20_name": (["record({'score': 1.0, 3: 1.0, None: 2.0})"], "name"),
}
LOST = "import os, shutil\nshutil.rmtree(os.path.dirname(os.environ['RECSYS_REQUEST']))"
FINE = {
    "30_half_out": ["print('half \\ud800 \\x00 \\x1b[31m')", END],
    "31_relative": [
        "from recsys.data import sources\nassert sources.local_file('mine', 'a.txt').is_file()",
        END,
    ],
    "32_stderr": ["import sys, os\nos.write(2, b'\\xff\\xfe')\nsys.stderr.write('y' * 5_000_000)", END],
}
SOURCES = "mine: {family: s3rec, files: [{name: a.txt, path: a.txt}]}\n"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("project"))
    for name, (cells, _) in FAILING.items():
        add_experiment(project, name, "[1]", START, *cells)
    add_experiment(project, "29_lost", "[1]", LOST, START, END)
    for name, cells in FINE.items():
        add_experiment(project, name, "[1]", START, *cells)
    (project / "mine").mkdir()
    (project / "mine" / "a.txt").write_text("1 1 2 3\n")
    (project / "mine" / "sources.yaml").write_text(SOURCES)
    done = recsys_command(project)("run", timeout=500, RECSYS_DATA="mine", RECSYS_CACHE="kept")
    return project, done


def failure_of(project, name):
    return json.loads(next((project / "experiments/runs" / name).glob("*.failed/failure.json")).read_text())


@pytest.mark.parametrize("name", FAILING)
def test_each_fails_by_itself_and_says_why_in_a_few_lines(ran, name):
    project, done = ran
    told = failure_of(project, name)
    assert FAILING[name][1] in told["reason"]
    assert len(told["reason"]) < MOST_OF_REASON + 50
    assert len(told["traceback"]) < 100_000
    assert not list((project / "experiments/runs" / name).glob("*/record.json"))
    assert f"FAILED {name}" in done.stdout


@pytest.mark.parametrize("name", FINE)
def test_odd_outputs_and_relative_folders_are_no_fault(ran, name):
    project, done = ran
    assert list((project / "experiments/runs" / name).glob("*/record.json")), done.stdout


def test_the_command_ends_as_it_should(ran):
    project, done = ran
    assert done.returncode == 1
    assert f"{len(FINE)} notebooks executed, 0 up to date, {len(FAILING) + 1} failed" in done.stdout
    assert re.search(r"FAILED 29_lost .*FileNotFoundError", done.stdout)
    assert len(done.stdout) + len(done.stderr) < 200_000
    assert not list((project / "experiments" / "runs").rglob("outside.parquet"))
    assert not (project / "notebooks" / "kept").exists()
    assert recsys_command(project)("report", timeout=120).stderr.count("Traceback") == 0


def test_ctrl_c_in_a_terminal_ends_the_command_and_keeps_what_is_finished(tmp_path):
    """The terminal sends the signal to the whole group of processes, kernels and Ray's included."""
    project = make_project(tmp_path)
    add_experiment(project, "00_quick", "[1]", START, END)
    add_experiment(project, "01_slow", "[1]", "import time\ntime.sleep(300)", START, END)
    command = [sys.executable, "-m", "recsys.cli", "run", "--cores", "1"]
    driver = subprocess.Popen(
        command,
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 200
        while not list(project.glob("experiments/runs/01_slow/.in-flight-*/request.json")):
            assert driver.poll() is None, driver.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        os.killpg(driver.pid, signal.SIGINT)
        said = driver.communicate(timeout=120)[0]
    finally:
        driver.kill()
    assert driver.returncode == 130, said
    assert "Stopped. 1 " in said
    assert "Traceback" not in said
    assert len(list(project.glob("experiments/runs/00_quick/*/record.json"))) == 1
    assert not list(project.glob("experiments/runs/01_slow/*/record.json"))
    last = json.loads((project / "experiments/runs/last.json").read_text())
    assert {entry["experiment"]: entry["state"] for entry in last["runs"]}["00_quick"] == "done"
    dry = recsys_command(project)("run", "--dry-run").stdout
    assert "1 of 2 runs would run" in re.sub(r"\s+", " ", dry)
