"""A population, live and as its log: members exchange, one that fails holds nobody up, a cut begins anew."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
from rich.console import Console

from recsys.sweeps.arm import Arm
from recsys.sweeps.command import sweep_command
from recsys.sweeps.population.engine import PopulationLog
from recsys.sweeps.population.scheduler import _mutations, _within, make_population
from recsys.sweeps.provenance import write_provenance
from recsys.sweeps.report import write_sweep_report
from recsys.sweeps.results import failures, status_table, sweep_folder, sweep_reports, sweep_trials
from recsys.sweeps.spec import Method, load_spec
from recsys.sweeps.trials.trainable import SAID, STATE
from recsys.sweeps.trials.trial_client import NotSaved, TrialClient
from recsys.training.hyperparameter_search.spaces import Choice, Real, Whole
from recsys.training.hyperparameter_search.trial import DONE, FAILED
from recsys.training.hyperparameter_search.trial_log import TrialLogError
from tests.conftest import ROOT
from tests.sweeps.conftest import small_spec

PBT = Method(sampler="random", scheduler="pbt")
MEMBERS, EPOCHS = 8, 4


def spec(tmp_path):
    path = tmp_path / "crowd.yaml"
    content = {
        "name": "crowd",
        "question": "Who copies whom?",
        "function": "planted",
        "fixed": {"epochs": EPOCHS, "seconds": 0.05},
        "space": {
            "x": {"real": [-1.0, 1.0]},
            "y": {"real": [-1.0, 1.0]},
            "fault": {"choice": ["none", "crash"]},
        },
        "objectives": [{"metric": "quality"}],
        "budget": {"trials": MEMBERS},
        "methods": [{"sampler": "random", "scheduler": "pbt"}],
        "seed": CRASHES_LAST,
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def first_faults(seed: int, folder) -> list[str]:
    space = {"x": {"real": [-1.0, 1.0]}, "y": {"real": [-1.0, 1.0]}, "fault": {"choice": ["none", "crash"]}}
    arm = Arm(small_spec(space=space, seed=seed, budget={"trials": MEMBERS}), PBT, 0, folder)
    proposed = [arm.propose() for _ in range(MEMBERS)]
    arm.log.close()
    return [settings["fault"] for _, settings in proposed]


CRASHES_LAST = 2  # the last member is one that crashes: all others wait for it


def test_members_exchange_and_one_that_fails_holds_nobody_up(tmp_path):
    faults = first_faults(CRASHES_LAST, tmp_path / "look")
    assert faults[-1] == "crash"
    sound = faults.count("none")
    assert sound >= 4
    runs = tmp_path / "runs"
    command = [sys.executable, "-m", "recsys.cli", "sweep", str(spec(tmp_path)), "--runs", str(runs)]
    done = subprocess.run(
        [*command, "--cores", "2"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    status = status_table(sweep_folder("crowd", runs)).iloc[0]
    assert (status["done"], status["failed"]) == (sound, MEMBERS - sound)
    assert all("planted crash" in trial.reason for _, trial in failures(sweep_folder("crowd", runs)))
    reports = sweep_reports("crowd", runs)
    sane = reports[reports["fault"] == "none"]
    assert sane.groupby("number")["epoch"].apply(list).tolist() == [list(range(1, EPOCHS + 1))] * sound
    taken = reports[reports["donor"].notna()]
    assert len(taken) >= EPOCHS - 2
    assert (taken["donor"] != taken["number"]).all()
    assert reports[["x", "y"]].abs().to_numpy().max() <= 1.0
    trials = sweep_trials("crowd", runs)
    assert (trials["method"] == "random+pbt").all()
    last = reports[reports["epoch"] == EPOCHS].set_index("number")["x"]
    finished = trials[trials["state"] == DONE].set_index("number")["x"]
    assert last.to_dict() == finished.to_dict()  # a trial's settings are those that it ended with
    page = write_sweep_report("crowd", runs).read_text()
    assert "The population, first repeat" in page
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert "up to date; 0 trials run" in again.stdout


def test_a_population_that_was_cut_off_begins_anew(tmp_path):
    small = small_spec(budget={"trials": 4})
    cut = Arm(small, PBT, 0, tmp_path)
    proposed = [cut.propose() for _ in range(4)]
    cut.report(0, 1, {"quality": 0.1}, 0.5)
    cut.change(1, 1, 0, {"x": 0.5, "y": 0.5})
    cut.end(0, DONE, {"metrics": {"quality": 0.2}, "core_seconds": 1.0})
    cut.log.close()
    again = Arm(small, PBT, 0, tmp_path)
    assert again.handed[1] == {"x": 0.5, "y": 0.5}
    again.begin_anew()
    assert (again.trials, again.handed, again.spent) == ([], {}, 0.0)
    assert [again.propose() for _ in range(4)] == proposed
    again.begin_anew()
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["random+pbt-0.cut-off", "random+pbt-0.cut-off-2", "random+pbt-0.jsonl"]
    events = [json.loads(line) for line in (tmp_path / "random+pbt-0.cut-off").read_text().splitlines()[1:]]
    assert [event["event"] for event in events] == [*["handed out"] * 4, "report", "changed", "ended"]


def finished_population(path, runs):
    """All members ended, the last one failed; the sweep's folder."""
    whole = load_spec(path)
    folder = sweep_folder("crowd", runs)
    arm = Arm(whole, whole.methods[0], 0, folder)
    while proposed := arm.propose():
        failed = proposed[0] == MEMBERS - 1
        arm.end(proposed[0], FAILED if failed else DONE, {"metrics": {"quality": 0.1}, "reason": "crashed"})
    arm.log.close()
    write_provenance(folder, whole)
    return folder


def test_a_finished_population_is_neither_run_again_for_a_failed_member_nor_for_more(tmp_path, capsys):
    path, runs = spec(tmp_path), tmp_path / "runs"
    folder = finished_population(path, runs)
    before = (folder / "random+pbt-0.jsonl").read_bytes()
    asked = {"runs": runs, "resume": True}
    assert sweep_command(Console(width=200), str(path), retry_failed=True, **asked) == 0
    assert "random+pbt-0: members of a population are trained together" in capsys.readouterr().out
    path.write_text(path.read_text().replace(f"trials: {MEMBERS}", f"trials: {MEMBERS + 4}"))
    with pytest.raises(TrialLogError, match="members was 8, now it is 12"):
        sweep_command(Console(width=200), str(path), **asked)
    assert [one.name for one in folder.glob("random*")] == ["random+pbt-0.jsonl"]
    assert (folder / "random+pbt-0.jsonl").read_bytes() == before


def test_the_last_report_before_an_exchange_is_logged_before_it(tmp_path):
    """Tune tells its scheduler of a report first: the member that all waited for was unknown to the log, or
    its report counted for the settings that it took over."""
    arm = Arm(small_spec(budget={"trials": 4}), PBT, 0, tmp_path)
    log = PopulationLog(arm, on_end=lambda trial: None)

    def said(epoch):
        told = {"piece": "a", "core_seconds": 1.0, "seconds": 1.0, "metrics": {"quality": 0.1 * epoch}}
        return {SAID: json.dumps(told), STATE: "running", "training_iteration": epoch}

    members = []
    while (proposed := arm.propose()) is not None:
        number, settings = proposed
        config = {"ask": {"number": number, "settings": settings}}
        members.append(SimpleNamespace(trial_id=f"t{number}", config=config))
        log.on_trial_start(0, [], members[-1])
    taken = {"ask": {"number": 0, "settings": {"x": 0.5, "y": 0.5}}}
    for epoch in (1, 2):
        for member in members[:-1]:
            log.on_trial_result(0, [], member, said(epoch))
        log.exchanged("t3", "t0", taken, epoch)
        log.exchanged("t1", "t0", taken, epoch)
        log.on_trial_result(0, [], members[-1], said(epoch))
    arm.log.close()
    events = [json.loads(line) for line in next(tmp_path.glob("*.jsonl")).read_text().splitlines()[1:]]
    of = {n: [(e["event"], e["epoch"]) for e in events if e["number"] == n and "epoch" in e] for n in (1, 3)}
    assert of[1] == of[3] == [("report", 1), ("changed", 1), ("report", 2), ("changed", 2)]


def test_only_defaults_that_are_settings_can_begin(tmp_path):
    """A model's own rate is None in a trial's settings, and nothing can change None a little."""
    asked = small_spec(budget={"trials": 4}, first=[{}, {"x": 0.1}, {"x": 0.1, "y": 0.2}])
    arm = Arm(asked, PBT, 0, tmp_path)
    assert arm.propose()[1] == {"x": 0.1, "y": 0.2}
    assert arm.propose()[1] != {"x": 0.1, "y": 0.0}


def test_a_trial_is_saved_when_asked_and_goes_on_from_there(tmp_path):
    client = TrialClient(1, 30, 2, {})
    settings = {"x": 0.0, "y": 0.0, "kind": "round", "epochs": 4, "seconds": 0.0, "fault": "none", "seed": 0}
    asked = {"function": "planted", "notebook": None, "settings": settings}
    try:
        with pytest.raises(NotSaved, match="no trial waits"):
            client.save(str(tmp_path))
        client.begin(asked)
        values = [client.next().metrics["quality"] for _ in range(2)]
        client.save(str(tmp_path))
        values += [client.next().metrics["quality"] for _ in range(2)]
        client.begin(asked | {"start": str(tmp_path)})
        messages = [client.next() for _ in range(2)]
        assert [message.metrics["quality"] for message in messages] == values[2:]
        assert messages[-1].kind == "result"
    finally:
        client.close()


def test_changed_settings_stay_in_their_ranges():
    rate, number, kind = Real(1e-4, 1e-2, log=True), Whole(1, 5), Choice(("a", "b"))
    assert _within(rate, 0.0123456) == 1e-2
    assert _within(rate, 0.00123456) == 0.00123
    assert _within(number, 7) == 5
    assert _within(kind, "b") == "b"
    drawn = _mutations({"rate": rate, "number": number, "kind": kind})
    assert all(rate.holds(drawn["rate"]()) and number.holds(drawn["number"]()) for _ in range(50))
    assert drawn["kind"] == ["a", "b"]


def test_what_may_not_change_does_not():
    asked = small_spec(space={"x": {"real": [0.0, 1.0]}, "kind": {"choice": ["round", "flat"]}})
    made = make_population(asked, PBT, lambda *told: None)
    assert list(made._hyperparam_mutations["ask"]["settings"]) == ["x"]
