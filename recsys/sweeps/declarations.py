"""Parameters and metrics of a sweep's target, read from a trial function or from a notebook."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from recsys.runs import paths
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.grid.notebook_cells import read_cells
from recsys.runs.grid.parameters import Parameter, read_parameters, resolve
from recsys.sweeps.functions.registry import FUNCTIONS, Declared

if TYPE_CHECKING:
    from recsys.sweeps.spec import Spec

VALIDATION = "validation"  # must occur in the name of a notebook's metric; others may be of the test part


class ParameterRefused(ValueError):
    """A parameter that the target does not have, or a value of the wrong type."""


def declared(spec: Spec) -> dict[str, Declared] | dict[str, Parameter]:
    """The parameters of the function or notebook that a trial runs.

    Raises:
        ParameterRefused: no such notebook, or `fixed` parameters that the function does not have.
        RegistryError: no such function.
    """
    if spec.function:
        try:
            return FUNCTIONS.load(spec.function).declared(spec.fixed)
        except ValueError as error:
            raise ParameterRefused(str(error)) from None
    path = paths.PROJECT / spec.notebook
    if not path.is_file():
        raise ParameterRefused(f"no notebook {spec.notebook}")
    return read_parameters(read_cells(path), spec.notebook)


def check_settings(target: str, known: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> None:
    """Raise for the first setting that the target does not have or whose value has the wrong type.

    Raises:
        ParameterRefused: names the most similar parameter, or the accepted types.
        recsys.runs.grid.parameters.ParameterError: the same for a notebook.
    """
    for name, value in settings.items():
        one = known.get(name)
        if one is None:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise ParameterRefused(
                f"{where}: {target} has no parameter '{name}'{hint} (it has: {', '.join(known)})"
            )
        if isinstance(one, Parameter):
            resolve(known, {name: value}, where)
        elif type(value) not in one.types:
            words = " or ".join(sorted(kind.__name__ for kind in one.types))
            raise ParameterRefused(
                f"{where}: '{name}' of {target} expects {words}, got {value!r} ({type(value).__name__})"
            )


def known_metrics(spec: Spec) -> list[str]:
    """Names of the validation metrics that a trial returns."""
    if spec.function:
        return list(FUNCTIONS.load(spec.function).metrics)
    own = [one for one in load_experiments().values() if one.notebook == spec.notebook]
    return sorted({metric for one in own for metric in one.metrics if VALIDATION in metric})


def completed(spec: Spec, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a trial: those searched, those fixed, and the target's defaults for the rest."""
    defaults = {name: one.default for name, one in declared(spec).items()}
    return defaults | spec.fixed | dict(settings)
