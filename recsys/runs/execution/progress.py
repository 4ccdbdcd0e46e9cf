"""Live progress of a grid: how many runs are done, and an estimate of the time left."""

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from recsys.runs.durations import duration
from recsys.runs.execution.worker import Outcome
from recsys.runs.grid.plan import PlannedRun


class GridProgress:
    """A progress bar on a terminal, and one line per finished run, also for logs and CI."""

    def __init__(self, runs: list[PlannedRun], console: Console) -> None:
        self._waiting = {run.name: run for run in runs}
        self._slots = 1.0
        self._console = console
        self._finished: list[float] = []
        self._bar = Progress(
            TextColumn("[bold]runs"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("runs", total=len(runs), left="starting Ray")

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
        """Update the progress bar."""
        self._bar.update(self._task, left=self._left())

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


def _first_line(outcome: Outcome) -> str:
    """Reason of a failed run, in at most 200 characters, with the cell."""
    told = (outcome.reason.splitlines() or ["no reason was given"])[0][:200]
    return told if outcome.cell is None else f"{told}, in cell {outcome.cell}"


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
