"""What a user is told: one line, whatever is wrong with the call, the folder or the files."""

import errno
import json
import os

import nbformat
import pytest
from typer.main import get_command

from recsys.cli import app
from recsys.command_line import OnceEach, one_line
from recsys.data.errors import DiskFull
from recsys.runs import paths
from recsys.runs.execution.worker import Request, execute
from recsys.runs.grid.notebook_cells import completed, read_cells
from tests.conftest import recsys_command, write_notebook

EXPERIMENT = """\
name: 00_plain
notebook: notebooks/00_plain.ipynb
question: Does it run?
metrics: [score]
primary_metric: score
needs: {threads: 1, memory_gb: 0.2}
profiles:
  quick: {cells: [{grid: {rank: [1]}}]}
"""


@pytest.fixture
def plain(project):
    """A project with one small experiment."""
    write_notebook(
        project / "notebooks" / "00_plain.ipynb",
        "rank: int = 8\nseed: int = 0",
        "from recsys.runs.record import record",
        "record(metrics={'score': rank})",
    )
    (project / "experiments" / "00_plain.yaml").write_text(EXPERIMENT)
    return project


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--dry-run", "-p", "rank=3", "-p", "rank=4"], "-p rank is given twice (3 and 4)"),
        (["run", "--dry-run", "-p", "rank=3", "--parameter", "rank=3"], "-p rank is given twice"),
        (["run", "--dry-run", "--profile", "smoke", "--profile", "quick"], "--profile is given twice"),
        (["status", "--runs", "a", "--runs", "b"], "--runs is given twice"),
        (["run", "--dry-run", "--dry-run"], "--dry-run is given twice"),
        (["verify", "--rerun", "1", "--rerun=2"], "--rerun is given twice"),
        (["search", "cup", "-k", "3", "-k", "4"], "-k is given twice"),
        (["models", "list", "--kind", "text", "--kind", "sound"], "--kind is given twice"),
        (["scores", "list", "--runs", "a", "--runs", "b"], "--runs is given twice"),
    ],
)
def test_what_is_given_twice_is_refused(plain, arguments, told):
    done = recsys_command(plain)(*arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_what_may_be_repeated_may_still_be(plain):
    done = recsys_command(plain)("run", "--dry-run", "--seed", "1", "--seed", "2", "-p", "rank=3")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs would run" in done.stdout


def test_a_summary_that_cannot_be_written_costs_one_line(plain):
    """As root no folder is read-only: a folder in the way of the file stands for it, and for a full disk."""
    runs = plain / "experiments" / "runs"
    (runs / "last.json.part").mkdir(parents=True)
    command = recsys_command(plain)
    for expected in ("1 notebooks executed", "All 1 runs are up to date"):
        done = command("run")
        assert done.returncode == 0
        assert expected in done.stdout
        assert "not written" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"runs": 3}', '{"runs": [{}, 1]}', "\0"])
def test_a_spoilt_summary_is_left_out_of_the_report(plain, spoilt):
    runs = plain / "experiments" / "runs"
    runs.mkdir()
    (runs / "last.json").write_text(spoilt)
    (plain / "experiments" / "claims.yaml").write_text("claims: []\n")
    done = recsys_command(plain)("report")
    assert "Traceback" not in done.stdout + done.stderr


def test_a_place_that_cannot_be_written_is_named(plain):
    (plain / "file").write_text("")
    done = recsys_command(plain)("run", "--runs", "file/runs")
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.strip().splitlines()) == 1
    assert "file/runs" in done.stderr


def test_errors_of_the_system_and_the_kit_in_one_line():
    full = OSError(errno.ENOSPC, "No space left on device", "/a/b")
    assert one_line(full) == "/a/b: No space left on device"
    assert one_line(OSError(errno.EXDEV, "Invalid link", "/a", None, "/b")) == "/a and /b: Invalid link"
    assert one_line(OSError("odd\nwords")) == "odd words"
    assert one_line(DiskFull("no space\n  here")) == "no space here"
    assert one_line(KeyError("a fault of the kit's own")) is None


@pytest.mark.parametrize("settings", ["[project]\nname = 'shop'", "not toml [", "", "[tool]", "project = 3"])
def test_another_project_s_folder_is_not_taken_for_the_kit_s(tmp_path, settings):
    for name in ("notebooks", "experiments"):
        (tmp_path / name).mkdir()
    (tmp_path / "pyproject.toml").write_text(settings)
    assert paths.find_project(tmp_path / "notebooks") == paths.find_project(tmp_path.parent)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'recsys'\n")
    assert paths.find_project(tmp_path / "notebooks") == tmp_path


def test_an_unknown_data_set_is_told_by_a_dry_run_too(plain):
    path = plain / "notebooks" / "00_plain.ipynb"
    write_notebook(path, 'rank: int = 8\ndataset: str = "demo_store"\nseed: int = 0', "rank")
    done = recsys_command(plain)("run", "--dry-run", "-p", "dataset=beauti")
    assert done.returncode == 2
    assert "the registry has no data set 'beauti'; did you mean 'beauty'" in done.stderr


def test_without_experiments_the_command_says_where_it_looked(project):
    done = recsys_command(project)("run", "--dry-run")
    assert done.returncode == 2
    assert f"no experiments in {project}/experiments" in done.stderr


@pytest.mark.parametrize("bare", ["cells", "notebook", "both"])
def test_a_notebook_without_metadata_is_a_notebook(plain, bare):
    path = plain / "notebooks" / "00_plain.ipynb"
    whole = read_cells(path)
    assert completed(path) is None
    notebook = json.loads(path.read_text())
    if bare != "cells":
        del notebook["metadata"], notebook["nbformat_minor"]
    if bare != "notebook":
        for cell in notebook["cells"]:
            if "tags" not in cell["metadata"]:
                del cell["metadata"], cell["outputs"], cell["execution_count"]
    path.write_text(json.dumps(notebook))
    assert read_cells(path) == whole
    done = recsys_command(plain)("run", "--dry-run")
    assert "1 of 1 runs would run" in done.stdout, done.stdout + done.stderr
    nbformat.validate(nbformat.reads(completed(path), as_version=4))


def test_a_notebook_without_metadata_runs(plain, monkeypatch):
    path = plain / "notebooks" / "00_plain.ipynb"
    notebook = json.loads(path.read_text())
    del notebook["metadata"]
    path.write_text(json.dumps(notebook))
    monkeypatch.setattr(os, "environ", {**os.environ})
    folder = plain / "experiments" / "runs" / "00_plain" / "one"
    request = Request(
        project=str(plain),
        folder=str(folder),
        experiment="00_plain",
        run="one",
        profile="quick",
        notebook="notebooks/00_plain.ipynb",
        parameters={"rank": 3},
        threads=1,
        metrics=["score"],
    )
    outcome = execute(request)
    assert (outcome.ok, outcome.reason) == (True, "")
    assert sorted(path.name for path in folder.iterdir()) == [
        "executed.ipynb",
        "provenance.json",
        "record.json",
    ]


def _commands(group, path=()):
    """Every command below a typer group, with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join(("recsys", *path, name)), command


@pytest.mark.parametrize(
    ("called", "command"), [pytest.param(*one, id=one[0]) for one in _commands(get_command(app))]
)
def test_every_command_shows_an_example_and_refuses_repeated_options(called, command):
    assert isinstance(command, OnceEach)
    if not command.params:  # such as `recsys findings`: the call is the example
        return
    help_text = command.help or ""
    assert "Example" in help_text
    assert f"{called} " in help_text.partition("Example")[2] + " "
