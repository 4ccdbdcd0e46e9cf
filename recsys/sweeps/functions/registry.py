"""The functions that trials run, by name; a new one is a file and a line here.

A function is a `TrialFunction`: what it takes and what it gives are known before anything starts.
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
        changeable: parameters that may change while a trial runs, as population-based training changes them:
            such a function saves itself when it reports, and goes on from `report.start`. None: it cannot.
    """

    run: Callable[[dict[str, Any], Report], Mapping[str, float]]
    declared: Callable[[Mapping[str, Any]], dict[str, Declared]]
    metrics: tuple[str, ...]
    prepare: Callable[[dict[str, Any]], None] = lambda settings: None
    changeable: tuple[str, ...] = ()
