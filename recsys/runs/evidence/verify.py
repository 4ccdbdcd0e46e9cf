"""`recsys verify`: checks the committed numbers for consistency.

Without re-running: checksums of values and files, ranking metrics recomputed from the committed rank
positions, every number in prose, the claims' states, that every commit exists, and which records are older
than their code. With re-running: records are repeated at their own commits.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from recsys.runs import paths
from recsys.runs.checksums import altered, values
from recsys.runs.evidence.documents import findings_page, readme
from recsys.runs.evidence.documents.prose import quoted_numbers
from recsys.runs.evidence.publish import COST, cost
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.grid.fingerprint import change_since, sha256_of_file
from recsys.runs.grid.git import missing_commits
from recsys.runs.records import PROVENANCE, Record, RecordFileError, load_records, not_whole
from recsys.runs.side_by_side import side_by_side

ACCURACY = "accuracy"  # for classes: whether the true class is ranked first
# Metrics come from the same float64 code: only the order of summation may differ between machines.
RELATIVE_TOLERANCE = 1e-9


def verify_all(rerun: int = 0, say: Callable[[str | Table], None] = print) -> tuple[list[str], int]:
    """Check everything that is committed.

    Args:
        rerun: number of experiments whose cheapest record is repeated at its own commit.
        say: called with progress messages and tables (rich.print, say).

    Returns:
        The problems, each naming its number, and how many numbers were checked.
    """
    from recsys.runs.evidence.claims import load_claims
    from recsys.runs.evidence.judge import judge
    from recsys.runs.evidence.stored import check_states
    from recsys.runs.grid.experiment import load_experiments

    reference = load_records(paths.REFERENCE)
    problems: list[str] = unreadable(paths.REFERENCE)
    checked = 0
    for record in reference:
        found, count = check_record(record)
        problems += found
        checked += count
    say(f"{len(reference)} committed records: every value, files, metrics computed again from ranks")
    lost = missing_commits(record.code["commit"] or "none" for record in reference)
    problems += [
        f"{r.name}: commit {r.code['commit']} is not in this repository"
        for r in reference
        if r.code["commit"] is None or r.code["commit"] in lost
    ]
    (changed,) = standing(reference)
    say(f"{len(reference) - len(changed)} of {len(reference)} records are current")
    if changed:
        say(changed_table(reference, changed))
    for path in sorted(paths.REFERENCE.glob(f"*/{COST}")):
        stated = _read_json(path, problems)
        summed = cost([record for record in reference if record.experiment == path.parent.name])
        problems += [
            f"{path.parent.name}/{COST}: {name} is {stated.get(name)}, its records add up to {value}"
            for name, value in summed.items()
            if stated.get(name) != value
        ]
        checked += len(summed)
    for path in sorted((paths.REFERENCE / "drills").glob("*.json")):
        drill = _read_json(path, problems)
        problems += [f"drills/{path.name}: {problem}" for problem in altered(drill)]
        checked += sum(1 for _ in values(drill))
    problems += findings_page.problems(reference) + readme.problems(reference)
    quoted = quoted_numbers()
    problems += [problem for number in quoted if (problem := number.problem())]
    say(f"{len(quoted)} numbers in README and notebooks compared with their records")
    claims = load_claims()
    problems += check_states(judge(claims, reference, load_experiments()))
    say(f"{len(claims.claims)} claims: states computed again from the records")
    if rerun:
        problems += check_reruns(reference, rerun, say)
    return problems, checked + len(quoted) + rerun


def _read_json(path: Path, problems: list[str]) -> dict[str, Any]:
    """A JSON object; {} where it is none, which is added to the problems."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(whole, dict):
            return whole
        told = "no JSON object"
    except (OSError, ValueError, RecursionError) as error:
        told = type(error).__name__
    problems.append(f"{path.parent.name}/{path.name}: cannot be read ({told}): take it from git again")
    return {}


def unreadable(folder: Path) -> list[str]:
    """Record files that cannot be read, and would otherwise silently be left out; folders without one; links,
    which lead elsewhere on another machine."""
    runs = [path for path in sorted(folder.glob("*/*")) if path.is_dir() and not path.name.startswith(".")]
    problems = []
    for run in runs:
        place = f"{run.parent.name}/{run.name}"
        if not (run / "record.json").exists():
            problems.append(f"{place}: holds no record.json")
        elif why := not_whole(run):
            problems.append(f"{place}/record.json: is no whole record ({why})")
        links = [path for path in (run.parent, run, *sorted(run.iterdir())) if path.is_symlink()]
        problems += [f"{place}: {path.name} is a link, not a file of its own" for path in links]
    return problems


def check_record(record: Record) -> tuple[list[str], int]:
    """Check a record's files by their checksums, and recompute its ranking metrics from its positions."""
    from recsys.metrics.ranking import ranking_metrics

    name = f"{record.experiment}/{record.run}"
    problems = [f"{name}: {problem}" for problem in altered(record.raw)]
    if (record.experiment, record.run) != (record.folder.parent.name, record.folder.name):
        problems.append(f"{name}: lies in {record.folder.parent.name}/{record.folder.name}")
    if record.provenance() is None:
        problems.append(f"{name}: its provenance {record.code[PROVENANCE]} is missing, or was altered")
    # a table that stands in the folder would be read for verdicts, whether or not the run recorded it
    further = {path.name for path in record.folder.glob("*.parquet")} - record.files.keys()
    problems += [f"{name}: {file} is not among the files that were recorded" for file in sorted(further)]
    for file, recorded in record.files.items():
        path = record.folder / file
        if not path.is_file():
            problems.append(f"{name}: {file} is missing")
        elif sha256_of_file(path) != recorded:
            problems.append(f"{name}: {file} is not the file that was recorded (sha256 differs)")
    counted = len(record.files) + sum(1 for _ in values(record.raw))
    try:
        positions = record.positions()
    except RecordFileError as error:
        return [*problems, str(error)], counted
    if positions is None:
        return problems, counted
    cutoffs = sorted({int(metric.rpartition("@")[2]) for metric in record.metrics if _is_cut_off(metric)})
    again, _ = ranking_metrics(positions, cutoffs=tuple(cutoffs or (10,)))
    compared = [metric for metric in record.metrics if metric in again]
    for metric in compared:
        recorded, computed = record.metrics[metric], again[metric]
        if abs(recorded - computed) > RELATIVE_TOLERANCE * max(abs(recorded), abs(computed)):
            problems.append(f"{name}: {metric} is recorded as {recorded:.8g}, its ranks give {computed:.8g}")
    if (accuracy := record.metrics.get(ACCURACY)) is not None:
        compared.append(ACCURACY)
        # for tied outputs it is not recorded which class was predicted
        first, least = positions["better"] == 0, (positions["better"] + positions["equal"]) == 0
        if not least.mean() - 1e-9 <= accuracy <= first.mean() + 1e-9:
            told = f"between {least.mean():.8g} and {first.mean():.8g}"
            problems.append(f"{name}: {ACCURACY} is recorded as {accuracy:.8g}, its ranks give {told}")
    return problems, counted + len(compared)


def _is_cut_off(metric: str) -> bool:
    name, at, number = metric.rpartition("@")
    return bool(at) and number.isdigit() and name in ("hr", "recall", "ndcg")


def standing(*sets: Iterable[Record]) -> list[dict[str, str]]:
    """What has changed since each record was made, by its name; without those that are current.

    Args:
        sets: of records, e.g. the committed ones and the user's. Together, because reading the modules takes
            longer than comparing.

    Returns:
        For each set.
    """
    experiments = load_experiments()

    def of_one(task: tuple[int, list[Record]]) -> dict[str, str]:
        changed = {}
        for record in task[1]:
            known = experiments.get(record.experiment)
            if known is None:
                changed[record.name] = f"there is no experiment {record.experiment} any more"
            elif reason := change_since(record.raw, record.provenance(), known.metrics):
                changed[record.name] = reason
        return changed

    tasks = [
        (number, list(records))
        for number, one in enumerate(sets)
        for _, records in groupby(sorted(one, key=lambda r: r.name), lambda r: r.experiment)
    ]
    found: list[dict[str, str]] = [{} for _ in sets]
    for (number, _), changed in zip(tasks, side_by_side(of_one, tasks), strict=True):
        found[number] |= changed
    return found


def changed_table(reference: Iterable[Record], changed: Mapping[str, str]) -> Table:
    """One row for each experiment with records older than their code: how many are current, and what changed.

    Args:
        changed: from `standing`.
    """
    table = Table("experiment", "records", "current", "older", "what changed since", title="Older records")
    for column in table.columns[1:4]:
        column.justify = "right"
    for experiment, records in groupby(
        sorted(reference, key=lambda one: one.name), lambda one: one.experiment
    ):
        names = [record.name for record in records]
        reasons = Counter(changed[name] for name in names if name in changed)
        for place, (why, number) in enumerate(reasons.most_common()):
            counted = (str(len(names)), str(len(names) - reasons.total())) if place == 0 else ("", "")
            table.add_row(experiment if place == 0 else "", *counted, str(number), escape(why))
    return table


def other_seeds(record: Record, reference: Iterable[Record]) -> list[Record]:
    """Records that differ from `record` only in their seed."""

    def cell(one: Record) -> tuple:
        return one.experiment, one.threads, {k: repr(v) for k, v in one.parameters.items() if k != "seed"}

    return [one for one in reference if cell(one) == cell(record) and one.run != record.run]


def check_reruns(reference: list[Record], count: int, say: Callable[[str], None]) -> list[str]:
    """Repeat the cheapest record of `count` experiments at its own commit (`recsys.runs.evidence.rerun`)."""
    from recsys.runs.evidence.rerun import RerunError, rerun

    lost = missing_commits(record.code["commit"] or "" for record in reference)
    cheapest: dict[str, Record] = {}
    for record in sorted(reference, key=lambda record: record.seconds):
        if record.code["commit"] not in lost:
            cheapest.setdefault(record.experiment, record)
    problems = []
    for record in sorted(cheapest.values(), key=lambda record: record.seconds)[:count]:
        try:
            repeated = rerun(record, other_seeds(record, reference))
        except RerunError as error:
            problems.append(str(error))
            continue
        say(f"{record.name}: {repeated.words()}")
        if not repeated.ok:
            problems.append(f"{record.name}: {repeated.words()}")
    return problems
