"""The smoke runs of the notebooks, beside the other tests: they take every core, most tests one."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from recsys.runs.grid.experiment import load_experiments

TEST = "test_runs_headless_in_the_smoke_profile"  # waits for them
ROOT = Path(__file__).resolve().parents[1]


class SmokeRuns:
    """One command for all that were asked for: one start of Ray, a run a core.

    Args:
        folder: of the command's runs and of what it says.
        pid: of the command. Another process may have started it: where tests have several, all wait for one.
    """

    def __init__(self, folder: Path, pid: int) -> None:
        self.folder, self.pid, self.runs = folder, pid, folder / "runs"

    @classmethod
    def start(cls, folder: Path, notebooks: set[str]) -> "SmokeRuns":
        """Start it in an empty folder. notebooks: names of files."""
        asked = {f"notebooks/{name}" for name in notebooks}
        names = [e.name for e in load_experiments(ROOT / "experiments").values() if e.notebook in asked]
        command = [sys.executable, "-m", "recsys.cli", "run", *names, "--profile", "smoke", "--data", "demo"]
        with (folder / "told.txt").open("w") as log:
            started = subprocess.Popen(
                [*command, "--runs", str(folder / "runs")],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                # a terminal's Ctrl-C would reach it twice, the second time while it clears up
                start_new_session=True,
                # a shell's background job ignores Ctrl-C, and its children inherit that
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
        return cls(folder, started.pid)

    def told(self) -> str:
        """What the command said, once it has ended."""
        while self._runs():
            time.sleep(0.2)
        return (self.folder / "told.txt").read_text(errors="replace")

    def pids(self) -> set[int]:
        """The command and all processes below it: none of them is a test's own."""
        try:
            command = psutil.Process(self.pid)
            return {command.pid, *(child.pid for child in command.children(recursive=True))}
        except psutil.NoSuchProcess:
            return set()

    def end(self) -> None:
        """Interrupt the command, as Ctrl-C would, if it still runs; kill it if that takes a minute."""
        if self._runs():
            psutil.Process(self.pid).send_signal(signal.SIGINT)
        patience = time.monotonic() + 60
        while self._runs() and time.monotonic() < patience:
            time.sleep(0.2)
        if self._runs():
            psutil.Process(self.pid).kill()

    def _runs(self) -> bool:
        """Until its parent asks after it, an ended process is still there, as a zombie."""
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
