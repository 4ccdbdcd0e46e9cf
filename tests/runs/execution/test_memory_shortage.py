"""Runs that Ray ends for want of memory: they wait for it, are tried again, and say so once."""

import contextlib
import itertools
import types

import pytest
import ray.exceptions

from recsys.runs.execution import memory_shortage, runner
from recsys.runs.execution.worker import Outcome

GIB = 2**30
NAMES = ("first", "second", "third")


def planned(name: str) -> types.SimpleNamespace:
    """What the runner reads of a planned run that needs 4 GiB."""
    return types.SimpleNamespace(
        name=name,
        folder=f"runs/{name}",
        experiment=types.SimpleNamespace(name="00_plain", notebook="notebooks/00_plain.ipynb", metrics=[]),
        profile="quick",
        parameters={},
        needs=types.SimpleNamespace(threads=1, gpus=0, memory_gb=4.0),
    )


class FakeRay:
    """Ends the named runs so often, as Ray does where memory is short; the others succeed."""

    exceptions = ray.exceptions

    def __init__(self, ended: dict[str, int], memory: float = 100 * GIB):
        self.left, self.memory, self.started = dict(ended), memory, []

    def cluster_resources(self):
        return {"CPU": 2, "memory": self.memory}

    def remote(self, function):
        return self

    def options(self, **_):
        return types.SimpleNamespace(remote=self._start)

    def _start(self, request):
        self.started.append(request.run)
        return len(self.started) - 1

    def wait(self, references, timeout):
        return references[:1], references[1:]

    def get(self, reference):
        name = self.started[reference]
        if self.left.get(name, 0):
            self.left[name] -= 1
            raise ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory.")
        return Outcome(name, True, 1.0, "folder")


@pytest.fixture
def carried_out(monkeypatch):
    """A function: what stands for Ray, and free GiB of a machine of 100 at each look -> outcomes by name."""
    monkeypatch.setattr(runner.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(runner, "_kernel_parents", lambda threads: contextlib.nullcontext("socket"))

    def run(fake, *free):
        looks = list(free)

        def memory():
            now = looks.pop(0) if len(looks) > 1 else looks[0]
            return types.SimpleNamespace(available=now * GIB, total=100 * GIB)

        @contextlib.contextmanager
        def started(address, cores):
            yield fake

        monkeypatch.setattr(runner, "started_ray", started)
        monkeypatch.setattr(memory_shortage.psutil, "virtual_memory", memory)
        return {one.run: one for one in runner.run([planned(name) for name in NAMES])}

    return run


def test_what_was_ended_is_tried_again_when_there_is_memory(carried_out, capsys):
    fake = FakeRay({"first": 1, "second": 1})
    outcomes = carried_out(fake, 5, 13, 15)
    assert all(outcomes[name].ok for name in NAMES)
    assert sorted(fake.started) == ["first", "first", "second", "second", "third"]
    said = capsys.readouterr().err
    assert said.count("Memory ran short") == 1
    assert "4 GiB" in said
    assert "fewer --cores" in said


def test_what_is_ended_three_times_has_failed_with_the_reason(carried_out):
    fake = FakeRay({"second": 9})
    outcomes = carried_out(fake, 50)
    assert fake.started.count("second") == 3
    assert "memory ran short 3 times" in outcomes["second"].reason
    assert outcomes["first"].ok
    assert outcomes["third"].ok


def test_what_waits_with_nothing_in_progress_is_given_up_in_the_end(carried_out, monkeypatch):
    seconds = itertools.count(step=60.0)
    monkeypatch.setattr(memory_shortage.time, "monotonic", lambda: next(seconds))
    outcomes = carried_out(FakeRay({"first": 1, "second": 1}), 5)
    for name in ("first", "second"):
        assert "was not free again in 15 minutes: close other programs" in outcomes[name].reason
    assert outcomes["third"].ok


def test_the_wait_counts_only_while_nothing_is_in_progress(monkeypatch):
    seconds = itertools.count(step=600.0)
    monkeypatch.setattr(memory_shortage.time, "monotonic", lambda: next(seconds))
    short = memory_shortage.MemoryShortage(cluster=False)
    runs = [planned(name) for name in NAMES[:2]]
    assert all(short.takes(one) for one in runs)
    for in_progress in (False, True, False):  # 600 s alone, not alone, 600 s alone again
        assert short.given_up(in_progress) == []
    while not (ended := short.given_up(in_progress=False)):
        pass
    assert ended == runs[:1], "one after the other: the next may need less"
    assert len(short) == 1


def test_too_little_free_memory_is_called_so(carried_out):
    outcomes = carried_out(FakeRay({}, memory=1.28 * GIB), 50)
    for one in outcomes.values():
        assert not one.ok
        assert "needs 4 GiB of memory, Ray found 1.28 to give out when it started: close other" in one.reason
