import pandas as pd
import pytest
import torch

from recsys.benchmarks.timing import Timing, interleave, thread_count


def test_callables_take_turns():
    seen = []
    timing = interleave(
        {"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, rounds=4, warm_up=2, calls=3
    )
    assert timing.wall.shape == timing.process.shape == (4, 2)
    assert list(timing.wall) == ["a", "b"]
    rounds = ["".join(seen[start : start + 6]) for start in range(0, len(seen), 6)]
    assert len(rounds) == 6
    assert set(rounds) == {"aaabbb", "bbbaaa"}


def test_seconds_of_each_of_many():
    wall = pd.DataFrame({"a": [4.0, 8.0]})
    each = Timing(wall, wall / 2, threads=2, load=0.5).each(4)
    assert each.wall["a"].tolist() == [1.0, 2.0]
    assert each.process["a"].tolist() == [0.5, 1.0]
    assert (each.threads, each.load) == (2, 0.5)


def test_something_comes_before_each_measurement():
    seen = []
    before = {"before": lambda: seen.append("before")}
    timing = interleave({"a": lambda: seen.append("a")}, rounds=2, warm_up=0, calls=2, **before)
    assert seen == ["before", "a", "a"] * 2
    assert timing.wall.shape == (2, 1)


def test_ratios_are_of_the_same_round():
    """A machine that became ten times slower half-way changes no ratio."""
    wall = pd.DataFrame({"old": [4.0, 4.0, 40.0, 40.0], "new": [1.0, 1.0, 10.0, 10.0]})
    timing = Timing(wall, wall / 2, threads=1, load=0.0)
    row = timing.table("old").loc["new"]
    assert (row["speedup"], row["speedup_low"], row["speedup_high"], row["speedup_cpu"]) == (4, 4, 4, 4)
    assert row["busy"] == 0.5
    assert timing.contended
    assert not Timing(wall, wall, threads=1, load=0.0).contended


def test_threads_are_set_and_put_back():
    before = torch.get_num_threads()
    seen = []
    timing = interleave({"a": lambda: seen.append(torch.get_num_threads())}, rounds=1, warm_up=0, threads=2)
    assert seen == [2]
    assert timing.threads == 2
    assert torch.get_num_threads() == before
    with pytest.raises(RuntimeError), thread_count(2):
        raise RuntimeError
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"warm_up": -1}, {"calls": 0}, {"threads": 0}])
def test_counts_are_checked(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        interleave({"a": int}, **wrong)
    with pytest.raises(ValueError, match="must be callables"):
        interleave({})


def test_no_threads_are_refused():
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"), thread_count(0):
        pass
