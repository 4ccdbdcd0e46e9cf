"""Plans a command: every cell of the chosen grids, with checked parameters, and whether it is up to date."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.runs import paths
from recsys.runs.grid.experiment import EMBEDDED_DATA, PROFILES, Experiment, Needs
from recsys.runs.grid.fingerprint import change_since, run_hash
from recsys.runs.grid.notebook_cells import read_cells
from recsys.runs.grid.parameters import Parameter, ParameterError, read_parameters, resolve
from recsys.runs.records import Record, not_whole, read_record

DATA_CHOICES = ("demo", "real", "all")


@dataclass
class PlannedRun:
    """One cell of a grid, with every parameter resolved."""

    experiment: Experiment
    profile: str
    parameters: dict[str, Any]
    label: str  # differences from the notebook's defaults, for display
    needs: Needs
    folder: Path
    reason: str | None  # why it has to run; None when its record is up to date
    seconds_before: float | None = None  # how long it took last time
    unavailable: str | None = None  # why its data can't be obtained

    @property
    def name(self) -> str:
        """The run's name: its folder's."""
        return self.folder.name

    @property
    def dataset(self) -> str | None:
        """Its data set; None for a notebook without that parameter."""
        return self.parameters.get("dataset")


def plan(
    experiments: Iterable[Experiment],
    profile: str,
    *,
    data: str = "all",
    seeds: list[int] | None = None,
    overrides: Mapping[str, str] | None = None,
    defaults: bool = False,
    threads: int | None = None,
    runs: Path | None = None,
) -> list[PlannedRun]:
    """Expand grids, check parameters, compare with existing records; nothing is started.

    Args:
        profile: "smoke", "quick", "reference" or "full".
        data: "demo" keeps cells on generated data, "real" those on real data; cells whose notebook has no
            `dataset` parameter are in both.
        seeds: replace the grid's seeds.
        overrides: parameter → text from the command line; replace the grid's values.
        defaults: one run of each notebook with its own values instead of the profile's grid.
        threads: replace the experiments' threads.
        runs: the folder of the runs (default experiments/runs).

    Raises:
        ParameterError: a grid key or an override that a notebook lacks, or a value of the wrong type; a seed
            by `seeds` and by `overrides`.
    """
    if seeds is not None and "seed" in (overrides or {}):
        raise ParameterError("the seed is given twice, by --seed and by -p seed: give it once")
    planned: dict[Path, PlannedRun] = {}
    for experiment in experiments:
        declared = declared_parameters(experiment)
        asked = resolve(declared, overrides or {}, f"-p ({experiment.notebook})", as_text=True)
        for cell, needs in [({}, experiment.needs)] if defaults else experiment.cells(profile):
            source = f"{experiment.name}.yaml, profile {profile}"
            cell = resolve(declared, cell, source) | asked
            for seed in seeds if seeds is not None else [None]:
                chosen = cell | ({} if seed is None else resolve(declared, {"seed": seed}, "--seed"))
                if not _wanted(with_defaults(declared, chosen), data):
                    continue
                if threads:
                    needs = needs.model_copy(update={"threads": threads})
                run = _planned_run(experiment, profile, declared, chosen, needs, runs or paths.RUNS)
                planned[run.folder] = run
    return list(planned.values())


def declared_parameters(experiment: Experiment) -> dict[str, Parameter]:
    """The parameters of an experiment's notebook."""
    path = paths.PROJECT / experiment.notebook
    if not path.is_file():
        raise ParameterError(f"{experiment.name}.yaml names {experiment.notebook}, which does not exist")
    return read_parameters(read_cells(path), experiment.notebook)


def with_defaults(declared: Mapping[str, Parameter], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of a run: what was chosen, and the notebook's own values for the rest."""
    return {name: parameter.default for name, parameter in declared.items()} | dict(chosen)


def _wanted(parameters: Mapping[str, Any], data: str) -> bool:
    if data == "all" or "dataset" not in parameters:
        return True
    return (parameters["dataset"] in EMBEDDED_DATA) == (data == "demo")


def _why_not_enough(record: Record, profile: str) -> str | None:
    """Why an up-to-date record does not count for a run of this profile, by which records are filtered."""
    published = profile in ("reference", "full")
    if PROFILES.index(record.profile) < PROFILES.index(profile) and (record.profile == "smoke" or published):
        return f"recorded under the {record.profile} profile"
    if published and record.code["dirty"]:
        return "made from uncommitted code"
    return None


def _planned_run(
    experiment: Experiment,
    profile: str,
    declared: Mapping[str, Parameter],
    chosen: Mapping[str, Any],
    needs: Needs,
    runs: Path,
) -> PlannedRun:
    parameters = with_defaults(declared, chosen)
    different = {name: value for name, value in parameters.items() if value != declared[name].default}
    label = ", ".join(f"{name}={value}" for name, value in different.items()) or "defaults"
    identity = run_hash(experiment.name, experiment.notebook, parameters, needs.threads)
    slug = re.sub(r"[^A-Za-z0-9.=_-]+", "_", label.replace(", ", "-"))[:60].strip("._-")
    folder = runs / experiment.name / f"{slug}-{identity}"
    record = read_record(folder)
    if record is None:
        failed = folder.with_name(folder.name + ".failed").is_dir()
        broken = not_whole(folder)
        reason = f"its record is not whole ({broken})" if broken else "not run yet"
        reason = "failed last time" if failed else reason
    else:
        changed = change_since(record.raw, record.provenance(), experiment.metrics, runs)
        reason = changed or _why_not_enough(record, profile)
    seconds = record.seconds if record else None
    return PlannedRun(experiment, profile, parameters, label, needs, folder, reason, seconds)
