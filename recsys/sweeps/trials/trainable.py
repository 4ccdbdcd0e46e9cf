"""The Ray Tune actor of a sweep: it keeps one trial process alive and reuses it for trial after trial."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import uuid
from typing import Any

from ray.tune import Trainable

from recsys.sweeps.trials.trial_client import TrialClient

STATE = "sweep_state"  # of a result: "running", "done" or "failed"
SAID = "sweep_said"  # the values for the log as JSON, since Tune flattens nested mappings


class SweepTrainable(Trainable):
    """One step is the way to a trial's next report. A failing trial ends as a result that says so: an actor
    that raised would be thrown away, and its warm process with it.

    A scheduler that changes settings half-way (population-based training) has a trial save itself, and gives
    the next one, under other settings, that checkpoint to go on from: its "piece" is another then, and core
    seconds count from the piece's beginning."""

    def setup(self, config: dict[str, Any]) -> None:
        self._client = TrialClient(
            config["ask"]["threads"],
            config["seconds"],
            config["memory_gb"],
            config["environment"],
            config["ask"]["project"],
        )
        self._start: str | None = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start the next trial; if the scheduler stopped the previous one half-way, end that first."""
        self._client.stop()
        self._ask, self._begun = new_config["ask"], False
        self._forget_start()
        return True

    def step(self) -> dict[str, Any]:
        if not self._begun:
            self._begun, self._clock, self._piece = True, time.perf_counter(), uuid.uuid4().hex
            self._client.begin(self._ask | {"start": self._start})
        message = self._client.next()
        said = {
            "metrics": message.metrics,
            "reason": message.reason,
            "seconds": time.perf_counter() - self._clock,
            "core_seconds": message.core_seconds,
            "peak_mb": message.peak_mb,
            "piece": self._piece,
        }
        state = {"report": "running", "result": "done", "failed": "failed"}[message.kind]
        finite = {name: value for name, value in message.metrics.items() if value is not None}
        return {**finite, STATE: state, SAID: json.dumps(said), "done": state != "running"}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        self._client.save(checkpoint_dir)

    def load_checkpoint(self, checkpoint: str) -> None:
        """Keep a copy: the trial reads it when it begins, and Tune may have removed its own by then."""
        self._forget_start()
        self._start = tempfile.mkdtemp(prefix="recsys-start-")
        shutil.copytree(checkpoint, self._start, dirs_exist_ok=True)

    def cleanup(self) -> None:
        self._client.close()
        self._forget_start()

    def _forget_start(self) -> None:
        if self._start is not None:
            shutil.rmtree(self._start, ignore_errors=True)
            self._start = None
