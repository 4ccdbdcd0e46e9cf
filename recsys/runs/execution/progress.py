"""Live progress of a grid: runs done, where those in progress are, and an estimate of the time left."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from recsys.runs.durations import duration
from recsys.runs.execution.in_flight import Place, places
from recsys.runs.execution.worker import Outcome
from recsys.runs.grid.plan import PlannedRun

SECONDS_BETWEEN_LINES = 300.0  # in a log, about the runs in progress
LONGEST_LABEL = 40  # characters of a run's label beside the bar


class GridProgress:
    """A progress bar on a terminal, and one line per finished run, also for logs and CI.

    Where the runs in progress are stands below the bar; in a log it is told every few minutes.
    """

    def __init__(self, runs: list[PlannedRun], console: Console) -> None:
        self._waiting = {run.name: run for run in runs}
        self._slots = 1.0
        self._console = console
        self._finished: list[float] = []
        self._told = time.monotonic()
        self._bar = Progress(
            TextColumn("[bold]runs"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}{task.fields[now]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("runs", total=len(runs), left="starting Ray", now="")

    def __enter__(self) -> "GridProgress":
        self._bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.stop()

    def started(self, slots: float) -> None:
        """Ray is up and can hold `slots` runs at once."""
        self._slots = max(1.0, slots)
        self.tick()

    def tick(self) -> None:
        """Update the progress bar, or tell a log where the runs in progress are."""
        if self._console.is_terminal:
            lines = [f"\n  {words}" for words in self._in_progress(LONGEST_LABEL)]
            self._bar.update(self._task, left=self._left(), now="".join(lines))
        elif time.monotonic() - self._told >= SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            for words in self._in_progress():
                self._console.print(f"running {words}", highlight=False, soft_wrap=True)

    def _in_progress(self, most: int | None = None) -> list[str]:
        """A line for each run that has begun: its label, of at most so many characters, and where it is."""
        found = places(run.folder for run in self._waiting.values())
        return [
            f"{run.experiment.name}  {_escape(run.label[:most])}  [dim]{_words(found[run.folder])}[/]"
            for run in self._waiting.values()
            if run.folder in found
        ]

    def finished(self, run: PlannedRun, outcome: Outcome) -> None:
        """Report a finished run."""
        self._waiting.pop(run.name, None)
        self._finished.append(outcome.seconds)
        mark = "[green]done[/]  " if outcome.ok else "[red]FAILED[/]"
        self._console.print(
            f"{mark} {run.experiment.name}  {_escape(run.label)}  [dim]{duration(outcome.seconds)}[/]"
            + ("" if outcome.ok else f"  {_escape(_first_line(outcome))}"),
            highlight=False,
            soft_wrap=True,
        )
        self._bar.update(self._task, advance=1, left=self._left())

    def _left(self) -> str:
        """Estimate of the time left: from each run's last duration, else from the mean of those finished."""
        mean = sum(self._finished) / len(self._finished) if self._finished else None
        known = [run.seconds_before or mean for run in self._waiting.values()]
        if not known:
            return "writing"
        if None in known:
            return "no estimate before the first run has ended"
        return f"about {duration(sum(known) / self._slots)} left"


def _words(where: Place) -> str:
    """Example: cell 11 of 34 for 3 min 05 s, 4 min 10 s in all."""
    return (
        f"cell {where.cell} of {where.cells} for {duration(where.in_cell)}, {duration(where.seconds)} in all"
    )


def _first_line(outcome: Outcome) -> str:
    """Reason of a failed run, in at most 200 characters, with the cell."""
    told = (outcome.reason.splitlines() or ["no reason was given"])[0][:200]
    return told if outcome.cell is None else f"{told}, in cell {outcome.cell}"


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
