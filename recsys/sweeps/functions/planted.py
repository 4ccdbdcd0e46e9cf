"""A test function for sweeps with a known optimum, which can also simulate every kind of failing trial."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from recsys.sweeps.functions.registry import Declared, Report, Save, TrialFunction

EPOCH = "epoch.json"
FAULTS = ("none", "crash", "nan", "hang", "memory", "death", "leak")
LEAKED: list[bytearray] = []


def declared(fixed: Mapping[str, Any]) -> dict[str, Declared]:
    """The parameters of `run`."""
    return {
        "x": Declared((float,), 0.0),
        "y": Declared((float,), 0.0),
        "kind": Declared((str,), "round"),
        "epochs": Declared((int,), 1),
        "seconds": Declared((float,), 0.0),
        "fault": Declared((str,), "none"),
        "seed": Declared((int,), 0),
    }


def run(settings: dict[str, Any], report: Report) -> dict[str, float]:
    """A bump of height 1 at x = 0.3, y = −0.6 ("quality"), and a cost that grows with x ("cost").

    Args:
        settings: x, y: numbers. kind: "round", or "flat" where y does nothing. epochs: the height is
            approached in so many reports. seconds: slept, in all. fault: of `FAULTS`.

    It can be saved at a report: what is kept is the epoch.
    """
    _do(settings["fault"])
    depth = (settings["x"] - 0.3) ** 2 + (0.0 if settings["kind"] == "flat" else (settings["y"] + 0.6) ** 2)
    result: dict[str, float] = {}
    start = getattr(report, "start", None)
    done = json.loads((start / EPOCH).read_text(encoding="utf-8")) if start else 0
    for epoch in range(done + 1, settings["epochs"] + 1):
        time.sleep(settings["seconds"] / settings["epochs"])
        share = 1 - 0.5 ** (8 * epoch / settings["epochs"])
        result = {"quality": share / (1 + depth), "cost": 1 + abs(settings["x"])}
        if epoch < settings["epochs"]:
            report(result, _saver(epoch))
    return {"quality": float("nan"), "cost": 1.0} if settings["fault"] == "nan" else result


def _saver(epoch: int) -> Save:
    return lambda folder: (folder / EPOCH).write_text(json.dumps(epoch), encoding="utf-8")


def _do(fault: str) -> None:
    if fault == "crash":
        raise RuntimeError("planted crash")
    if fault == "death":
        os._exit(9)
    if fault == "hang":
        time.sleep(3600)
    if fault == "leak":
        LEAKED.append(bytearray(b"x") * (64 << 20))
    held = []
    while fault == "memory":
        held.append(bytearray(b"x") * (64 << 20))
        time.sleep(0.02)


PLANTED = TrialFunction(run, declared, ("quality", "cost"), changeable=("x", "y"))
