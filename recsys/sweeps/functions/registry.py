"""The functions that trials run, by name; a new one is a file and a line here.

A function is a `TrialFunction`: what it takes and what it gives are known before anything starts.
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
    """A parameter: the types that its values may have, and what it is without a say."""

    types: tuple[type, ...]
    default: Any


@dataclass(frozen=True)
class TrialFunction:
    """One trial in a process that is kept warm: imports and loaded data are there for the next one.

    Attributes:
        run: `run(settings, report)` gives the metrics, of validation only; `report(metrics)` says how it
            stands after an epoch, and ends the trial where a scheduler wants it to.
        declared: `declared(fixed)` names the parameters, which may depend on the fixed ones (a model's own).
        metrics: the names that `run` returns; those that it reports are among them.
        prepare: what a process does once for all its trials, such as loading data: it is called before each
            trial's clock starts, or the first trial of a process would pay for all.
    """

    run: Callable[[dict[str, Any], Report], Mapping[str, float]]
    declared: Callable[[Mapping[str, Any]], dict[str, Declared]]
    metrics: tuple[str, ...]
    prepare: Callable[[dict[str, Any]], None] = lambda settings: None
