"""Copies finished reference runs into experiments/reference and recomputes the claims' states."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from recsys.runs import paths
from recsys.runs.checksums import CHECKSUMS, altered, with_checksums
from recsys.runs.evidence.claims import load_claims
from recsys.runs.evidence.judge import judge
from recsys.runs.evidence.stored import update_states
from recsys.runs.grid.experiment import Experiment, choose, load_experiments
from recsys.runs.grid.fingerprint import change_since, sha256_of_file
from recsys.runs.grid.git import missing_commits
from recsys.runs.grid.plan import PlannedRun, plan
from recsys.runs.records import PROVENANCE, Record, load_records, provenance_in

COST = "cost.json"
PUBLISHED_PROFILES = ("reference", "full")


class PublishError(ValueError):
    """Runs cannot be published from this folder."""


def publish_reference(
    names: list[str], runs: Path, reference: Path | None = None, *, prune: bool = False
) -> Iterator[str]:
    """Copy record.json and its tables, but not the executed notebook, which may contain local paths.

    Args:
        names: experiments; all when empty.
        runs: folder of the runs.
        reference: where to (default experiments/reference).
        prune: remove published records that the grid no longer contains, or whose provenance is lost;
            otherwise they are only named.

    Yields:
        One line for each record: copied, or why not; then one for each claim whose state changed.

    Raises:
        FileNotFoundError: `runs` is no folder.
        PublishError: `runs` is the folder of the published records or one in it: their checksums would be
            written anew, whatever was edited since.
    """
    reference = reference or paths.REFERENCE
    if runs.resolve().is_relative_to(reference.resolve()):
        raise PublishError(f"{runs} holds published records: give the folder of your runs with --runs")
    runs = paths.given_runs(runs)
    for experiment in choose(load_experiments(), names):
        yield from _publish(experiment, runs, reference, prune)
    yield from _provenance_without_records(reference, prune)
    for change in update_states(judge(load_claims(), load_records(reference), load_experiments())):
        yield f"verdicts.json: {change}"


def _publish(experiment: Experiment, runs: Path, reference: Path, prune: bool) -> Iterator[str]:
    planned = [one for profile in PUBLISHED_PROFILES for one in plan([experiment], profile, runs=runs)]
    grid = {one.name: one for one in planned}
    found = load_records(runs, experiment.name)
    found = [one for one in found if one.profile in PUBLISHED_PROFILES and one.run in grid]
    lost = missing_commits(one.code["commit"] for one in found if one.code["commit"])
    taken = 0
    for record in found:
        refusal = _refusal(record, grid[record.run], lost)
        if refusal:
            yield f"{record.name}: left out, {refusal}"
            continue
        _copy(record, reference)
        taken += 1
    yield f"{experiment.name}: {taken} records published"
    for old in load_records(reference, experiment.name):
        if old.run in grid:
            continue
        if prune:
            old.folder.unlink() if old.folder.is_symlink() else shutil.rmtree(old.folder)
            yield f"{old.name}: removed, the grid no longer holds it"
        else:
            yield f"{old.name}: kept, though the grid no longer holds it; --prune would remove it"
    if published := load_records(reference, experiment.name):
        _write(reference / experiment.name / COST, json.dumps(cost(published), indent=1) + "\n")


def _provenance_without_records(reference: Path, prune: bool) -> Iterator[str]:
    used = {record.code[PROVENANCE] for record in load_records(reference)}
    for path in sorted((reference / PROVENANCE).glob("*.json")):
        if path.stem not in used and prune:
            path.unlink()
            yield f"{PROVENANCE}/{path.name}: removed, no record names it"


def cost(records: list[Record]) -> dict[str, float]:
    """Cost of reference records: number of runs, and core minutes.

    Processor time as recorded; for older records without it seconds × threads, an upper bound.
    """
    core_seconds = sum(record.raw.get("core_seconds", record.seconds * record.threads) for record in records)
    return {"runs": len(records), "core_minutes": round(core_seconds / 60, 1)}


def _refusal(record: Record, planned: PlannedRun, lost: set[str]) -> str | None:
    commit = record.code["commit"]
    if (record.experiment, record.run) != (record.folder.parent.name, record.folder.name):
        return f"it lies in {record.folder.parent.name}/{record.folder.name}"
    # the run's name is a hash of what was asked for
    asked = (planned.parameters, planned.parameters.get("seed"), planned.needs.threads)
    if (record.parameters, record.seed, record.threads) != asked:
        return "its parameters, seed or threads are not those that it is named after"
    if CHECKSUMS in record.raw and (edited := altered(record.raw)):
        return f"it was edited after it was published: {edited[0]}"
    if record.code["dirty"] or commit is None:
        return "made from uncommitted code"
    if commit in lost:
        return f"its commit {commit[:8]} is not in this repository"
    if own := [v for v in record.parameters.values() if isinstance(v, str) and v.startswith(("/", "~"))]:
        return f"it read {own[0]}, which lies on this machine alone"
    for name, recorded in record.files.items():
        path = record.folder / name
        if not path.is_file() or sha256_of_file(path) != recorded:
            return f"{name} beside it is not the file that was recorded"
    runs = record.folder.parents[1]
    changed = change_since(record.raw, record.provenance(), planned.experiment.metrics, runs)
    return f"out of date: {changed}" if changed else None


def _copy(record: Record, reference: Path) -> None:
    """Copy a record atomically: a kill or a full disk leaves the old one."""
    target = reference / record.experiment / record.run
    beside, old = (target.with_name(f".{target.name}.{word}") for word in ("part", "old"))
    if old.exists() and not target.exists():  # an earlier publish was killed at this point
        old.rename(target)
    for left in (beside, old):
        shutil.rmtree(left, ignore_errors=True)
    shared = reference / PROVENANCE / f"{record.code[PROVENANCE]}.json"
    if provenance_in(shared, record.code[PROVENANCE]) is None:  # before the record that names it
        _write(shared, json.dumps(record.provenance(), indent=0) + "\n")
    try:
        beside.mkdir(parents=True)
        for name in record.files:
            shutil.copyfile(record.folder / name, beside / name)
        text = json.dumps(with_checksums(record.raw), indent=1, ensure_ascii=False) + "\n"
        (beside / "record.json").write_text(text, encoding="utf-8")
        if target.is_symlink():
            target.unlink()
        elif target.exists():  # a non-empty folder cannot be replaced by a rename, so it is renamed away
            target.rename(old)
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _write(path: Path, text: str) -> None:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
