"""`recsys sweep` as a user types it. Ray is started once here; the rest needs none."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from rich.console import Console

from recsys.sweeps import command, provenance
from recsys.sweeps.arm import Arm
from recsys.sweeps.command import make_arms, sweep_command
from recsys.sweeps.provenance import changed_since
from recsys.sweeps.report import write_sweep_report
from recsys.sweeps.results import sweep_trials
from recsys.sweeps.spec import Method, SweepError, load_spec
from recsys.training.hyperparameter_search.trial import DONE
from recsys.training.hyperparameter_search.trial_log import TrialLogError
from tests.conftest import ROOT
from tests.sweeps.test_spec import GOOD

ENVIRONMENT = {**os.environ, "COLUMNS": "200"}


def sweep(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "recsys.cli", "sweep", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)


@pytest.fixture
def spec(tmp_path):
    def write(**changed):
        path = tmp_path / "one.yaml"
        path.write_text(yaml.safe_dump(GOOD | changed, sort_keys=False))
        return path

    return write


def test_a_sweep_from_the_command_line(spec, tmp_path):
    """Run, status, up to date, a larger budget resumed, a changed search refused."""
    methods = [{"sampler": "quasi_random"}, {"sampler": "random", "scheduler": "asha", "most": 2}]
    path, runs = spec(methods=methods), tmp_path / "runs"
    done = sweep(path, "--runs", runs, "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = runs / "sweeps" / "one"
    trials = [json.loads(line) for line in (folder / "quasi_random-0.jsonl").read_text().splitlines()]
    assert sum(event.get("event") == "ended" for event in trials) == 4
    halved = (folder / "random+asha-0.jsonl").read_text()
    assert halved.count('"event": "ended"') == 4
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["code"]["modules"]["recsys.sweeps.functions.planted"]
    assert "quasi_random-0" in sweep(path, "--status", "--runs", runs).stdout
    again = sweep(path, "--runs", runs)
    assert "All 2 arms of one are up to date; 0 trials run." in again.stdout
    spec(methods=methods, budget={"trials": 5})
    assert "--resume goes on with them" in sweep(path, "--runs", runs).stderr
    spec(methods=methods, fixed={"epochs": 3})
    refused = sweep(path, "--runs", runs, "--resume")
    assert refused.returncode == 2
    assert "is of another search: fixed was {'epochs': 2}" in refused.stderr


@pytest.mark.parametrize(
    ("changed", "options", "said"),
    [
        ({"space": {"xx": {"real": [0.0, 1.0]}}}, [], "planted has no parameter 'xx'; did you mean 'x'"),
        ({"budget": {"trials": 0}}, [], "a budget needs at least one trial"),
        ({}, ["--resume"], "nothing to resume: no trials of one in"),
        ({}, ["--resume", "--restart"], "either --resume or --restart"),
        ({"warm_start": ["earlier"]}, [], "warm_start: no trials of 'earlier'"),
        ({"warm_start": ["earlier"]}, ["--dry-run"], "warm_start: no trials of 'earlier'"),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_starts(spec, tmp_path, changed, options, said):
    done = sweep(spec(**changed), *options, "--runs", tmp_path / "runs")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_a_dry_run_shows_the_first_settings_and_writes_nothing(spec, tmp_path):
    done = sweep(spec(), "--dry-run", "--runs", tmp_path / "runs")
    assert done.returncode == 0
    assert "'x': 0.0" in done.stdout  # the defaults come first
    assert not (tmp_path / "runs").exists()


def test_status_of_nothing(tmp_path):
    done = sweep("demo_item_knn", "--status", "--runs", tmp_path)
    assert done.returncode == 1
    assert "no trials of demo_item_knn in" in done.stdout
    assert sweep("one", "--status", "--runs", tmp_path).returncode == 2


def test_an_earlier_sweep_is_told_as_history(spec, tmp_path):
    earlier = load_spec(spec())
    arm = Arm(earlier, Method(sampler="random"), 0, tmp_path / "sweeps" / "one")
    number, _ = arm.propose()
    arm.end(number, DONE, {"metrics": {"quality": 0.5}})
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump(GOOD | {"name": "two", "warm_start": ["one"]}, sort_keys=False))
    later = load_spec(path)
    arms = make_arms(later, tmp_path / "sweeps" / "two", tmp_path)
    assert [trial.metrics for trial in arms[0].history] == [{"quality": 0.5}]
    assert arms[0].trials == []
    with pytest.raises(SweepError, match="warm_start"):
        make_arms(later.model_copy(update={"warm_start": ["none"]}), tmp_path / "x", tmp_path)
    beside = {"y": {"real": [-1.0, 1.0]}, "x": {"real": [-0.9, -0.8]}}
    for space in (beside, GOOD["space"] | {"fault": {"choice": ["none"]}}):
        with pytest.raises(SweepError, match=r"none of the 1 trials of 'one' has quality.* in this space"):
            make_arms(later.model_copy(update={"space": space}), tmp_path / "x", tmp_path)


@pytest.mark.parametrize(
    "spoilt", [None, "", "{", "[]", "3", '{"code": {"modules": ["a"]}}', '{"code": null}']
)
def test_a_sweep_whose_provenance_was_lost_is_not_up_to_date(spec, tmp_path, spoilt):
    if spoilt is not None:
        (tmp_path / "provenance.json").write_text(spoilt)
    assert "was lost or damaged" in changed_since(tmp_path, load_spec(spec()))


def test_a_dry_run_goes_on_from_the_log_and_changes_nothing(spec, tmp_path, capsys):
    path, folder = spec(budget={"trials": 3}), tmp_path / "runs" / "sweeps" / "one"
    arm = Arm(load_spec(path), Method(), 0, folder)
    tried = [arm.propose()[1] for _ in range(2)]
    for number in range(2):
        arm.end(number, DONE, {"metrics": {"quality": 0.1, "cost": 1.0}, "core_seconds": 0.1})
    arm.log.close()
    before = arm.log.path.read_bytes()
    console = Console(width=200)
    assert sweep_command(console, str(path), dry_run=True, runs=tmp_path / "runs") == 0
    said = capsys.readouterr().out
    assert not any(str(settings["x"]) in said for settings in tried)
    assert arm.log.path.read_bytes() == before
    edited = spec(fixed={"epochs": 3})
    with pytest.raises(TrialLogError, match=f"^{re.escape(str(arm.log.path))} is of another search: fixed"):
        sweep_command(console, str(edited), dry_run=True, runs=tmp_path / "runs")


def test_failed_trials_are_tried_again_only_when_resuming(spec, tmp_path):
    with pytest.raises(SweepError, match="--retry-failed goes with --resume"):
        sweep_command(Console(), str(spec()), retry_failed=True, runs=tmp_path)


def test_code_that_changed_before_a_resumed_trial_is_told_and_kept(spec, tmp_path, monkeypatch, capsys):
    path, runs = spec(), tmp_path / "runs"
    ran = []
    monkeypatch.setattr(command, "_run", lambda console, spec, due, *rest: ran.extend(due))
    monkeypatch.setattr(command, "_sum_up", lambda *rest: 0)
    console = Console(width=200)
    sweep_command(console, str(path), runs=runs)
    monkeypatch.setattr(provenance, "_modules", lambda _: {"recsys.sweeps.functions.planted": "new"})
    with pytest.raises(SweepError, match=r"changed since they ran\): --resume"):
        sweep_command(console, str(path), runs=runs)
    sweep_command(console, str(path), runs=runs, resume=True)
    assert "those from here are by this code" in capsys.readouterr().out
    whole = json.loads((runs / "sweeps" / "one" / "provenance.json").read_text())
    assert whole["resumed"][0]["modules"] == {"recsys.sweeps.functions.planted": "new"}
    assert whole["resumed"][0]["after"] == {"quasi_random-0": 0}
    assert len(ran) == 2
    with pytest.raises(SweepError, match=r"one has trials in \S+: --resume"):
        sweep_command(console, str(path), runs=runs)


def test_a_sampler_that_is_loaded_later_is_no_change(spec, tmp_path, monkeypatch):
    """A sweep by TPE, asked for again in a new process, was called changed when nothing had changed."""
    path = spec(methods=[{"sampler": "tpe"}])
    monkeypatch.setattr(command, "_run", lambda *rest: None)
    monkeypatch.setattr(command, "_sum_up", lambda *rest: 0)
    sweep_command(Console(width=200), str(path), runs=tmp_path / "runs")
    loaded = [name for name in sys.modules if name.endswith("hyperparameter_search.tpe")]
    assert loaded
    monkeypatch.delitem(sys.modules, loaded[0])
    with pytest.raises(SweepError, match=r"one has trials in \S+: --resume"):
        sweep_command(Console(width=200), str(path), runs=tmp_path / "runs")


def test_a_misspelt_name_is_told_by_status_and_scores(tmp_path):
    assert "did you mean 'demo_item_knn'" in sweep("demo_itm_knn", "--status", "--runs", tmp_path).stderr
    asked = [sys.executable, "-m", "recsys.cli", "scores", "list", "09_membrs", "--runs", str(tmp_path)]
    done = subprocess.run(asked, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 2
    assert "did you mean '09_members'" in done.stderr


@pytest.mark.parametrize("reason", ["OSError: [/data/x] is gone", "RuntimeError: [enforce fail] no memory"])
def test_a_failure_s_brackets_are_no_markup(spec, tmp_path, monkeypatch, capsys, reason):
    """One trial's message ended the whole sweep, or lost its bracketed part."""

    def run_arms(arms, folder, *, on_end, **_):
        number, _ = arms[0].propose()
        on_end(arms[0], arms[0].end(number, "failed", {"reason": reason}))

    monkeypatch.setattr("recsys.sweeps.engine.run_arms", run_arms)
    sweep_command(Console(width=200), str(spec()), runs=tmp_path / "runs")
    assert reason in capsys.readouterr().out


def test_an_arm_that_gave_up_is_not_up_to_date(spec, tmp_path, capsys):
    path, runs = spec(budget={"trials": 30}), tmp_path / "runs"
    folder = runs / "sweeps" / "one"
    folder.mkdir(parents=True)
    arm = Arm(load_spec(path), Method(), 0, folder)
    while proposed := arm.propose():
        arm.end(proposed[0], "failed", {"reason": "no"})
    arm.log.close()
    provenance.write_provenance(folder, load_spec(path))
    assert sweep_command(Console(width=200), str(path), runs=runs) == 1
    said = capsys.readouterr().out
    assert "given up" in said
    assert "--retry-failed" in said


@pytest.mark.parametrize("name", ["quality", "epoch", "seconds"])
def test_a_searched_name_that_the_tables_have_is_refused(spec, name):
    with pytest.raises(SweepError, match=f"{name}: cannot be searched, because a sweep's tables have"):
        load_spec(spec(space={name: {"real": [0.0, 1.0]}}))


def test_a_notebooks_method_can_be_searched_and_is_no_searcher(spec, tmp_path):
    space = {"method": {"choice": ["lora", "adalora"]}, "rank": {"whole": [2, 8]}}
    asked = {"notebook": "notebooks/03_lora_adalora_comparison.ipynb", "function": None, "fixed": {}}
    path = spec(**asked, space=space, objectives=[{"metric": "quality_validation"}], budget={"trials": 8})
    arm = Arm(load_spec(path), Method(), 0, tmp_path / "runs" / "sweeps" / "one")
    while proposed := arm.propose():
        arm.end(
            proposed[0],
            DONE,
            {"metrics": {"quality_validation": 1 / (1 + proposed[1]["rank"])}, "core_seconds": 1.0},
        )
    trials = sweep_trials("one", tmp_path / "runs")
    assert set(trials["method"]) == {"quasi_random"}
    assert trials["method (setting)"].tolist() == [trial.settings["method"] for trial in arm.trials]
    assert list(trials.attrs["space"]) == ["method (setting)", "rank"]
    assert "What was tried" in write_sweep_report("one", tmp_path / "runs").read_text()
