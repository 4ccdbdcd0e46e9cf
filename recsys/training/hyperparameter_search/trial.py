"""One trial of a search: what was tried, what came out, what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

DONE, FAILED, STOPPED = "done", "failed", "stopped"


@dataclass(frozen=True)
class Trial:
    """A finished trial.

    Attributes:
        number: from 0, in the order that trials were proposed in.
        settings: what was tried.
        state: "done"; "stopped" (a scheduler ended it early: its metrics are the last ones reported);
            "failed" (see `reason`; its metrics are not valid).
        metrics: name → number, on validation.
        reason: of a failure, one line.
        seconds, core_seconds: wall time, and processor time of all threads.
        spent: core seconds of the whole search when this trial had ended.
        counts: whether it ended within the budget, so that the search may choose it.
    """

    number: int
    settings: dict[str, Any]
    state: str
    metrics: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    core_seconds: float = 0.0
    spent: float = 0.0
    counts: bool = True

    def written(self) -> dict[str, Any]:
        """As plain values, for a log."""
        return asdict(self)

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Trial:
        """From `written`, further keys left aside."""
        return cls(**{name: raw[name] for name in cls.__dataclass_fields__ if name in raw})


def best_of(trials: Sequence[Trial], metric: str, direction: str) -> Trial | None:
    """The finished trial within the budget with the best metric; of equals the first; None without one."""
    sign = 1.0 if direction == "max" else -1.0
    valid = [trial for trial in trials if trial.state == DONE and trial.counts and metric in trial.metrics]
    return max(valid, key=lambda trial: (sign * trial.metrics[metric], -trial.number), default=None)


def as_frame(trials: Sequence[Trial]) -> pd.DataFrame:
    """One row a trial, by number: number, the settings, state, reason, the metrics, seconds, core_seconds,
    spent, counts. A setting with a metric's name would hide it, and is refused by the searches."""
    rows = [
        {"number": t.number, **t.settings, "state": t.state, "reason": t.reason, **t.metrics}
        | {"seconds": t.seconds, "core_seconds": t.core_seconds, "spent": t.spent, "counts": t.counts}
        for t in sorted(trials, key=lambda trial: trial.number)
    ]
    return pd.DataFrame(rows)
