"""Ray on one machine: where it may lie, how long it is waited for, who can reach it."""

import ipaddress
import os
import subprocess
import sys
import tempfile
import types

import pytest

from recsys.runs.execution import runner
from recsys.runs.execution.runner import RunnerError
from tests.conftest import ROOT

LISTENING = """
import psutil
from recsys.runs.execution.runner import started_ray

with started_ray(None, 1) as ray:
    ray.get(ray.remote(lambda: 1).remote())
    me = psutil.Process()
    for process in [me, *me.children(recursive=True)]:
        try:
            for place in process.net_connections(kind="inet"):
                if place.status == psutil.CONN_LISTEN:
                    print("LISTENS", place.laddr.ip)
        except psutil.Error:
            pass
"""


@pytest.fixture
def started(monkeypatch):
    """A function: starts what stands for Ray, which fails with these errors first."""
    calls = []

    def start(*errors, address=None):
        left = list(errors)

        def init(place, **options):
            calls.append(place)
            if left:
                raise left.pop(0)

        fake = types.SimpleNamespace(init=init, shutdown=lambda: None)
        monkeypatch.setitem(sys.modules, "ray", fake)
        monkeypatch.setattr(os, "environ", {**os.environ})
        with runner.started_ray(address, 1):
            return len(calls)

    return start


SLOW = Exception(
    "The current node timed out during startup. This could happen because some of the raylet ..."
)


def test_a_busy_machine_is_given_time_and_the_reader_is_told(started, capsys):
    assert started(SLOW, SLOW) == 3
    assert capsys.readouterr().err.count("the machine is busy. Trying again") == 1
    started()
    assert not capsys.readouterr().err


def test_but_not_for_ever(started):
    told = r"cannot start or reach Ray on this machine: The current node timed out.*; try again when"
    with pytest.raises(RunnerError, match=told):
        started(*[SLOW] * runner.TRIES)


def test_another_error_is_told_at_once(started):
    with pytest.raises(RunnerError, match="no room"):
        started(OSError("no room"), OSError("never asked"))
    with pytest.raises(RunnerError, match="the Ray cluster at auto"):
        started(SLOW, address="auto")


@pytest.mark.parametrize("name", ["TMPDIR", "RAY_TMPDIR"])
def test_a_long_temporary_folder_is_refused_with_advice(tmp_path, monkeypatch, name):
    long = tmp_path / ("x" * 60)
    long.mkdir()
    monkeypatch.setenv(name, str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(RunnerError, match=rf"too long a name for Ray's sockets .*, such as {name}=/tmp"):
        runner._check_temporary_folder()
    monkeypatch.setenv(name, "/tmp")
    monkeypatch.setattr(tempfile, "tempdir", None)
    runner._check_temporary_folder()


def test_ray_listens_on_the_loopback_interface_alone():
    done = subprocess.run(
        [sys.executable, "-c", LISTENING],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    places = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("LISTENS")}
    assert places, done.stdout + done.stderr
    found = {ipaddress.ip_address(place.removeprefix("::ffff:")) for place in places}
    assert all(place.is_loopback for place in found), found
