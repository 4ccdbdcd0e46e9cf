"""Calls, files and folders that nobody meant: each is answered in one line, and nothing is started."""

import json
import sys

import nbformat
import pytest

from recsys import cli
from recsys.runs import paths
from tests.conftest import write_notebook
from tests.test_command_line import EXPERIMENT


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """A project with one small experiment, in which `recsys` is called."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'recsys'\n")
    write_notebook(
        tmp_path / "notebooks" / "00_plain.ipynb",
        "rank: int = 8\nseed: int = 0\nname: str = ''",
        "from recsys.runs.record import record",
        "record(metrics={'score': rank})",
    )
    (tmp_path / "experiments" / "claims").mkdir(parents=True)
    (tmp_path / "experiments" / "00_plain.yaml").write_text(EXPERIMENT)
    (tmp_path / "experiments" / "claims" / "articles.yaml").write_text("notebooks: []\nsections: {}\n")
    places = {"PROJECT": "", "NOTEBOOKS": "notebooks", "EXPERIMENTS": "experiments"}
    places |= {"RUNS": "experiments/runs", "REFERENCE": "experiments/reference"}
    for name, place in places.items():
        monkeypatch.setattr(paths, name, tmp_path / place)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def told(plain, monkeypatch, capsys):
    """Function: the exit status of a call, and all that it printed, as one line of words."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["recsys", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code, " ".join((printed.out + printed.err).split())

    return call


DRY = ("run", "--dry-run")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*DRY, "--seed", "1", "-p", "seed=2"), "the seed is given twice, by --seed and by -p seed"),
        ((*DRY, "-p", "seed=1", "--seed", "1"), "the seed is given twice"),
        ((*DRY, "-p", "rank=1", "--only", "rank=1", "--only", "rank=2"), "no run matches"),
        ((*DRY, "-p", "rank=" + "[" * 100_000), "parameter 'rank' expects int, got '[["),
        ((*DRY, "-p", "rank=" + "9" * 10_000), "parameter 'rank' expects int, got '999"),
        ((*DRY, "-p", "rank=1e999"), "parameter 'rank'"),
        ((*DRY, "-p", "rank=NaN"), "parameter 'rank'"),
        ((*DRY, "-p", "rank=\udcff"), "parameter 'rank' expects int"),
        ((*DRY, "-p", "name=\udcff"), "parameter 'name' holds half a character"),
        ((*DRY, "-p", "\udcff=1"), "no parameter"),
        ((*DRY, "-p", "=3"), "-p takes name=value"),
        ((*DRY, "--only", "rnak=\udcff"), "did you mean 'rank'"),
        ((*DRY, "--only", "[red]"), "no run matches"),
        ((*DRY, ""), "no experiment ''"),
        ((*DRY, "../../etc/passwd"), "no experiment '../../etc/passwd'"),
        ((*DRY, "00_plian"), "did you mean '00_plain'"),
        (("status", "00_plian"), "did you mean '00_plain'"),
        (("show", "00_plian"), "did you mean '00_plain'"),
        (("publish", "00_plian"), "did you mean '00_plain'"),
        (("export", "00_plian", "--ro-crate", "x"), "did you mean '00_plain'"),
        (("export", "--ro-crate", "x", "--runs", "nowhere"), "nowhere: there is no such folder of runs"),
        (("status", "--runs", "nowhere"), "nowhere: there is no such folder of runs"),
        (("publish", "--runs", "nowhere"), "nowhere: there is no such folder of runs"),
        (("publish", "--runs", "experiments/reference"), "holds published records"),
        (("report", "--runs", "nowhere"), "nowhere: there is no such folder of runs"),
        (("rerun", ""), "names 0 committed records"),
        (("rerun", "no such record"), "names 0 committed records; name one as its folder stands"),
        (("rerun", "../../etc"), "names 0 committed records"),
        (("sweep", "nothing"), "no sweep 'nothing'"),
        (("sweep", "nothing.yaml"), "no file nothing.yaml"),
        (("data", "show", "demo_stroe"), "did you mean 'demo_store'"),
        (("data", "fetch", "beuaty"), "did you mean 'beauty'"),
        (("data", "show", ""), "no data set ''"),
        (("models", "list", "--kind", "txt"), "kind must be one of"),
        (("scores", "show", "nowhere", "3"), "kept no scores of test"),
        (("search", "cup", "--index", "nowhere"), "there is no index at nowhere"),
        (("search", "cup"), "give --catalogue FILE"),
    ],
    ids=lambda value: (
        " ".join(value)[:60].encode("ascii", "replace").decode() if isinstance(value, tuple) else ""
    ),
)
def test_a_call_that_cannot_be_meant_is_one_line(told, arguments, message):
    status, printed = told(*arguments)
    assert (status, "Traceback" in printed) == (2, False)
    assert message in printed


def test_show_says_which_other_experiments_the_words_begin(plain, told):
    text = EXPERIMENT.replace("00_plain", "00_other", 1)
    (plain / "experiments" / "00_other.yaml").write_text(text)
    assert told("show", "00")[1].endswith("Others that begin with 00: 00_plain")
    assert "Others" not in told("show", "00_plain")[1]


def book(*cells):
    return json.dumps(nbformat.v4.new_notebook(cells=list(cells)))


def tagged(source):
    return nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})


CODE = nbformat.v4.new_code_cell("1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a notebook"),
        ("\0", "not a notebook"),
        ("[" * 100_000, "not a notebook (RecursionError"),
        ("[]", "not a notebook"),
        ('{"nbformat": 3, "worksheets": []}', "notebook format 3; open and save it in JupyterLab"),
        ('{"nbformat": 4, "cells": {"a": 1}}', "not a notebook"),
        ('{"nbformat": 4, "cells": [3]}', "not a notebook"),
        ('{"nbformat": 4, "cells": []}', "needs exactly one code cell tagged 'parameters', has 0"),
        (book(CODE), "needs exactly one code cell tagged 'parameters', has 0"),
        (book(tagged("rank: int = 8"), tagged("rank: int = 8")), "'parameters', has 2"),
        (book(tagged("rank: int = ")), "cell 1, line 1: invalid syntax"),
        (book(tagged("rank: int = 8\0")), "cell 1"),
        (book(tagged("rank: str = '\ud800'")), "cell 1"),
        (book(tagged("rank: int = " + "(" * 5000)), "cell 1"),
        (book(tagged("rank: int = " + "-" * 50_000 + "1")), "cell 1"),
        (book(tagged("rank: int = " + "9" * 5000)), "cell 1"),
        (book(tagged("rank: dict = {[]: 1}")), "must have a literal value and one of the types"),
        (book(tagged("rank: int = 8; import os")), "is not an annotated literal"),
        (book(tagged("rank: __import__('os').system('id') = 1")), "must have a literal value"),
        (book(tagged("rank: float = 1e999")), "must be finite"),
        (book(tagged("rank: int = 8\nrank: int = 9")), "'rank' stands twice"),
    ],
    ids=map(str, range(21)),
)
def test_a_notebook_that_cannot_be_run_is_one_line(told, plain, content, message):
    (plain / "notebooks" / "00_plain.ipynb").write_text(content)
    status, printed = told(*DRY)
    assert (status, "Traceback" in printed) == (2, False)
    assert message in printed
    assert "00_plain.ipynb" in printed


@pytest.mark.parametrize("source", ["def (", "a\0b", "x = '\ud800'", "(" * 5000, "%%bash\necho $(", "!ls ("])
def test_a_cell_that_does_not_parse_is_left_to_the_kernel(told, plain, source):
    """It is told with its traceback when it runs; planning goes on."""
    cells = [tagged("rank: int = 8"), nbformat.v4.new_code_cell(source)]
    (plain / "notebooks" / "00_plain.ipynb").write_text(book(*cells))
    status, printed = told(*DRY)
    assert (status, "1 of 1 runs would run" in printed) == (0, True), printed


@pytest.mark.parametrize("name", ["notebooks/00_plain.ipynb", "experiments/00_plain.yaml"])
@pytest.mark.parametrize("what", ["folder", "link to nothing", "link to itself"])
def test_a_folder_or_a_link_in_the_place_of_a_file(told, plain, name, what):
    (plain / name).unlink()
    if what == "folder":
        (plain / name).mkdir()
    else:
        (plain / name).symlink_to(plain / ("nothing" if what == "link to nothing" else name))
    status, printed = told(*DRY)
    assert (status, "Traceback" in printed) == (2, False)
    assert "00_plain" in printed


@pytest.mark.parametrize("place", ["a file", "a link to nothing", "read only"])
def test_a_place_that_cannot_hold_runs(told, plain, place):
    runs = plain / "experiments" / "runs"
    if place == "a file":
        runs.write_text("")
    elif place == "a link to nothing":
        runs.symlink_to(plain / "gone" / "gone")
    else:
        runs.symlink_to("/proc")  # to root, no folder of a disk is read-only
    status, printed = told("run")
    assert (status, "Traceback" in printed) == (2, False)
    assert "cannot write to" in printed
