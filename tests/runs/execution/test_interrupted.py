"""Ctrl-C or SIGTERM in mid-run: what ended is kept, nothing half is left, and the next run goes on."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.conftest import recsys_command, write_notebook

EXPERIMENT = """\
name: 00_waits
notebook: notebooks/00_waits.ipynb
question: What is left when it is stopped?
metrics: [score]
primary_metric: score
needs: {threads: 1, memory_gb: 0.2}
profiles:
  quick: {cells: [{grid: {waits: [false, true]}}]}
"""
WAIT = """\
import time
from pathlib import Path
end = time.time() + 120
while waits and not Path({go!r}).exists() and time.time() < end:
    time.sleep(0.1)
"""


@pytest.fixture
def waiting(project):
    """A project of two runs: the second waits until the file `go` is there."""
    write_notebook(
        project / "notebooks" / "00_waits.ipynb",
        "waits: bool = False\nseed: int = 0",
        WAIT.format(go=str(project / "go")),
        "from recsys.runs.record import record",
        "record(metrics={'score': float(waits)})",
    )
    (project / "experiments" / "00_waits.yaml").write_text(EXPERIMENT)
    return project


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.1)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])  # Ctrl-C; Slurm, `docker stop`
def test_a_stopped_run_keeps_what_ended_and_goes_on(waiting, sign):
    runs = waiting / "experiments" / "runs"
    started = subprocess.Popen(
        [sys.executable, "-m", "recsys.cli", "run", "--cores", "1"],
        cwd=waiting,
        env={**os.environ, "PYTHONPATH": str(waiting), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a shell's background job ignores Ctrl-C, and its children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        until(lambda: list(runs.glob("*/defaults-*/record.json")))
        until(lambda: list(runs.glob("*/.*waits=True*")))  # the second run is in progress
        family = psutil.Process(started.pid).children(recursive=True)
        started.send_signal(sign)
        told, _ = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == 130
    assert "Stopped. 1 of 2 runs had ended and are kept" in told
    assert "Traceback" not in told
    until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family), 30)

    last = json.loads((runs / "last.json").read_text())
    assert [one["state"] for one in last["runs"]] == ["done", "not reached"]
    assert "1 of 2 runs are up to date" in recsys_command(waiting)("status").stdout
    (waiting / "go").write_text("")
    again = recsys_command(waiting)("run", "--cores", "1")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "1 notebooks executed, 1 up to date" in again.stdout
    assert [path.name for path in (runs / "00_waits").iterdir() if path.name.startswith(".")] == []
