"""Work in forked processes gives what it gives in one, in order, and its errors arrive."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from recsys.runs import side_by_side as module
from recsys.runs.side_by_side import side_by_side


def test_results_keep_their_order_and_come_from_other_processes():
    found = side_by_side(lambda item: (item * 2, os.getpid()), [3, 1, 2])
    assert [twice for twice, _ in found] == [6, 2, 4]
    if sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1:
        assert os.getpid() not in {process for _, process in found}


def test_within_other_work_nothing_more_is_forked():
    inner = side_by_side(lambda _: {os.getpid()} | set(side_by_side(lambda _: os.getpid(), [1, 2])), [1, 2])
    assert [len(processes) for processes in inner] == [1, 1]


def test_an_error_arrives_and_the_next_work_is_done():
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda item: 1 / item, [1, 0, 2])
    assert module._shared is None
    assert side_by_side(str, []) == []
    assert side_by_side(str, [1]) == ["1"]


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
@pytest.mark.parametrize("items", [200, 100_000])  # the second is still being handed out
def test_ctrl_c_is_one_trace_and_leaves_no_process(items):
    code = f"""
import time
from recsys.runs.side_by_side import side_by_side
print("begun", flush=True)
side_by_side(lambda item: time.sleep(0.3), list(range({items})))
"""
    started = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal's Ctrl-C goes to all of its processes
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert started.stdout.readline() == "begun\n"
    family = psutil.Process(started.pid)
    while len(os.sched_getaffinity(0)) > 1 and not family.children():
        time.sleep(0.05)
    children = family.children()
    os.killpg(started.pid, signal.SIGINT)
    _, told = started.communicate(timeout=30)
    assert told.count("Traceback") == 1
    assert told.splitlines()[-1] == "KeyboardInterrupt"
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
