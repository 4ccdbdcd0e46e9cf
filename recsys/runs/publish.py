"""Copies finished reference runs into experiments/reference and computes the claims' states again."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from recsys.runs import paths
from recsys.runs.evidence.claims import load_claims
from recsys.runs.evidence.judge import judge
from recsys.runs.evidence.stored import update_states
from recsys.runs.experiment import choose, load_experiments
from recsys.runs.fingerprint import change_since
from recsys.runs.plan import plan
from recsys.runs.records import Record, load_records
from recsys.runs.seal import sealed

COST = "cost.json"
PUBLISHED_PROFILES = ("reference", "full")


def publish_reference(names: list[str], runs: Path, reference: Path | None = None) -> Iterator[str]:
    """Copy record.json and its tables; the executed notebook stays behind (it may show paths).

    Args:
        names: experiments; all when empty.
        runs: folder of the runs.
        reference: where to (default experiments/reference).

    Yields:
        One line for each record: taken, or why not; then one for each claim whose state changed.
    """
    reference = reference or paths.REFERENCE
    for experiment in choose(load_experiments(), names):
        grid = {one.name for profile in PUBLISHED_PROFILES for one in plan([experiment], profile, runs=runs)}
        taken: set[str] = set()
        for record in load_records(runs, experiment.name):
            if record.profile not in PUBLISHED_PROFILES or record.run not in grid:
                continue
            refusal = _refusal(record)
            if refusal:
                yield f"{experiment.name}/{record.run}: left out, {refusal}"
                continue
            _copy(record, reference / experiment.name / record.run)
            taken.add(record.run)
        yield f"{experiment.name}: {len(taken)} records published"
        for old in load_records(reference, experiment.name):
            if old.run not in grid:
                shutil.rmtree(old.folder)
                yield f"{experiment.name}/{old.run}: removed, the grid no longer holds it"
        if published := load_records(reference, experiment.name):
            text = json.dumps(cost(published), indent=1) + "\n"
            (reference / experiment.name / COST).write_text(text, encoding="utf-8")
    for change in update_states(judge(load_claims(), load_records(reference), load_experiments())):
        yield f"verdicts.json: {change}"


def cost(records: list[Record]) -> dict[str, float]:
    """What a reference cost: number of runs, and minutes of one core.

    Processor time as recorded; of records from before it was, seconds × threads, which is more.
    """
    core_seconds = sum(record.raw.get("core_seconds", record.seconds * record.threads) for record in records)
    return {"runs": len(records), "core_minutes": round(core_seconds / 60, 1)}


def _refusal(record: Record) -> str | None:
    if record.code["dirty"] or record.code["commit"] is None:
        return "made from uncommitted code"
    changed = change_since(record.raw)
    return f"out of date: {changed}" if changed else None


def _copy(record: Record, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in record.files:
        shutil.copyfile(record.folder / name, target / name)
    text = json.dumps(sealed(record.raw), indent=1, ensure_ascii=False) + "\n"
    (target / "record.json").write_text(text, encoding="utf-8")
