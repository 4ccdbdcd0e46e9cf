"""The Ray Tune actor of a sweep: it keeps one trial process alive and reuses it for trial after trial."""

from __future__ import annotations

import json
import time
from typing import Any

from ray.tune import Trainable

from recsys.sweeps.trial_client import TrialClient

STATE = "sweep_state"  # of a result: "running", "done" or "failed"
SAID = "sweep_said"  # the values for the log as JSON, since Tune flattens nested mappings


class SweepTrainable(Trainable):
    """One `step` runs a trial up to its next report.

    A failing trial returns a result that says so instead of raising: Tune would discard an actor that
    raised, and its process with the loaded data.
    """

    def setup(self, config: dict[str, Any]) -> None:
        self._client = TrialClient(
            config["ask"]["threads"],
            config["seconds"],
            config["memory_gb"],
            config["environment"],
            config["ask"]["project"],
        )
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start the next trial; if the scheduler stopped the previous one half-way, end that first."""
        self._client.stop()
        self._ask, self._begun = new_config["ask"], False
        return True

    def step(self) -> dict[str, Any]:
        if not self._begun:
            self._begun, self._clock = True, time.perf_counter()
            self._client.begin(self._ask)
        message = self._client.next()
        said = {
            "metrics": message.metrics,
            "reason": message.reason,
            "seconds": time.perf_counter() - self._clock,
            "core_seconds": message.core_seconds,
            "peak_mb": message.peak_mb,
        }
        state = {"report": "running", "result": "done", "failed": "failed"}[message.kind]
        finite = {name: value for name, value in message.metrics.items() if value is not None}
        return {**finite, STATE: state, SAID: json.dumps(said), "done": state != "running"}

    def cleanup(self) -> None:
        self._client.close()
