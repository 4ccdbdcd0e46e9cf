"""What git says about which came first, in throw-away repositories with dated commits."""

import os
import subprocess
from dataclasses import replace

import pytest

from recsys.runs import paths
from recsys.runs.evidence import preregistration
from recsys.runs.evidence.preregistration import confirming_records, histories
from recsys.runs.evidence.verdicts import verdicts
from recsys.runs.records import Record, load_records
from tests.runs.made_records import claims_of, make_record

CRITERION = "{metric: accuracy, treatment: {objective: a}, value: 0.5, pair: seed, alternative: greater}"
CLAIM = {"metric": "accuracy", "treatment": {"objective": "a"}, "value": 0.5, "pair": "seed"}
CLAIM |= {"alternative": "greater"}
CLAIMS, POLICY = "experiments/claims/01_loss_derivation.yaml", "experiments/policy.yaml"
GRID = "experiments/01_loss_derivation.yaml"
FILES = {
    POLICY: "level: 0.05\n",
    CLAIMS: f"claims:\n  - id: claim-0\n    kind: gain\n    criteria:\n      - {CRITERION}\n",
    GRID: "name: 01_loss_derivation\nquestion: q\nmetrics: [accuracy]\nprofiles: {}\n",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    return tmp_path


def git(folder, *arguments, date="2026-01-01T00:00:00+00:00"):
    who = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    subprocess.run(
        ["git", *arguments], cwd=folder, check=True, env=os.environ | who | dates, capture_output=True
    )


def commit(folder, day, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", f"day {day}", date=f"2026-01-{day:02}T00:00:00+00:00")


def dated(record, day, seed=None):
    raw = record.raw | {"started": f"2026-01-{day:02}T12:00:00Z"}
    if seed is not None:
        raw |= {"seed": seed, "parameters": record.parameters | {"seed": seed}}
    return Record(record.folder, raw)


def records(folder, day, seeds=(0, 1, 2)):
    for seed in seeds:
        make_record(
            folder, "01_loss_derivation", {"objective": "a", "seed": seed}, {"accuracy": 0.6 + seed / 1e4}
        )
    return [dated(record, day) for record in load_records(folder)]


def history(found, again=()):
    claims = claims_of({"criteria": [CLAIM]})
    return histories(verdicts(claims, found), verdicts(claims, list(again)))["claim-0"]


def test_stated_first_and_nothing_later(project, tmp_path_factory):
    commit(project, 1, FILES)
    said = history(records(tmp_path_factory.mktemp("runs"), day=2))
    assert (said.stated_first, said.later, said.standing) == (True, (), "exploratory")


@pytest.mark.parametrize(
    ("name", "old", "new", "what"),
    [
        (CLAIMS, "value: 0.5", "value: 0.6", "criteria"),
        (CLAIMS, "kind: gain", "kind: keeps", "kind"),
        (POLICY, "0.05", "0.1", "policy"),
        (
            GRID,
            "profiles: {}",
            "profiles: {quick: {cells: []}}",
            "01_loss_derivation",
        ),
        (GRID, "question: q", "question: reworded", None),
        (
            CLAIMS,
            "kind: gain",
            "kind: gain\n    paraphrase: new words",
            None,
        ),
        (CLAIMS, "claims:", "# a remark\nclaims:", None),
    ],
)
def test_a_change_after_the_first_record_is_listed(project, tmp_path_factory, name, old, new, what):
    commit(project, 1, FILES)
    commit(project, 5, {name: FILES[name].replace(old, new)})
    runs = tmp_path_factory.mktemp("runs")
    said = history(records(runs, day=3))
    assert said.stated_first == (what is None)
    assert [change.what for change in said.later] == ([what] if what else [])
    if what:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True)
        assert said.later[0].commit == head.stdout.strip()
    assert history([dated(record, 6) for record in load_records(runs)]).stated_first  # run after it


def test_a_move_to_another_file_is_no_change(project, tmp_path_factory):
    """Criteria stood in one file until each notebook got its own; the same words are the same criterion."""
    old = {name: text for name, text in FILES.items() if "claims" not in name}
    commit(project, 1, old | {"experiments/criteria.yaml": f"claim-0:\n  - {CRITERION}\n"})
    (project / "experiments" / "criteria.yaml").unlink()
    commit(project, 5, FILES)
    said = history(records(tmp_path_factory.mktemp("runs"), day=3))
    assert [change.what for change in said.later] == ["kind"]  # which it did not have before


def test_what_a_merge_brought_has_the_date_of_its_branch(project, tmp_path_factory):
    commit(project, 1, {name: text for name, text in FILES.items() if "claims" not in name})
    git(project, "checkout", "-q", "-b", "side")
    commit(project, 2, FILES)
    git(project, "checkout", "-q", "main")
    commit(project, 3, {"other.txt": "x"})
    git(project, "merge", "-q", "--no-ff", "-m", "merge", "side", date="2026-01-09T00:00:00+00:00")
    assert history(records(tmp_path_factory.mktemp("runs"), day=5)).stated_first


def test_without_git_it_is_unknown(project, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(paths, "PROJECT", tmp_path_factory.mktemp("plain"))
    said = history(records(tmp_path_factory.mktemp("runs"), day=3))
    assert (said.stated_first, said.later, said.standing) == (None, (), "unknown")
    monkeypatch.setattr(preregistration.subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(OSError()))
    assert history(records(tmp_path_factory.mktemp("more"), day=3)).standing == "unknown"


def test_a_history_of_a_folder_around_it_is_not_its_own(project, tmp_path_factory, monkeypatch):
    commit(project, 1, FILES)
    monkeypatch.setattr(paths, "PROJECT", project / "experiments")
    assert history(records(tmp_path_factory.mktemp("runs"), day=3)).standing == "unknown"


def test_new_seeds_after_the_policy_confirm(project, tmp_path_factory):
    commit(project, 1, FILES)
    commit(project, 4, {"experiments/policy.yaml": "level: 0.049\n"})
    old = records(tmp_path_factory.mktemp("old"), day=2)
    new = records(tmp_path_factory.mktemp("new"), day=6, seeds=(10, 11, 12))
    assert confirming_records([*old, *new]) == new
    assert confirming_records([dated(record, 3) for record in new]) == []  # before the policy
    assert confirming_records([dated(r, 6, seed=s) for s, r in enumerate(new)]) == []  # seeds of before
    said = history([*old, *new], confirming_records([*old, *new]))
    assert said.standing == "confirmed"
    assert history(old, confirming_records(old)).standing == "exploratory"


def test_new_seeds_that_say_otherwise_confirm_nothing(project, tmp_path_factory):
    commit(project, 1, FILES)
    claims = claims_of({"criteria": [CLAIM]})
    judged = verdicts(claims, records(tmp_path_factory.mktemp("runs"), day=2))
    other = [replace(judged[0], state="undecided")]
    assert histories(judged, other)["claim-0"].standing == "exploratory"


def test_runs_that_draw_nothing_always_count(project, tmp_path_factory):
    commit(project, 1, FILES)
    folder = tmp_path_factory.mktemp("runs")
    make_record(folder, "02_x", {"model": "popularity", "seed": 0}, {"accuracy": 0.5})
    make_record(folder, "02_x", {"model": "sasrec", "seed": 0}, {"accuracy": 0.5})
    kept = confirming_records([dated(record, 3) for record in load_records(folder)])
    assert [record.parameters["model"] for record in kept] == ["popularity"]
