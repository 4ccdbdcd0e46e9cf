"""The functions that trials run, by name; to add one, write a file beside this and a line here.

A function is a `TrialFunction`: its parameters and metrics are declared, so a sweep is checked before it
starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from recsys.code.registry import Registry

Save = Callable[[Path], None]


class Report(Protocol):
    """How a trial says how it stands.

    start: the folder of a checkpoint to go on from, or None; only a function with `changeable` is given one.
    Called with the metrics; `save(folder)` writes what the trial needs to go on from here, when it is asked
    for. Raises what ends the trial where a scheduler wants it to end.
    """

    start: Path | None

    def __call__(self, metrics: Mapping[str, float], save: Save | None = None) -> None: ...


FUNCTIONS = Registry(
    "trial function",
    {
        "alpha_beta": "recsys.sweeps.functions.alpha_beta:ALPHA_BETA",
        "fusion_weights": "recsys.sweeps.functions.fusion_weights:FUSION_WEIGHTS",
        "next_item": "recsys.sweeps.functions.next_item:NEXT_ITEM",
        "next_item_parts": "recsys.sweeps.functions.next_item_parts:NEXT_ITEM_PARTS",
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
        prepare: what a process does once for all its trials, such as loading data: it is called before each
            trial's clock starts, or the first trial of a process would pay for all.
        changeable: parameters that may change while a trial runs, as population-based training changes them:
            such a function saves itself when it reports, and goes on from `report.start`. None: it cannot.
    """

    run: Callable[[dict[str, Any], Report], Mapping[str, float]]
    declared: Callable[[Mapping[str, Any]], dict[str, Declared]]
    metrics: tuple[str, ...]
    prepare: Callable[[dict[str, Any]], None] = lambda settings: None
    changeable: tuple[str, ...] = ()
