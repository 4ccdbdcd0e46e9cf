"""A trial that runs a notebook with papermill; its folder holds a record like that of any other run.

If there is an up-to-date run of the same notebook, parameters and threads, its record is used instead. Only
metrics with "validation" in their names reach the search.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recsys.runs import paths
from recsys.runs.execution.worker import Request, execute
from recsys.runs.grid.fingerprint import change_since, run_hash
from recsys.runs.records import read_record
from recsys.sweeps.declarations import VALIDATION


class NotebookFailed(RuntimeError):
    """The notebook ended without a record."""


def run_notebook(asked: dict[str, Any]) -> tuple[dict[str, float], float]:
    """Execute the notebook, or read its record if that is up to date.

    Returns:
        Its validation metrics, and the core seconds of its record, also of one made earlier: what a setting
        costs must not depend on which method tried it first.

    Args:
        asked: notebook, settings (every parameter), threads, folder (of the sweep's runs), sweep (its name),
            metrics (that the record must hold), environment (variables).

    Raises:
        NotebookFailed: with the reason and the cell.
    """
    name = f"trial-{run_hash(asked['sweep'], asked['notebook'], asked['settings'], asked['threads'])}"
    folder = Path(asked["folder"]) / name
    record = read_record(folder)
    if record is None or change_since(record.raw, record.provenance(), asked["metrics"]):
        folder.parent.mkdir(parents=True, exist_ok=True)
        outcome = execute(
            Request(
                project=str(paths.PROJECT),
                folder=str(folder),
                experiment=asked["sweep"],
                run=name,
                profile="quick",
                notebook=asked["notebook"],
                parameters=asked["settings"],
                threads=asked["threads"],
                metrics=asked["metrics"],
                environment=asked["environment"],
            )
        )
        if not outcome.ok:
            where = f" in cell {outcome.cell}" if outcome.cell else ""
            raise NotebookFailed(f"{outcome.reason}{where}")
        record = read_record(folder)
    kept = {key: value for key, value in record.metrics.items() if VALIDATION in key}
    return kept, float(record.raw["core_seconds"])
