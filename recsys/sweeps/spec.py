"""Strict reading of a sweep's YAML file: mistakes are reported before any trial starts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from recsys.code.registry import RegistryError
from recsys.data import sources
from recsys.runs import paths
from recsys.runs.grid.parameters import ParameterError
from recsys.runs.strict_yaml import validated
from recsys.sweeps.declarations import ParameterRefused, check_settings, declared, known_metrics
from recsys.sweeps.functions.registry import FUNCTIONS
from recsys.training.hyperparameter_search.samplers import SAMPLERS
from recsys.training.hyperparameter_search.search import Budget, SearchError
from recsys.training.hyperparameter_search.spaces import Choice, Range, Real, SpaceError, read_space
from recsys.training.hyperparameter_search.trial import Trial

NAME = r"^[a-z0-9_]+$"  # of a sweep, and so of its folder
LEAST_MEMBERS = 4  # of a population: one is replaced, one is copied, two stand between

# columns of `recsys.sweeps.results.sweep_trials` and `sweep_reports` beside the settings and the metrics
COLUMNS = Trial.__dataclass_fields__.keys() - {"settings", "metrics"} | {"arm", "epoch", "donor"}


class SweepError(ValueError):
    """A sweep's file or a request about it is wrong; the message is one line that says how to fix it."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Objective(_Strict):
    """A metric and whether it is maximised or minimised."""

    metric: str
    direction: Literal["max", "min"] = "max"


class Method(_Strict):
    """A way of searching: a sampler, and what ends a trial early, or changes it half-way.

    grace, factor, most: of ASHA, in reports (epochs) of a trial: none is ended before `grace` of them, then
    the best of `factor` go on, to `most` at the latest.
    every, share: of PBT: after so many reports the worst share of the trials take over weights and settings
    of the best share, the settings changed a little.
    """

    sampler: str = "quasi_random"
    scheduler: Literal["none", "asha", "pbt"] = "none"
    grace: int = Field(default=1, ge=1)
    factor: int = Field(default=3, ge=2)
    most: int = Field(default=100, ge=1)
    every: int = Field(default=1, ge=1)
    share: float = Field(default=0.25, gt=0, le=0.5)

    @property
    def name(self) -> str:
        """Name in folders and plots."""
        return self.sampler if self.scheduler == "none" else f"{self.sampler}+{self.scheduler}"


class Limits(_Strict):
    """Limits of one trial; a trial that exceeds them is ended and counts as failed.

    seconds: wall time between two of its reports. memory_gb: GiB, its child processes included.
    """

    seconds: float = Field(default=600.0, gt=0)
    memory_gb: float = Field(default=4.0, gt=0)


class Needs(_Strict):
    """Resources that a trial requests from Ray."""

    threads: int = Field(default=1, ge=1)


class Spec(_Strict):
    """One sweep.

    Attributes:
        question: what the sweep is to answer.
        function, notebook: exactly one of a name of `recsys.sweeps.functions.registry` and a path (a
            notebook's metrics must have "validation" in their names).
        fixed: parameter → constant value. space: parameter → range or choices.
        objectives: the first one decides. budget: {"trials": n} or {"core_seconds": s} per method and repeat.
        methods: search methods to compare. repeats: of each method, with different seeds.
        first: settings tried before the sampler's; [{}]: the defaults. seed: of the samplers.
        limits, needs: of each trial.
        warm_start: sweeps whose trials the samplers get as history; they cost no budget and are never chosen.
    """

    name: str = Field(pattern=NAME)
    question: str
    function: str | None = None
    notebook: str | None = None
    fixed: dict[str, Any] = {}
    space: dict[str, Any]
    objectives: list[Objective] = Field(min_length=1)
    budget: dict[str, float]
    methods: list[Method] = Field(default=[Method()], min_length=1)
    repeats: int = Field(default=1, ge=1)
    first: list[dict[str, Any]] = [{}]
    seed: int = Field(default=0, ge=0)
    limits: Limits = Limits()
    needs: Needs = Needs()
    warm_start: list[Annotated[str, Field(pattern=NAME)]] = []

    @property
    def ranges(self) -> dict[str, Range]:
        return read_space(self.space)

    @property
    def allowed(self) -> Budget:
        trials = self.budget.get("trials")
        whole = int(trials) if trials is not None and float(trials).is_integer() else trials
        return Budget(trials=whole, core_seconds=self.budget.get("core_seconds"))

    @property
    def target(self) -> str:
        """Name of what a trial runs."""
        return self.function or self.notebook or ""


def find_spec(name: str) -> Path:
    """The file of a sweep, from its path or its name in experiments/sweeps.

    Raises:
        SweepError: there is none.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if path.is_file():
            return path
        raise SweepError(f"no file {name}")
    folder = paths.EXPERIMENTS / "sweeps"
    path = folder / f"{name}.yaml"
    if path.is_file():
        return path
    known = sorted(one.stem for one in folder.glob("*.yaml"))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise SweepError(f"no sweep '{name}'{hint} (there are: {', '.join(known) or 'none'})")


def load_spec(path: Path) -> Spec:
    """Read a file and check everything that can be checked without running a trial.

    Raises:
        SweepError: what is wrong, in one line, with the line number where a value or the YAML itself is
        wrong.
    """
    spec, _ = validated(Spec, path, SweepError)
    try:
        check(spec)
    except (SweepError, SpaceError, SearchError, RegistryError, ParameterRefused, ParameterError) as error:
        raise SweepError(f"{path.name}: {error}") from None
    if spec.name != path.stem:
        raise SweepError(f"{path.name}: its name is '{spec.name}'; name and file must agree")
    return spec


def check(spec: Spec) -> None:
    """Check names, types, ranges, metrics, methods and budget.

    Raises:
        SweepError, SpaceError, SearchError, RegistryError: the first mistake found.
    """
    if (spec.function is None) == (spec.notebook is None):
        raise SweepError("name either a function or a notebook that a trial runs")
    if unknown := set(spec.budget) - {"trials", "core_seconds"}:
        raise SweepError(f"budget: no {', '.join(sorted(unknown))}; it is trials or core_seconds")
    _ = spec.allowed
    ranges = spec.ranges
    _check_parameters(spec, ranges)
    for number, objective in enumerate(spec.objectives):
        known = known_metrics(spec)
        if objective.metric not in known:
            near = difflib.get_close_matches(objective.metric, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise SweepError(
                f"objectives.{number}: {spec.target} gives no validation metric '{objective.metric}'{hint} "
                f"(it gives: {', '.join(known)})"
            )
    metrics = [objective.metric for objective in spec.objectives]
    if len(set(metrics)) < len(metrics):
        raise SweepError(f"objectives: one stands twice: {', '.join(metrics)}")
    if len(set(spec.warm_start)) < len(spec.warm_start) or spec.name in spec.warm_start:
        raise SweepError(f"warm_start: other sweeps, each once, not {', '.join(spec.warm_start)}")
    names = [method.name for method in spec.methods]
    if len(set(names)) < len(names):
        raise SweepError(f"methods: one stands twice: {', '.join(names)}")
    for method in spec.methods:
        _check_method(spec, method, ranges)


def _check_parameters(spec: Spec, ranges: Mapping[str, Range]) -> None:
    if both := ranges.keys() & spec.fixed.keys():
        raise SweepError(f"{', '.join(sorted(both))}: both fixed and searched")
    if taken := sorted(ranges.keys() & {*COLUMNS, *known_metrics(spec)}):
        raise SweepError(
            f"{', '.join(taken)}: cannot be searched, because a sweep's tables have columns of that name; "
            "make a sweep for each of its values, with it under `fixed`"
        )
    known = declared(spec)
    check_settings(spec.target, known, spec.fixed, "fixed")
    searched = ranges.get("dataset")
    asked = [spec.fixed.get("dataset"), *(searched.values if isinstance(searched, Choice) else ())]
    for name in asked:
        try:
            if isinstance(name, str) and name != sources.DEMO_STORE:
                sources.get(name)
        except sources.RegistryError as error:
            raise SweepError(f"dataset: {error}") from None
    for name, one in ranges.items():
        values = one.values if isinstance(one, Choice) else (one.low, one.high)
        # 5 and 1000 in a file are whole numbers, what is drawn between them is not
        for value in map(float, values) if isinstance(one, Real) else values:
            check_settings(spec.target, known, {name: value}, "space")
    for settings in spec.first:
        if strange := settings.keys() - ranges.keys():
            raise SweepError(f"first: {', '.join(sorted(strange))} is not searched")
        check_settings(spec.target, known, settings, "first")


def _check_method(spec: Spec, method: Method, ranges: Mapping[str, Range]) -> None:
    SAMPLERS.check(method.sampler)
    if method.sampler == "grid" and (
        wrong := [name for name, one in ranges.items() if not isinstance(one, Choice)]
    ):
        raise SweepError(f"{', '.join(wrong)}: a grid needs choices, not ranges")
    if method.scheduler != "none" and spec.notebook:
        raise SweepError(f"{method.name}: a notebook reports nothing before its end, so nothing can stop it")
    if method.scheduler != "none" and len(spec.objectives) > 1:
        raise SweepError(f"{method.name}: a scheduler compares by one objective, there are several")
    if method.scheduler == "pbt":
        _check_population(spec, method, ranges)


def _check_population(spec: Spec, method: Method, ranges: Mapping[str, Range]) -> None:
    """Population-based training: the trials are one population, whose members all exist from the start."""
    if method.sampler not in ("random", "quasi_random"):
        raise SweepError(f"{method.name}: a population's first settings are drawn: random or quasi_random")
    if (spec.allowed.trials or 0) < LEAST_MEMBERS:
        raise SweepError(
            f"{method.name}: its budget is its members: trials, at least {LEAST_MEMBERS}, got {spec.budget}"
        )
    changeable = FUNCTIONS.load(spec.function).changeable
    if not ranges.keys() & set(changeable):
        known = f"it may change {', '.join(changeable)}" if changeable else "it cannot be saved half-way"
        raise SweepError(
            f"{method.name}: nothing of the space can change in a trial of {spec.target}: {known}"
        )
