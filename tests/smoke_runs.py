"""The smoke runs of the notebooks, beside the other tests: they take every core, most tests one."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from recsys.runs.grid.experiment import load_experiments

TEST = "test_runs_headless_in_the_smoke_profile"  # waits for them
ROOT = Path(__file__).resolve().parents[1]


class SmokeRuns:
    """One command for all that were asked for: one start of Ray, a run a core.

    Args:
        folder: an empty one.
        notebooks: paths.
    """

    def __init__(self, folder: Path, notebooks: set[Path]) -> None:
        self.runs, self._log = folder / "runs", folder / "told.txt"
        asked = {f"notebooks/{path.name}" for path in notebooks}
        names = [e.name for e in load_experiments(ROOT / "experiments").values() if e.notebook in asked]
        command = [sys.executable, "-m", "recsys.cli", "run", *names, "--profile", "smoke", "--data", "demo"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, "--runs", str(self.runs)],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                # a terminal's Ctrl-C would reach it twice, the second time while it clears up
                start_new_session=True,
                # a shell's background job ignores Ctrl-C, and its children inherit that
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )

    def told(self) -> str:
        """What the command said, once it has ended."""
        self._process.wait()
        return self._log.read_text(errors="replace")

    def pids(self) -> set[int]:
        """The command and all processes below it: none of them is a test's own."""
        try:
            command = psutil.Process(self._process.pid)
            return {command.pid, *(child.pid for child in command.children(recursive=True))}
        except psutil.NoSuchProcess:
            return set()

    def end(self) -> None:
        """Interrupt the command, as Ctrl-C would, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
