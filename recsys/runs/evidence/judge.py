"""Verdicts from the records of the experiments' grids; finds criteria that no record could answer."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from recsys.runs import paths
from recsys.runs.evidence.claims import Claim, Claims
from recsys.runs.evidence.statistics.criterion import Criterion
from recsys.runs.evidence.statistics.policy import Policy, PolicyError, load_policy
from recsys.runs.evidence.verdicts import Verdict, verdicts
from recsys.runs.grid.experiment import PROFILES, Experiment
from recsys.runs.grid.parameters import Parameter, ParameterError, resolve
from recsys.runs.grid.plan import declared_parameters
from recsys.runs.records import Record
from recsys.runs.strict_yaml import line_of, read_yaml

OF_USERS = ("ndcg@", "hr@", "recall@", "mrr", "map")  # metrics that rank positions give per user


def judge(
    claims: Claims,
    records: list[Record],
    experiments: Mapping[str, Experiment],
    policy: Policy | None = None,
    known: Iterable[Record] = (),
) -> list[Verdict]:
    """A verdict on every claim, from records of the experiments' grids only.

    Args:
        records: of any origin; those that no grid contains are left out (see `grid_records`).
        experiments: by name.
        known: further records that show which metrics the experiments record, and count for nothing else.
    """
    policy = policy or load_policy()
    broken = broken_criteria(claims, experiments, [*records, *known], policy)
    return verdicts(claims, grid_records(records, experiments), policy, broken)


def grid_records(records: list[Record], experiments: Mapping[str, Experiment]) -> list[Record]:
    """Records that belong to a cell of some profile's grid, with any seed and the cell's number of threads.

    A single run with other parameters (`-p`) or `--threads` stays in the reader's folder and report, but does
    not count for criteria: beside the grid's run with the same seed it would be ambiguous.
    """
    return [r for r in records if r.experiment in experiments and _in_grid(r, experiments[r.experiment])]


def _in_grid(record: Record, experiment: Experiment) -> bool:
    declared, cells = _grid(_Hashable(experiment))
    # a parameter added to the notebook later had its default value; a removed one is ignored
    parameters = {name: record.parameters.get(name, p.default) for name, p in declared.items()}
    return (_key(parameters), record.threads) in cells


class _Hashable:
    """An experiment as a cache key, so that its grids are expanded once per process."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.text = experiment.model_dump_json()

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashable) and self.text == other.text


@functools.lru_cache(maxsize=128)
def _grid(key: _Hashable) -> tuple[dict[str, Parameter], set[tuple[str, int]]]:
    experiment = key.experiment
    declared = declared_parameters(experiment)
    defaults = {name: parameter.default for name, parameter in declared.items()}
    cells = set()
    for profile in PROFILES:
        for cell, needs in experiment.cells(profile):
            parameters = defaults | resolve(declared, cell, f"{experiment.name}.yaml")
            cells.add((_key(parameters), needs.threads))
    return declared, cells


def _key(parameters: Mapping[str, Any]) -> str:
    return repr(sorted((name, value) for name, value in parameters.items() if name != "seed"))


def broken_criteria(
    claims: Claims,
    experiments: Mapping[str, Experiment],
    records: Iterable[Record] = (),
    policy: Policy | None = None,
) -> dict[str, str]:
    """Criteria that no record could answer: what is wrong with them, by claim id.

    An experiment that does not exist, a parameter that its notebook lacks or a value of another type (text
    for a number), a metric that the policy does not know or that no run of the experiment records.
    """
    policy = policy or load_policy()
    recorded: dict[str, set[str]] = {}
    for record in records:
        recorded.setdefault(record.experiment, set()).update(record.metrics)
    found = {}
    for claim in claims.claims:
        for number, criterion in enumerate(claim.criteria):
            problem = _problem(claim, criterion, experiments, recorded, policy)
            if problem:
                found[claim.id] = f"{_place(claim, number, experiments)}: {problem}"
                break
    return found


def _problem(
    claim: Claim,
    criterion: Criterion,
    experiments: Mapping[str, Experiment],
    recorded: Mapping[str, set[str]],
    policy: Policy,
) -> str | None:
    for part in criterion.expand():
        for side, (name, parameters) in part.sides(claim.experiment).items():
            if name not in experiments:
                return f"there is no experiment '{name}'"
            try:
                resolve(declared_parameters(experiments[name]), parameters, side)
                policy.family(part.metric, parameters)
            except (ParameterError, PolicyError) as error:
                return str(error)
            known = {*experiments[name].metrics, *recorded.get(name, ())}
            if criterion.pair == "user" and not criterion.metric.startswith(OF_USERS):
                return f"'{criterion.metric}' is not known user by user: pair by seed"
            if criterion.pair == "seed" and criterion.metric not in known:
                return f"no run of {name} records the metric '{criterion.metric}'"
    return None


def _place(claim: Claim, number: int, experiments: Mapping[str, Experiment]) -> str:
    """File and line of a criterion, where the claim came from a file."""
    known = experiments.get(claim.experiment)
    notebook = Path(known.notebook).stem if known else claim.experiment
    path = paths.EXPERIMENTS / "claims" / f"{notebook}.yaml"
    if not path.is_file():
        return f"{claim.id}, criterion {number + 1}"
    tree = read_yaml(path, ValueError)
    for index, entry in enumerate(tree.get("claims") or []):
        if entry.get("id") == claim.id:
            line = line_of(tree, ("claims", index, "criteria", number))
            return f"claims/{path.name}, line {line}: {claim.id}"
    return f"claims/{path.name}: {claim.id}"
