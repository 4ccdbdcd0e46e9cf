"""One arm of a sweep: a search method in one repeat, with its budget and the log that it resumes from.

The engine asks the arm what to try and reports results to it. A trial is logged when it starts and when it
ends; after an interruption, trials that had not ended are started again under the same number with the same
settings, and those that had are not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from recsys.sweeps.declarations import completed
from recsys.sweeps.spec import Method, Spec
from recsys.training.hyperparameter_search.samplers import Listed, make_sampler
from recsys.training.hyperparameter_search.spaces import written
from recsys.training.hyperparameter_search.trial import DONE, FAILED, Trial
from recsys.training.hyperparameter_search.trial_log import TrialLog

OF_POPULATIONS = {"every", "share"}  # of a method; they mean nothing to others, nor to their logs
PATIENCE = 20  # failed trials, without any other, after which an arm gives up
IN_A_ROW = 60  # failed trials in a row after which it does so even where others had ended well


class Arm:
    """One search method and repeat (see the module).

    Args:
        spec, method: of the sweep's file. repeat: from 0; it seeds the sampler.
        folder: of the sweep. history: trials of earlier sweeps, shown to the sampler only.

    Attributes:
        trials: those that have ended. name: of the arm's log.
        reported: number → core seconds so far, of running trials. handed: number → settings, of running
        trials.
    """

    def __init__(self, spec: Spec, method: Method, repeat: int, folder: Path, history: Sequence[Trial] = ()):
        self.spec, self.method, self.repeat = spec, method, repeat
        self.name = arm_name(method, repeat)
        self.history = list(history)
        self.log = TrialLog(folder / f"{self.name}.jsonl", identity(spec, method, repeat))
        self.trials: list[Trial] = []
        self.reported: dict[int, float] = {}  # core seconds so far of running trials
        self.handed: dict[int, dict[str, Any]] = {}  # started and not ended
        self._again: list[int] = []
        self._next = 0
        for event in self.log.events:
            self._read(event)
        self._again = sorted(self.handed)
        self._count_again()
        self.sampler = self._sampler()
        if method.sampler == "grid" and not self.sampler.propose(self._next, self.trials, []):
            self._next = -1  # a grid that is smaller than its budget has been tried whole

    @property
    def spent(self) -> float:
        """Core seconds of all trials, running ones included."""
        return sum(trial.core_seconds for trial in self.trials) + sum(self.reported.values())

    @property
    def given_up(self) -> bool:
        """Whether `PATIENCE` trials have failed without any success, or `IN_A_ROW` after some: something is
        wrong, and failures that cost nothing would never spend a budget of core seconds."""
        failed = sum(1 for _ in takewhile(lambda trial: trial.state == FAILED, reversed(self.trials)))
        return failed >= (PATIENCE if failed == len(self.trials) else IN_A_ROW)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return not self._again and not self.handed and not self._left()

    def propose(self) -> tuple[int, dict[str, Any]] | None:
        """(number, settings) of the next trial; None once the budget is spent or the space is exhausted."""
        if self._again:
            number = self._again.pop(0)
            again = {"event": "handed out", "number": number, "settings": self.handed[number], "at": _now()}
            self.log.append(again)  # what the attempt before it reported is void
            return number, self.handed[number]
        if not self._left():
            return None
        number, running = self._next, list(self.handed.values())
        settings = self.sampler.propose(number, [*self.history, *self.trials], running)
        if settings is None:
            self._next = -1
            return None
        whole = completed(self.spec, settings)
        settings = {name: whole[name] for name in self.spec.ranges}
        self.log.append({"event": "handed out", "number": number, "settings": settings, "at": _now()})
        self.handed[number] = settings
        self._next += 1
        return number, settings

    def try_failed_again(self) -> None:
        """Hand out failed trials once more, under their numbers; what they had spent no longer counts."""
        self.handed |= {trial.number: trial.settings for trial in self.trials if trial.state == FAILED}
        self.trials = [trial for trial in self.trials if trial.state != FAILED]
        self._again = sorted(self.handed)

    def report(self, number: int, epoch: int, metrics: dict[str, Any], core_seconds: float) -> None:
        """Record an intermediate result of a running trial."""
        self.reported[number] = core_seconds
        told = {"event": "report", "number": number, "epoch": epoch}
        self.log.append(told | {"metrics": _finite(metrics), "core_seconds": core_seconds})

    def change(self, number: int, epoch: int, donor: int, settings: dict[str, Any]) -> None:
        """A trial of a population goes on from another's checkpoint, under other settings."""
        self.handed[number] = settings
        told = {"event": "changed", "number": number, "epoch": epoch, "donor": donor}
        self.log.append(told | {"settings": settings})

    def begin_anew(self) -> None:
        """Put the log aside and start over: a population lives in its driver, and ends with it."""
        self.log.close()
        aside = self.log.path.with_suffix(".cut-off")
        number = 1
        while aside.exists():
            number += 1
            aside = self.log.path.with_suffix(f".cut-off-{number}")
        self.log.path.rename(aside)
        self.__init__(self.spec, self.method, self.repeat, self.log.path.parent, self.history)

    def end(self, number: int, state: str, said: dict[str, Any]) -> Trial:
        """Log the end of a trial.

        Args:
            state: "done", "stopped" or "failed".
            said: the trial's metrics, and reason, seconds, core_seconds, peak_mb as far as known.
        """
        metrics, reason = said.get("metrics") or {}, said.get("reason", "")
        if state == DONE and (bad := self._bad(metrics)):
            state, reason = FAILED, bad
        settings = self.handed.pop(number)
        self.reported.pop(number, None)
        used = float(said.get("core_seconds", 0.0))
        spent = self.spent + used
        trial = Trial(
            number=number,
            settings=settings,
            state=state,
            metrics=_finite(metrics),
            reason=reason,
            seconds=round(float(said.get("seconds", 0.0)), 4),
            core_seconds=used,
            spent=spent,
            counts=self.spec.allowed.counts(number, spent),
        )
        self.trials.append(trial)
        self.log.append({"event": "ended", "at": _now(), "peak_mb": said.get("peak_mb"), **trial.written()})
        return trial

    def _bad(self, metrics: dict[str, Any]) -> str:
        for objective in self.spec.objectives:
            value = metrics.get(objective.metric)
            if objective.metric not in metrics:
                return f"gave no {objective.metric}"
            if value is None or not math.isfinite(value):
                return f"{objective.metric} is not finite"
        return ""

    def _left(self) -> bool:
        return self._next >= 0 and not self.given_up and self.spec.allowed.left(self._next, self.spent)

    def _read(self, event: dict[str, Any]) -> None:
        number = event["number"]
        self._next = max(self._next, number + 1)
        if event["event"] == "report":
            return
        self.trials = [trial for trial in self.trials if trial.number != number]
        if event["event"] in ("handed out", "changed"):
            self.handed[number] = event["settings"]
        elif event["event"] == "ended":
            self.handed.pop(number, None)
            self.trials.append(Trial.read(event))

    def _count_again(self) -> None:
        """A raised budget takes in trials that it had left out: the log is told, and its last word holds."""
        for place, trial in enumerate(self.trials):
            counts = self.spec.allowed.counts(trial.number, trial.spent)
            if counts != trial.counts:
                self.trials[place] = replace(trial, counts=counts)
                self.log.append({"event": "ended", "at": _now(), **self.trials[place].written()})

    def _sampler(self) -> Listed:
        options: dict[str, Any] = {}
        if self.method.sampler == "tpe":
            options["metrics"] = [one.metric for one in self.spec.objectives]
            options["directions"] = [one.direction for one in self.spec.objectives]
        seed = self.spec.seed + 1000 * self.repeat
        # no defaults first for a grid: they would be tried twice, or be a point outside the grid
        first = [] if self.method.sampler == "grid" else self.spec.first
        if self.method.scheduler == "pbt":  # what is changed a little must be a number, not the model's own
            first = [one for one in first if one.keys() >= self.spec.ranges.keys()]
        return Listed(first, make_sampler(self.method.sampler, self.spec.ranges, seed, **options))


def arm_name(method: Method, repeat: int) -> str:
    """Name of the arm's log file."""
    return f"{method.name}-{repeat}"


def identity(spec: Spec, method: Method, repeat: int) -> dict[str, Any]:
    """What a log must agree on to be resumed. The budget is left out, so it may be raised; but not that of a
    population, whose members are trained together."""
    population = method.scheduler == "pbt"
    return {
        "sweep": spec.name,
        "runs": spec.target,
        "fixed": spec.fixed,
        "space": written(spec.ranges),
        "objectives": [one.model_dump() for one in spec.objectives],
        "method": method.model_dump(exclude=set() if population else OF_POPULATIONS),
        "first": spec.first,
        "seed": spec.seed,
        "repeat": repeat,
        "threads": spec.needs.threads,
    } | ({"members": spec.allowed.trials} if population else {})


def _now() -> float:
    return round(time.time(), 3)


def _finite(metrics: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if value is not None and math.isfinite(value)}
