"""The parent's side of a trial process: sends trials, watches time and memory, kills what exceeds them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import psutil

from recsys.runs.execution.kernel_parent import kernel_environment

LOOK = 0.2  # seconds between two looks at memory and clock
SECONDS_TO_STOP = 10.0  # for a trial that the scheduler ends, to unwind
SECONDS_TO_SAVE = 120.0  # for a trial that is to write its checkpoint
LEFT_BEHIND = 0.25  # of the memory limit: what finished trials may leave in a process that is reused


class NotSaved(RuntimeError):
    """A trial did not write its checkpoint."""


@dataclass(frozen=True)
class Message:
    """A message from the trial process.

    kind: "report", "result" or "failed". metrics: name → value. reason: of a failure. core_seconds: of the
    trial so far. peak_mb: peak memory.
    """

    kind: str
    metrics: dict[str, float | None]
    reason: str
    core_seconds: float
    peak_mb: float


class TrialClient:
    """One reusable trial process; started with the first trial, and restarted after it had to be killed, and
    when finished trials have left so much memory behind that the next one would be blamed for it.

    Args:
        threads: of numeric libraries.
        seconds: maximum between two messages of a trial. memory_gb: maximum of the process and its children.
        environment: variables that the trials need. project: working directory.
    """

    def __init__(
        self,
        threads: int,
        seconds: float,
        memory_gb: float,
        environment: dict[str, str],
        project: str | None = None,
    ):
        self.threads, self.seconds, self.memory_gb = threads, seconds, memory_gb
        self.environment = {**os.environ, **environment, **kernel_environment(threads)}
        self.project = project
        self._process: subprocess.Popen | None = None
        self._buffer = b""
        self._begun = time.monotonic()
        self._waiting = False  # the process has sent a report and waits for an answer
        self._settled: int | None = None  # bytes that the process held after its first trial

    def begin(self, asked: dict[str, Any]) -> None:
        """Start a trial; one that still runs is ended first."""
        self.stop()
        if self._grown():
            self._kill()
        if self._process is None or self._process.poll() is not None:
            self._start()
        self._begun = time.monotonic()
        self._send({"run": asked})

    def next(self) -> Message:
        """Let the trial continue to its next report or its end, and return that message."""
        if self._waiting:
            self._waiting = False
            self._send({"go": True})
        deadline = time.monotonic() + self.seconds
        while True:
            line = self._line(min(LOOK, max(0.0, deadline - time.monotonic())))
            if line is not None:
                return self._message(json.loads(line))
            if self._process.poll() is not None:
                return self._died()
            held = self._held()
            if held > self.memory_gb * 2**30:
                used = f"used {held / 2**30:.2f} GiB of memory, more than the limit of {self.memory_gb:g}"
                return self._killed(used)
            if time.monotonic() >= deadline:
                return self._killed(
                    f"said nothing for {self.seconds:g} s, the limit: it hangs or is too slow"
                )

    def save(self, folder: str) -> None:
        """Have the trial that waits at its report write its checkpoint into a folder; it goes on waiting.

        Raises:
            NotSaved: no trial waits, or it could not.
        """
        if not self._waiting:
            raise NotSaved("no trial waits at a report")
        self._send({"save": folder})
        deadline = time.monotonic() + SECONDS_TO_SAVE
        while time.monotonic() < deadline and self._process.poll() is None:
            if (line := self._line(LOOK)) is not None:
                said = json.loads(line)
                if "saved" in said:
                    return
                self._waiting = False
                raise NotSaved(str(said.get("failed", said)))
        self._kill()
        raise NotSaved("its process died or took too long")

    def stop(self) -> None:
        """End the running trial; its process is kept if it stops in time."""
        if not self._waiting:
            return
        self._waiting = False
        self._send({"stop": True})
        deadline = time.monotonic() + SECONDS_TO_STOP
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._line(LOOK) is not None:
                return
        self._kill()

    def close(self) -> None:
        """End the process."""
        self._kill()

    def _grown(self) -> bool:
        if self._process is None:
            return False
        held = self._held()
        if self._settled is None:  # the first trial has loaded imports and data, which stay
            self._settled = held
        return held - self._settled > LEFT_BEHIND * self.memory_gb * 2**30

    def _start(self) -> None:
        self._settled = None
        reading, writing = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "recsys.sweeps.trials.trial_process", str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environment,
            cwd=self.project,
            pass_fds=[writing],
        )
        os.close(writing)
        self._reading, self._buffer = reading, b""

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # the process died; `next` reports how
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def _line(self, seconds: float) -> bytes | None:
        """The next complete line from the process, waiting at most so many seconds."""
        if b"\n" not in self._buffer and select.select([self._reading], [], [], seconds)[0]:
            self._buffer += os.read(self._reading, 1 << 16)
        line, newline, rest = self._buffer.partition(b"\n")
        if not newline:
            return None
        self._buffer = rest
        return line

    def _message(self, said: dict[str, Any]) -> Message:
        kind = next(name for name in ("report", "result", "failed") if name in said)
        self._waiting = kind == "report"
        metrics, reason = ({}, said["failed"]) if kind == "failed" else (said[kind], "")
        return Message(kind, metrics, reason, said["core_seconds"], said["peak_mb"])

    def _family(self) -> list[psutil.Process]:
        try:
            own = psutil.Process(self._process.pid)
            return [own, *own.children(recursive=True)]
        except psutil.Error:
            return []

    def _held(self) -> int:
        held = 0
        for one in self._family():
            with contextlib.suppress(psutil.Error):
                held += one.memory_info().rss
        return held

    def _died(self) -> Message:
        status = self._process.returncode
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        self._kill()
        return Message("failed", {}, f"the trial's process died ({how})", self._reserved(), 0.0)

    def _killed(self, reason: str) -> Message:
        peak = round(self._held() / 2**20, 1)
        self._kill()
        return Message("failed", {}, reason, self._reserved(), peak)

    def _reserved(self) -> float:
        """Core seconds of a trial that cannot report them itself: its reserved cores × elapsed time."""
        return self.threads * (time.monotonic() - self._begun)

    def _kill(self) -> None:
        if self._process is None:
            return
        for one in self._family():
            with contextlib.suppress(psutil.Error):
                one.kill()
        self._process.wait()
        self._process.stdin.close()
        os.close(self._reading)
        self._process, self._waiting = None, False
