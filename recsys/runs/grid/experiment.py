"""Experiments: strict reading of the YAML files in experiments/, and the cells of their grids."""

import difflib
import importlib.util
import itertools
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from recsys.runs import paths
from recsys.runs.strict_yaml import validated

PROFILES = ("smoke", "quick", "reference", "full")
EMBEDDED_DATA = (None, "demo_store", "planted")  # data sets that the package itself generates


class ExperimentError(ValueError):
    """An experiment file, or the choice of experiments, is wrong."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Needs(_Strict):
    """Resources of one run, requested from Ray."""

    threads: int = Field(default=1, ge=1)
    memory_gb: float = Field(default=1.0, gt=0)
    gpus: float = Field(default=0, ge=0)


class Plot(_Strict):
    """Definition of the comparison plot: `metric` against `x`, one colour per `hue`, one scale per `panel`.

    Without x each cell is labelled by its differences from the most common settings.
    """

    metric: str
    x: str | None = None
    hue: str | None = None
    panel: str | None = None


class Cells(_Strict):
    """A block of a grid: the Cartesian product over `grid`, each combined with `fixed`.

    Where a name stands under both, the grid's values count: blocks can share what is fixed by a YAML anchor.
    """

    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = {}
    fixed: dict[str, Any] = {}
    needs: Needs | None = None

    def expand(self) -> Iterator[dict[str, Any]]:
        """The parameters of every cell."""
        for values in itertools.product(*self.grid.values()):
            yield {**self.fixed, **dict(zip(self.grid, values, strict=True))}


class Profile(_Strict):
    """The grid of one profile (smoke, quick, reference or full): the union of its blocks."""

    cells: list[Cells]


class Experiment(_Strict):
    """One experiment: a notebook, the question it answers, its grids and what every run must record."""

    name: str = Field(pattern=r"^[0-9]{2}[a-z0-9_]*$")
    notebook: str
    question: str
    claims: list[str] = []
    metrics: list[str] = Field(min_length=1)
    primary_metric: str
    plot: Plot | None = None
    needs: Needs = Needs()
    packages: list[str] = Field(default=[], description="importable names of extras that its notebook needs")
    budget: dict[str, str] = {}
    profiles: dict[str, Profile]

    def missing_packages(self) -> list[str]:
        """Its required extra packages that are not installed."""
        return [name for name in self.packages if importlib.util.find_spec(name) is None]

    def cells(self, profile: str) -> Iterator[tuple[dict[str, Any], Needs]]:
        """(parameters asked for, resources) of every run of a profile, duplicates dropped."""
        seen = set()
        for block in self.profiles[profile].cells if profile in self.profiles else []:
            for parameters in block.expand():
                key = repr(sorted(parameters.items()))
                if key not in seen:
                    seen.add(key)
                    yield parameters, block.needs or self.needs


def load_experiment(path: Path) -> Experiment:
    """Read and check one file.

    Raises:
        ExperimentError: with file and line: unreadable YAML, a duplicate, unknown or missing key, an
            unknown profile.
    """
    return _checked(path, path.read_bytes() if path.is_file() else b"")


@lru_cache(maxsize=256)
def _checked(path: Path, content: bytes) -> Experiment:
    """The experiment in a file of that content: parsing all takes over a second, and a command asks often."""
    experiment, _ = validated(Experiment, path, ExperimentError)
    if experiment.name != path.stem:
        raise ExperimentError(f"{path.name}: its name is '{experiment.name}'; name and file must agree")
    unknown = set(experiment.profiles) - set(PROFILES)
    if unknown:
        raise ExperimentError(f"{path.name}: unknown profile {unknown}; there are {', '.join(PROFILES)}")
    if experiment.primary_metric not in experiment.metrics:
        raise ExperimentError(f"{path.name}: primary_metric must be one of its metrics")
    if experiment.plot and experiment.plot.metric not in experiment.metrics:
        near = difflib.get_close_matches(experiment.plot.metric, experiment.metrics, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ExperimentError(
            f"{path.name}: the plot's metric '{experiment.plot.metric}' is none of its metrics{hint}"
        )
    return experiment


def load_experiments(folder: Path | None = None) -> dict[str, Experiment]:
    """All experiments of a folder (default: the project's), by name.

    Raises:
        ExperimentError: see `load_experiment`.

    Example:
        >>> experiments = load_experiments()
        >>> experiments["00_data_and_splits"].primary_metric
        'ndcg@10'
    """
    folder = folder or paths.EXPERIMENTS
    files = sorted(p for p in folder.glob("[0-9]*.yaml"))
    return {experiment.name: experiment for experiment in map(load_experiment, files)}


def choose(experiments: dict[str, Experiment], wanted: list[str]) -> list[Experiment]:
    """The experiments with the given names or leading words (02, 02_text); all when none is given.

    A whole name chooses that experiment alone, not those whose names go on from it.

    Raises:
        ExperimentError: no experiment of that name, or none at all.
    """
    if not experiments:
        raise ExperimentError(
            f"no experiments in {paths.EXPERIMENTS}: call recsys inside a checkout of the kit"
        )
    if not wanted:
        return list(experiments.values())
    chosen = []
    for name in wanted:
        family = [e for key, e in experiments.items() if key.startswith(f"{name}_")]
        matches = [experiments[name]] if name in experiments else family
        if not matches:
            begun = [key for key in experiments if key.startswith(name)]  # cut short: 02_bert
            near = begun or difflib.get_close_matches(name, experiments, n=1, cutoff=0.5)
            hint = f"; did you mean '{near[0]}'?" if near else f". There are {', '.join(experiments)}"
            raise ExperimentError(f"no experiment '{name}'{hint}")
        chosen += [match for match in matches if match not in chosen]
    return chosen
