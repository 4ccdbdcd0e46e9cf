"""Executes one run in a Ray worker process with papermill; its folder appears complete, by rename."""

import json
import os
import shutil
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recsys.runs import paths
from recsys.runs.execution.completion import complete_record
from recsys.runs.execution.failures import RunFailed
from recsys.runs.execution.in_flight import IN_FLIGHT, NOTE, PLACE, working_folder
from recsys.runs.record import REQUEST


@dataclass(frozen=True)
class Request:
    """Everything that a worker needs for one run; can be pickled and sent to another machine."""

    project: str
    folder: str  # where the finished run goes: experiments/runs/<experiment>/<run>
    experiment: str
    run: str
    profile: str
    notebook: str  # relative to the project
    parameters: dict[str, Any]
    threads: int
    metrics: list[str]
    committed_only: bool = False  # refuse to record a run of code that is not the commit's
    environment: dict[str, str] = field(default_factory=dict)  # RECSYS_* settings of the driver


@dataclass(frozen=True)
class Outcome:
    """Result of a run. `cell` (of a failure) counts all cells of the original notebook from 1."""

    run: str
    ok: bool
    seconds: float
    folder: str
    reason: str = ""
    cell: int | None = None
    source: str = ""
    traceback: str = ""


def execute(request: Request) -> Outcome:
    """Run one notebook and rename its folder into place; a failed notebook does not raise."""
    started, clock = datetime.now(UTC), time.perf_counter()
    final = Path(request.folder)
    working = working_folder(final)
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir(parents=True)
    try:
        _run_notebook(request, working)
        (working / NOTE).unlink(missing_ok=True)
        complete_record(request, working, started, time.perf_counter() - clock)
        _replace(working, final)
        shutil.rmtree(failed_folder(final), ignore_errors=True)
        return Outcome(request.run, True, time.perf_counter() - clock, str(final))
    except Exception as error:
        failed = (
            error if isinstance(error, RunFailed) else RunFailed(repr(error), trace=traceback.format_exc())
        )
        kept = failed_folder(final)
        seconds = time.perf_counter() - clock
        outcome = Outcome(
            request.run, False, seconds, str(kept), str(failed), failed.cell, failed.source, failed.trace
        )
        failure = {**asdict(outcome), "folder": kept.name, "experiment": request.experiment}
        failure |= {"profile": request.profile, "parameters": request.parameters}
        for name in ("record.json", NOTE):
            (working / name).unlink(missing_ok=True)
        (working / "failure.json").write_text(json.dumps(failure, indent=1) + "\n", encoding="utf-8")
        _replace(working, kept)
        return outcome


def failed_folder(final: Path) -> Path:
    """Folder that keeps the executed notebook of a failed run: the run's folder name with ".failed"."""
    return final.with_name(final.name + ".failed")


def _replace(working: Path, final: Path) -> None:
    """Replace a folder by renames: at any moment there is the old one, none, or the new one."""
    if final.exists():
        outdated = final.with_name(f"{IN_FLIGHT}{final.name}-{os.getpid()}-outdated")
        shutil.rmtree(outdated, ignore_errors=True)
        final.rename(outdated)
        working.rename(final)
        shutil.rmtree(outdated, ignore_errors=True)
    else:
        working.rename(final)


def _run_notebook(request: Request, working: Path) -> None:
    # jsonschema builds a grammar for internationalised web addresses if this package is importable, which
    # takes seconds and no notebook needs.
    sys.modules.setdefault("rfc3987_syntax", None)
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    from recsys.runs.execution.forked_kernel import ForkedKernelManager
    from recsys.runs.execution.kernel_parent import CAN_FORK, kernel_environment
    from recsys.runs.execution.notebook_client import ENGINE, KernelDied, last_words
    from recsys.runs.grid.git import file_blob, head
    from recsys.runs.grid.notebook_cells import read_cells
    from recsys.runs.grid.parameters import reassigned

    notebook = Path(request.project) / request.notebook
    again = reassigned(read_cells(notebook), set(request.parameters))
    if again:
        raise RunFailed("override not used: " + "; ".join(again))
    # What is executed now: before record() the notebook may be edited, or another commit checked out.
    ask = {**asdict(request), "folder": str(working), "started_ns": time.time_ns()}
    ask |= {"code": {"commit": head()}, "notebook_blob": file_blob(notebook)}
    (working / "request.json").write_text(json.dumps(ask))
    os.environ.update(kernel_environment(request.threads))
    os.environ.update(request.environment)
    os.environ[REQUEST] = str(working / "request.json")
    os.environ["RECSYS_KERNEL_LOG"] = str(working / "kernel.log")
    os.environ[PLACE] = str(working / NOTE)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        dict.fromkeys([request.project, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
    )
    try:
        execute_notebook(
            str(_completed(notebook, working)),
            str(working / paths.EXECUTED),
            parameters=request.parameters,
            cwd=str(notebook.parent),
            progress_bar=False,
            kernel_name="python3",
            language="python",
            engine_name=ENGINE,
            start_timeout=120,
            **({"kernel_manager_class": ForkedKernelManager} if CAN_FORK else {}),
        )
    except PapermillExecutionError as error:
        reason = f"{error.ename}: {error.evalue}"
        trace = _plain("\n".join(error.traceback))
        number = _number_as_written(notebook, error.cell_index)
        raise RunFailed(reason, number, error.source, trace) from None
    except KernelDied as error:
        said = last_words(working / "kernel.log")
        number = None if error.index is None else _number_as_written(notebook, error.index)
        source = next((cell.source for cell in read_cells(notebook) if cell.number == number), "")
        raise RunFailed(f"{error}{f'; it last said: {said}' if said else ''}", number, source) from None
    except Exception as error:
        raise RunFailed(f"{type(error).__name__}: {error}", trace=traceback.format_exc()) from None


def _completed(notebook: Path, working: Path) -> Path:
    """The notebook, or a copy that adds missing metadata."""
    from recsys.runs.grid.notebook_cells import completed

    text = completed(notebook)
    if text is None:
        return notebook
    copy = working / notebook.name
    copy.write_text(text, encoding="utf-8")
    return copy


def _number_as_written(notebook: Path, index: int) -> int:
    """The cell's number from 1 in the original notebook; papermill counts from 0 and adds a cell."""
    from recsys.runs.grid.notebook_cells import read_cells

    parameters = next(cell.number for cell in read_cells(notebook) if "parameters" in cell.tags)
    return index + 1 if index < parameters else index


def _plain(text: str) -> str:
    """Text without the terminal colours of an IPython traceback."""
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)
