"""A notebook by hand takes the threads that the machine has free, says so, and obeys whoever chose them."""

import os
import subprocess
import sys

import psutil
import pytest

from recsys.runs import by_hand
from recsys.runs.grid.notebook_cells import code_cells, read_cells
from tests.conftest import ROOT

CALL = """
import os
from recsys.runs.by_hand import use_free_cores
assert not {"numpy", "torch"} & set(__import__("sys").modules), "loaded before it was told its threads"
use_free_cores()
import torch
from threadpoolctl import threadpool_info
pools = {pool["num_threads"] for pool in threadpool_info()}
print(torch.get_num_threads(), pools, os.environ["OMP_WAIT_POLICY"])
"""


def call(code=CALL, **environment):
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "MKL_", "OPENBLAS"))
    }
    kept |= {"PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", code], env=kept, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_fresh_process_uses_what_is_free():
    said, used = call()
    threads = int(used.split()[0])
    assert f"this notebook uses {threads} thread" in said
    assert 1 <= threads <= by_hand.allowed_cores()
    assert used == f"{threads} {{{threads}}} PASSIVE"


def test_a_user_s_choice_is_kept_and_said():
    said, used = call(OMP_NUM_THREADS="1")
    assert said == "this notebook uses 1 thread, as OMP_NUM_THREADS says"
    assert used == "1 {1} PASSIVE"


def test_under_the_runner_nothing_is_done_or_said():
    code = "import os\nfrom recsys.runs.by_hand import use_free_cores\n"
    code += "print(use_free_cores(), os.environ.get('OMP_WAIT_POLICY'))"
    assert call(code, RECSYS_REQUEST="x", OMP_NUM_THREADS="2") == ["2 None"]


def test_libraries_that_are_loaded_already_are_told():
    code = "import torch, numpy, os\ntorch.set_num_threads(5)\n" + CALL.replace("assert", "0 and")
    said, used = call(code)
    threads = int(used.split()[0])
    assert threads <= by_hand.allowed_cores()
    assert f"uses {threads} thread" in said


@pytest.mark.parametrize(
    ("busy", "free"),
    [
        ([0, 0, 0, 0], 4),
        ([100, 0, 0, 0], 3),
        ([100, 40, 0, 0], 3),
        ([100, 100, 100, 100], 0),
        ([60, 60, 60, 60], 2),
    ],
)
def test_cores_in_use_are_not_free(monkeypatch, busy, free):
    monkeypatch.setattr(by_hand, "_bound_to", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval, percpu: busy)
    assert by_hand.free_cores(4) == free
    assert by_hand.free_cores(2) == min(2, free)


@pytest.mark.parametrize(
    ("text", "cores"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("?", 8)]
)
def test_a_container_s_quota_counts(monkeypatch, tmp_path, text, cores):
    (tmp_path / "cpu.max").write_text(text)
    monkeypatch.setattr(by_hand, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(by_hand, "_bound_to", lambda: list(range(8)))
    assert by_hand.allowed_cores() == cores


def test_a_second_call_looks_again(monkeypatch, capsys):
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(
        by_hand, "set_threads", lambda threads, environment: environment.update(OMP_NUM_THREADS=str(threads))
    )
    free = iter([1, 3])
    monkeypatch.setattr(by_hand, "free_cores", lambda cores: next(free))
    assert [by_hand.use_free_cores(), by_hand.use_free_cores()] == [1, 3]
    assert capsys.readouterr().out.count("(set OMP_NUM_THREADS to choose)") == 2


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_every_notebook_begins_with_it(path):
    first = next(code_cells(read_cells(path)))
    assert "by-hand" in first.tags
    assert "use_free_cores()" in first.source
