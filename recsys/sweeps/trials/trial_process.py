"""The process in which trials run one after another, so that imports and data are loaded once.

It speaks JSON lines: on standard input {"run": {...}}, then after each report {"go": true} or {"stop": true},
before which {"save": folder} may be asked; on the descriptor named on the command line {"report": metrics},
{"result": metrics}, {"saved": {}} or {"failed": reason}, each with core_seconds and peak_mb. What trials
print goes to standard error. It ends when its input closes or its parent dies, whichever comes first.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1


class Stopped(Exception):
    """The scheduler ends this trial."""


class Reporter:
    """`recsys.sweeps.functions.registry.Report` of the trial that is running."""

    def __init__(self, session: Session, start: str | None):
        self._session, self.start = session, None if start is None else Path(start)

    def __call__(self, metrics: Mapping[str, float], save: Callable[[Path], None] | None = None) -> None:
        self._session.report(metrics, save)


class Session:
    """The running trial, as its function sees it."""

    def __init__(self, out: int):
        self._out = os.fdopen(out, "w", encoding="utf-8")
        self._cost = _since(_core_seconds)  # core seconds of the running trial so far

    def serve(self) -> None:
        """Run trials as they are sent until the input closes."""
        for line in iter(sys.stdin.readline, ""):
            asked = json.loads(line)
            if "run" in asked:
                self._run(asked["run"])

    def report(self, metrics: Mapping[str, float], save: Callable[[Path], None] | None) -> None:
        """Say how it stands and wait to be told whether to go on; save where that is asked for first."""
        self._say("report", _plain(metrics))
        while "save" in (answer := json.loads(sys.stdin.readline() or '{"stop": true}')):
            if save is None:
                raise TypeError("this trial cannot save itself")
            save(Path(answer["save"]))
            self._say("saved", {})
        if "stop" in answer:
            raise Stopped

    def _run(self, asked: dict[str, Any]) -> None:
        self._cost = _since(_core_seconds)
        try:
            if asked["notebook"]:
                from recsys.sweeps.trials.notebook_trial import run_notebook

                # a kernel is no child of this process: what one that fails has used is not known
                elapsed = _since(time.monotonic)
                self._cost = lambda: asked["threads"] * elapsed()
                metrics, used = run_notebook(asked)
                self._cost = lambda: used
                self._say("result", _plain(metrics))
            else:
                from recsys.sweeps.functions.registry import FUNCTIONS

                function = FUNCTIONS.load(asked["function"])
                function.prepare(asked["settings"])
                self._cost = _since(_core_seconds)  # imports and data are no trial's cost
                report = Reporter(self, asked.get("start"))
                self._say("result", _plain(function.run(asked["settings"], report)))
        except Stopped:
            self._say("stopped", {})
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = str(error).strip().splitlines()
            reason = f"{type(error).__name__}: {said[0] if said else ''} ({Path(where.filename).name}"
            self._say("failed", f"{reason}, line {where.lineno})")

    def _say(self, kind: str, what: Any) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
            2**20 if sys.platform == "darwin" else 2**10
        )
        message = {kind: what, "core_seconds": self._cost(), "peak_mb": round(peak, 1)}
        self._out.write(json.dumps(message) + "\n")
        self._out.flush()


def _plain(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics as JSON numbers; non-finite values become null."""
    numbers = {name: float(value) for name, value in metrics.items()}
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def _since(clock: Callable[[], float]) -> Callable[[], float]:
    """What the clock has advanced by since now."""
    begun = clock()
    return lambda: clock() - begun


def _core_seconds() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def main(out: int) -> None:
    with contextlib.suppress(AttributeError, OSError):  # Linux only
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(2, 1)
    Session(out).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
