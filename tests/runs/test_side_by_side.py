"""Work in forked processes gives what it gives in one, in order, and its errors arrive."""

import os
import sys

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
