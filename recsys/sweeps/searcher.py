"""The adapter between Ray Tune and an arm: passes on the arm's proposals, and results back to it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from ray.tune.search import Searcher

from recsys.sweeps.arm import Arm
from recsys.sweeps.trials.trainable import SAID, STATE
from recsys.training.hyperparameter_search.trial import DONE, FAILED, STOPPED, Trial

LOST = "Ray's worker died (memory of the machine, or a lost node)"


class ArmSearcher(Searcher):
    """A Ray Tune searcher that takes trials from an arm.

    It saves no state: a sweep resumes from the arm's log, not from Tune's snapshots (a restored Tuner keeps
    its old settings and loses its searcher, ray#30861, #14667).

    Args:
        ask: the part of each trial's job besides its settings (`recsys.sweeps.engine.ask`).
        on_end: called with each trial that has ended.
    """

    def __init__(self, arm: Arm, ask: dict[str, Any], on_end: Callable[[Trial], None]):
        first = arm.spec.objectives[0]
        super().__init__(metric=first.metric, mode=first.direction)
        self.arm, self.ask, self.on_end = arm, ask, on_end
        self.running: dict[str, tuple[int, float]] = {}  # trial id → its number, when it was handed out

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The job of the next trial, or Tune's signal that there is none left."""
        proposed = self.arm.propose()
        if proposed is None:
            return Searcher.FINISHED
        number, settings = proposed
        self.running[trial_id] = number, time.monotonic()
        every = self.ask["ask"]["unsearched"] | settings
        return {**self.ask, "ask": self.ask["ask"] | {"number": number, "settings": every}}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        if result[STATE] == "running":
            said = json.loads(result[SAID])
            number, _ = self.running[trial_id]
            self.arm.report(number, result["training_iteration"], said["metrics"], said["core_seconds"])

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        if trial_id not in self.running:
            return
        number, begun = self.running.pop(trial_id)
        if error or not result or STATE not in result:
            # what it used went with it: all of the time that it held its cores
            seconds = time.monotonic() - begun
            used = seconds * self.arm.spec.needs.threads
            said = {"reason": LOST, "seconds": seconds, "core_seconds": used}
            self.on_end(self.arm.end(number, FAILED, said))
            return
        state = {"running": STOPPED, "done": DONE, "failed": FAILED}[result[STATE]]
        if state == STOPPED and result["training_iteration"] >= self.arm.method.most:
            state = DONE  # no limit on a trial's epochs
        self.on_end(self.arm.end(number, state, json.loads(result[SAID])))

    def __getstate__(self) -> dict[str, Any]:
        """Leave the arm's open log out of Tune's snapshots, which nobody reads."""
        return {"_metric": self.metric, "_mode": self.mode}

    def save(self, checkpoint_path: str) -> None:
        pass

    def restore(self, checkpoint_path: str) -> None:
        pass
