"""How far a run in progress has come: its worker notes the cell in the run's folder, the driver reads it."""

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

IN_FLIGHT = ".in-flight-"  # a run's folder is named so until it is complete
PLACE = "RECSYS_PLACE"  # environment of a worker: the file that it notes the cell in
NOTE = "place"


@dataclass(frozen=True)
class Place:
    """Where a run in progress is. cell, cells: the cell that runs, counted from 1, and how many there are.

    seconds: since the run began. in_cell: since the cell began.
    """

    cell: int
    cells: int
    seconds: float
    in_cell: float


def working_folder(final: Path) -> Path:
    """The folder in which this process makes a run, to be renamed to `final`."""
    return final.with_name(f"{IN_FLIGHT}{final.name}-{os.getpid()}")


def note(cell: int, cells: int) -> None:
    """In a worker: the run has come to this cell. A disk that is full stops no run here."""
    if path := os.environ.get(PLACE):
        with contextlib.suppress(OSError):
            Path(path).write_text(f"{cell} {cells}", encoding="ascii")


def places(finals: Iterable[Path]) -> dict[Path, Place]:
    """Where the runs are that will become these folders; without those that have not begun, have ended or are
    out of sight. Each experiment's folder is looked at once, however many runs wait.
    """
    wanted, found = set(finals), {}
    for parent in {final.parent for final in wanted}:
        for working in parent.glob(f"{IN_FLIGHT}*"):
            final = parent / working.name.removeprefix(IN_FLIGHT).rpartition("-")[0]
            if final in wanted:
                with contextlib.suppress(OSError, ValueError):  # renamed or half written in this moment
                    found[final] = _read(working)
    return found


def _read(working: Path) -> Place:
    noted = working / NOTE
    cell, cells = map(int, noted.read_text(encoding="ascii").split())
    now = time.time()
    began = (working / "request.json").stat().st_mtime
    return Place(cell, cells, now - began, now - noted.stat().st_mtime)
