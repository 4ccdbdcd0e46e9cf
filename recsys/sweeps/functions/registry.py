"""The functions that trials run, by name; to add one, write a file beside this and a line here.

A function is a `TrialFunction`: its parameters and metrics are declared, so a sweep is checked before it
starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recsys.code.registry import Registry

Report = Callable[[Mapping[str, float]], None]

FUNCTIONS = Registry(
    "trial function",
    {
        "next_item": "recsys.sweeps.functions.next_item:NEXT_ITEM",
        "planted": "recsys.sweeps.functions.planted:PLANTED",
    },
)


@dataclass(frozen=True)
class Declared:
    """A parameter: the types that its values may have, and its default."""

    types: tuple[type, ...]
    default: Any


@dataclass(frozen=True)
class TrialFunction:
    """A function that runs one trial, in a process that is reused so that imports and loaded data stay.

    Attributes:
        run: `run(settings, report)` returns the metrics, of validation only; `report(metrics)` sends
            intermediate results after an epoch and raises to end the trial if the scheduler stops it.
        declared: `declared(fixed)` returns the parameters, which may depend on the fixed ones (the
            hyperparameters of the chosen model).
        metrics: the names that `run` returns; those that it reports are among them.
        prepare: work that a process does once for all its trials, such as loading data. It is called before
            each trial's clock starts; otherwise the first trial of a process would pay for all.
    """

    run: Callable[[dict[str, Any], Report], Mapping[str, float]]
    declared: Callable[[Mapping[str, Any]], dict[str, Declared]]
    metrics: tuple[str, ...]
    prepare: Callable[[dict[str, Any]], None] = lambda settings: None
