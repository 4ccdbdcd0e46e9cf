"""An arm's log is the truth: what had ended stays, what had not is handed out again, nothing else."""

import os
import signal
import time

import psutil
import pytest

from recsys.sweeps.arm import IN_A_ROW, PATIENCE, Arm
from recsys.sweeps.results import failures, status_table, sweep_folder, sweep_reports, sweep_trials
from recsys.sweeps.spec import Method
from recsys.sweeps.trials.trial_client import TrialClient
from recsys.training.hyperparameter_search.trial import DONE, STOPPED
from recsys.training.hyperparameter_search.trial_log import TrialLogError
from tests.sweeps.conftest import drive, small_spec

FAST = {"metrics": {"quality": 0.5, "cost": 1.0}, "core_seconds": 0.1}


def finished(arm):
    return {trial.number: trial.settings for trial in arm.trials}


def by_hand(arm, count=None):
    """As `drive` without a process: the value follows from the settings."""
    told = 0
    while (count is None or told < count) and (proposed := arm.propose()):
        number, settings = proposed
        arm.end(number, DONE, FAST | {"metrics": {"quality": settings.get("x", 0.0)}})
        told += 1


@pytest.mark.parametrize("sampler", ["grid", "random", "quasi_random", "tpe"])
def test_an_arm_that_was_cut_off_ends_as_if_it_had_not_been(tmp_path, sampler):
    space = {"x": {"choice": [0.1, 0.2, 0.3]}, "kind": {"choice": ["round", "flat"]}}
    spec = small_spec(space=space, budget={"trials": 6})
    method = Method(sampler=sampler)
    whole = Arm(spec, method, 0, tmp_path / "whole")
    by_hand(whole)
    assert whole.complete
    for ended in range(6):
        folder = tmp_path / f"{ended}"
        cut = Arm(spec, method, 0, folder)
        by_hand(cut, ended)
        lost = cut.propose()  # handed out, and the driver is killed
        cut.log.close()
        again = Arm(spec, method, 0, folder)
        assert finished(again) == finished(cut)
        assert again.propose() == lost
        again.end(lost[0], DONE, FAST | {"metrics": {"quality": lost[1]["x"]}})
        by_hand(again)
        assert finished(again) == finished(whole)
        assert again.complete


def test_reports_of_an_attempt_that_was_cut_off_are_left_out(tmp_path):
    """A killed grid came to 18 rows instead of 15, and a replayed stop was charged twice."""
    spec = small_spec(budget={"trials": 2})
    cut = Arm(spec, Method(sampler="random"), 0, sweep_folder(spec.name, tmp_path))
    number, settings = cut.propose()
    for epoch in (1, 2, 3):
        cut.report(number, epoch, {"quality": 0.1}, 2.0 * epoch)
    cut.log.close()
    again = Arm(spec, Method(sampler="random"), 0, sweep_folder(spec.name, tmp_path))
    assert again.propose() == (number, settings)
    for epoch in (1, 2):
        again.report(number, epoch, {"quality": 0.2}, 1.0 * epoch)
    again.end(number, DONE, {"metrics": {"quality": 0.3}, "core_seconds": 3.0})
    rows = sweep_reports(spec.name, tmp_path)
    assert rows["epoch"].tolist() == [1, 2, 3]
    assert rows["core_seconds"].tolist() == [1.0, 2.0, 3.0]
    assert rows["quality"].tolist() == [0.2, 0.2, 0.3]


def test_a_second_attempt_that_reports_nothing_does_not_keep_the_first_ones_reports(tmp_path):
    spec = small_spec(budget={"trials": 1})
    cut = Arm(spec, Method(sampler="random"), 0, sweep_folder(spec.name, tmp_path))
    number, _ = cut.propose()
    cut.report(number, 1, {"quality": 0.1}, 2.0)
    cut.log.close()
    again = Arm(spec, Method(sampler="random"), 0, sweep_folder(spec.name, tmp_path))
    assert again.propose()[0] == number
    again.end(number, DONE, {"metrics": {"quality": 0.3}, "core_seconds": 3.0})
    rows = sweep_reports(spec.name, tmp_path)
    assert rows[["epoch", "quality"]].to_numpy().tolist() == [[1, 0.3]]
    assert status_table(sweep_folder(spec.name, tmp_path))["running"].tolist() == [0]


def test_a_raised_budget_takes_in_the_trial_that_it_had_left_out(tmp_path):
    folder = sweep_folder("small", tmp_path)
    small = Arm(small_spec(budget={"core_seconds": 2.5}), Method(sampler="random"), 0, folder)
    while proposed := small.propose():
        small.end(proposed[0], DONE, FAST | {"core_seconds": 1.0})
    small.log.close()
    assert [trial.counts for trial in small.trials] == [True, True, False]
    raised = Arm(small_spec(budget={"core_seconds": 4.5}), Method(sampler="random"), 0, folder)
    assert [trial.counts for trial in raised.trials] == [True, True, True]
    assert sweep_trials("small", tmp_path)["counts"].tolist() == [True, True, True]
    assert raised.propose()[0] == 3


def test_a_whole_grid_stays_complete_when_it_is_read_again(tmp_path):
    spec = small_spec(space={"x": {"choice": [0.1, 0.2]}}, budget={"trials": 9})
    arm = Arm(spec, Method(sampler="grid"), 0, tmp_path)
    by_hand(arm)
    assert arm.complete
    arm.log.close()
    assert Arm(spec, Method(sampler="grid"), 0, tmp_path).complete


def test_two_lost_trials_come_back_under_their_numbers(tmp_path):
    spec = small_spec()
    cut = Arm(spec, Method(sampler="random"), 0, tmp_path)
    lost = [cut.propose() for _ in range(3)]
    cut.end(1, DONE, FAST)
    cut.log.close()
    again = Arm(spec, Method(sampler="random"), 0, tmp_path)
    assert [again.propose(), again.propose()] == [lost[0], lost[2]]
    assert again.propose()[0] == 3


def test_the_first_trial_is_the_defaults_and_the_rest_are_searched(tmp_path):
    arm = Arm(small_spec(), Method(), 0, tmp_path)
    assert arm.propose() == (0, {"x": 0.0, "y": 0.0})
    assert arm.propose()[1] != {"x": 0.0, "y": 0.0}


def test_a_budget_in_core_seconds_is_kept(tmp_path):
    arm = Arm(small_spec(budget={"core_seconds": 1.0}), Method(sampler="random"), 0, tmp_path)
    for seconds in (0.4, 0.4, 0.4):
        number, _ = arm.propose()
        arm.end(number, DONE, FAST | {"core_seconds": seconds})
    assert arm.propose() is None
    assert [trial.counts for trial in arm.trials] == [True, True, False]
    assert arm.spent == pytest.approx(1.2)


def test_a_running_trial_spends_too(tmp_path):
    arm = Arm(small_spec(budget={"core_seconds": 1.0}), Method(sampler="random"), 0, tmp_path)
    number, _ = arm.propose()
    arm.report(number, 1, {"quality": 0.1}, 2.0)
    assert arm.propose() is None


def test_a_stopped_trial_is_not_the_best(tmp_path):
    arm = Arm(small_spec(), Method(scheduler="asha"), 0, tmp_path)
    arm.propose()
    arm.propose()
    arm.end(0, STOPPED, FAST | {"metrics": {"quality": 0.9}})
    arm.end(1, DONE, FAST)
    table = status_table(tmp_path)
    assert table.loc[0, ["done", "stopped", "failed", "running"]].tolist() == [1, 1, 0, 0]
    assert table.loc[0, "quality"] == 0.5


def test_repeats_and_methods_differ(tmp_path):
    spec = small_spec(repeats=2)
    arms = [Arm(spec, Method(sampler=s), r, tmp_path) for s in ("random", "quasi_random") for r in (0, 1)]
    second = []
    for arm in arms:
        arm.propose()
        second.append(str(arm.propose()[1]))
    assert len(set(second)) == 4
    assert len({arm.name for arm in arms}) == 4


def test_another_search_in_the_same_folder_is_refused_and_a_larger_budget_is_not(tmp_path):
    by_hand(Arm(small_spec(), Method(), 0, tmp_path))
    more = Arm(small_spec(budget={"trials": 8}), Method(), 0, tmp_path)
    by_hand(more)
    assert len(more.trials) == 8
    with pytest.raises(TrialLogError, match="of another search: fixed was"):
        Arm(small_spec(fixed={"epochs": 2}), Method(), 0, tmp_path)


def test_an_arm_gives_up_when_everything_fails(tmp_path):
    arm = Arm(small_spec(budget={"trials": 1000}), Method(sampler="random"), 0, tmp_path)
    while proposed := arm.propose():
        arm.end(proposed[0], "failed", {"reason": "no"})
    assert len(arm.trials) == PATIENCE
    assert arm.given_up


def test_failures_that_cost_nothing_end_a_search_too(tmp_path):
    arm = Arm(small_spec(budget={"core_seconds": 60}), Method(sampler="random"), 0, tmp_path)
    arm.end(arm.propose()[0], "done", {"metrics": {"quality": 0.5, "cost": 1.0}, "core_seconds": 1.0})
    while proposed := arm.propose():
        arm.end(proposed[0], "failed", {"reason": "no"})
    assert len(arm.trials) == 1 + IN_A_ROW
    assert arm.given_up


def test_tpe_is_told_of_earlier_sweeps(tmp_path):
    spec, method = small_spec(budget={"trials": 30}), Method(sampler="tpe")
    before = Arm(spec, method, 0, tmp_path / "before")
    by_hand(before)
    cold = Arm(small_spec(seed=7), method, 0, tmp_path / "cold")
    warm = Arm(small_spec(seed=7), method, 0, tmp_path / "warm", before.trials)
    for arm in (cold, warm):
        by_hand(arm)
    mean = {arm: sum(t.settings["x"] for t in arm.trials[1:]) / 5 for arm in (cold, warm)}
    assert mean[warm] > mean[cold] + 0.3  # more x was better in the earlier sweep
    assert len(warm.trials) == 6


def test_every_fault_is_named_with_its_configuration_and_harms_no_other(tmp_path):
    faults = ["none", "crash", "nan", "hang", "memory", "death"]
    spec = small_spec(
        space={"fault": {"choice": faults}, "x": {"choice": [0.3, 0.1]}},
        budget={"trials": 12},
        limits={"seconds": 3.0, "memory_gb": 0.6},
    )
    arm = Arm(spec, Method(sampler="grid"), 0, tmp_path)
    drive(arm, tmp_path)
    said = {(t.settings["fault"], t.settings["x"]): (t.state, t.reason) for t in arm.trials}
    assert len(said) == 12
    for x in (0.3, 0.1):
        assert said["none", x] == ("done", "")
        assert "RuntimeError: planted crash (planted.py, line" in said["crash", x][1]
        assert said["nan", x] == ("failed", "quality is not finite")
        assert "said nothing for 3 s, the limit" in said["hang", x][1]
        assert "GiB of memory, more than the limit of 0.6" in said["memory", x][1]
        assert said["death", x] == ("failed", "the trial's process died (exit status 9)")
    assert {trial.settings["fault"] for _, trial in failures(tmp_path)} == set(faults) - {"none"}
    # its own children alone, and living ones: the smoke runs beside the tests have trial processes too
    own = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    left = [p for p in own if "trial_process" in " ".join(p.cmdline())]
    assert left == []


def test_failed_trials_are_tried_again_when_asked_and_a_kill_between_changes_nothing(tmp_path):
    spec, method = small_spec(), Method(sampler="random")
    arm = Arm(spec, method, 0, tmp_path)
    while proposed := arm.propose():
        number, settings = proposed
        value = float("nan") if number in (1, 4) else settings["x"]
        arm.end(number, DONE, FAST | {"metrics": {"quality": value}})
    before = {trial.number: trial for trial in arm.trials}
    arm.log.close()
    assert Arm(spec, method, 0, tmp_path).complete  # as long as nobody asks
    again = Arm(spec, method, 0, tmp_path)
    again.try_failed_again()
    assert again.propose() == (1, before[1].settings)  # and the driver is killed
    again.log.close()
    later = Arm(spec, method, 0, tmp_path)
    later.try_failed_again()
    by_hand(later)
    assert later.complete
    found = {trial.number: trial for trial in later.trials}
    assert {number: trial.settings for number, trial in found.items()} == finished(arm)
    assert {trial.state for trial in found.values()} == {"done"}
    assert len(later.trials) == 6
    assert all(found[number] == before[number] for number in (0, 2, 3, 5))
    assert failures(tmp_path) == []


def test_small_trials_share_a_warm_process_and_report_epochs(tmp_path):
    folder = tmp_path / "sweeps" / "small"
    arm = Arm(small_spec(fixed={"epochs": 4}), Method(), 0, folder)
    drive(arm, folder)
    frame = sweep_trials("small", tmp_path)
    assert len(frame) == 6
    assert frame.attrs["objectives"][0]["metric"] == "quality"
    reports = sweep_reports("small", tmp_path)
    assert reports.groupby("number")["epoch"].apply(list).tolist() == [[1, 2, 3, 4]] * 6
    assert (reports.groupby("number")["quality"].apply(lambda q: q.is_monotonic_increasing)).all()


def test_a_trial_ended_half_way_leaves_its_process_for_the_next(tmp_path):
    client = TrialClient(1, 30, 2, {})
    settings = {"x": 0.0, "y": 0.0, "kind": "round", "epochs": 5, "seconds": 0.0, "fault": "none", "seed": 0}
    asked = {"function": "planted", "notebook": None, "settings": settings}
    try:
        client.begin(asked)
        assert client.next().kind == "report"
        pid = client._process.pid
        client.begin(asked)
        kinds = [client.next().kind for _ in range(5)]
        assert kinds == ["report"] * 4 + ["result"]
        assert client._process.pid == pid
    finally:
        client.close()


def test_a_trial_process_dies_with_its_parent():
    """It once could have gone on training for nobody."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        client = TrialClient(1, 60, 2, {})
        client.begin({"function": "planted", "notebook": None, "settings": {"fault": "hang"}})
        os.write(writing, str(client._process.pid).encode())
        time.sleep(60)
        os._exit(0)
    trial = psutil.Process(int(os.read(reading, 20)))
    time.sleep(2.0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    trial.wait(timeout=10)
