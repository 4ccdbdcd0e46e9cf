"""Where runs in progress are: noted by the worker, told on the bar and, now and then, in a log."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from recsys.runs.execution import progress
from recsys.runs.execution.in_flight import NOTE, PLACE, note, places, working_folder
from recsys.runs.execution.progress import GridProgress


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A run in progress, in its ninth cell of twenty; its name has letters that a pattern would read."""
    final = tmp_path / "00_x" / "items=[1]-abc"
    working = working_folder(final)
    working.mkdir(parents=True)
    (working / "request.json").write_text("{}")
    monkeypatch.setenv(PLACE, str(working / NOTE))
    note(9, 20)
    return SimpleNamespace(
        name="items=[1]-abc",
        folder=final,
        label="items=[1]",
        experiment=SimpleNamespace(name="00_x"),
        seconds_before=None,
    )


def test_the_place_is_that_of_the_run_alone(begun, tmp_path):
    other = tmp_path / "00_x" / "items=1-abc"
    (found,) = places([begun.folder, other]).values()
    assert (found.cell, found.cells) == (9, 20)
    assert 0 <= found.in_cell <= found.seconds + 1
    assert places([other]) == {}
    working_folder(begun.folder).joinpath(NOTE).write_text("")  # opened, not yet written
    assert places([begun.folder]) == {}


def test_without_a_worker_or_a_folder_nothing_is_noted(monkeypatch, tmp_path):
    monkeypatch.delenv(PLACE, raising=False)
    note(1, 2)
    monkeypatch.setenv(PLACE, str(tmp_path / "gone" / NOTE))
    note(1, 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("terminal", [True, False])
def test_runs_in_progress_are_told(begun, monkeypatch, terminal):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=200)
    with GridProgress([begun], console) as told:
        told.started(1.0)
    assert "items=[1]" in written.getvalue()
    assert "cell 9 of 20 for" in written.getvalue()


def test_a_log_is_not_filled(begun):
    written = io.StringIO()
    with GridProgress([begun], Console(file=written, force_terminal=False, width=200)) as told:
        told.started(1.0)
        told.tick()
    assert written.getvalue() == ""
