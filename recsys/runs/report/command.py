"""The work of `recsys report`, without the parsing of its options."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsys.runs import paths
from recsys.runs.evidence.claims import load_claims
from recsys.runs.evidence.judge import judge
from recsys.runs.evidence.preregistration import confirming_records, histories
from recsys.runs.evidence.verify import standing
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.record_shape import FileName
from recsys.runs.records import load_records
from recsys.runs.report.pages import write_report
from recsys.runs.report.verdicts import DECIDED, effect, totals, verdict_rows
from recsys.runs.side_by_side import side_by_side

WIDE = 150  # columns of a terminal


class _Entry(BaseModel):
    """What became of one run; its names become paths."""

    model_config = ConfigDict(strict=True)

    experiment: FileName
    run: FileName
    label: str
    state: str
    reason: str
    cell: int | None = None


class _Summary(BaseModel):
    runs: list[_Entry]


def report_command(console: Console, out: Path, runs: Path) -> None:
    """Write the site; print the verdict table, its totals, what failed, and where to read on."""
    experiments = load_experiments()
    own = [record for record in load_records(paths.given_runs(runs)) if record.profile != "smoke"]
    reference = load_records(paths.REFERENCE)
    failures = [entry for entry in _read_last(console, runs) if entry["state"] in ("failed", "not run")]
    claims = load_claims()
    asked = [(reference, []), (own, reference), (confirming_records(reference), reference)]
    *judged, confirming = side_by_side(lambda one: judge(claims, one[0], experiments, known=one[1]), asked)
    known = histories(judged[0], confirming)
    changed = dict(zip(("reference", "yours"), standing(reference, own), strict=True))
    index = write_report(out, own, reference, failures, claims, experiments, runs, judged, known, changed)
    rows = verdict_rows(*judged, known, changed)
    table, untested = _verdict_table(rows, console.width >= WIDE)
    console.print(table)
    for line in (*totals(rows), _untested(untested)):
        console.print(line)
    for entry in failures:
        console.print(
            f"[yellow]{entry['state']}[/] {entry['experiment']} {escape(entry['label'])}: "
            f"{escape(entry['reason'])}",
            soft_wrap=True,
        )
    console.print("How to read a verdict: README.md. What each one rests on, and where to read on:")
    console.print(f"Report: [bold]{index}[/]", soft_wrap=True)


def _untested(count: int) -> str:
    """What the table leaves out, and what its column "paper" means."""
    return (
        f"Not in the table: the {count} that no record tests yet, or that have no test; the report lists "
        "all. 000 and 004 name the two articles, § their sections."
    )


def _verdict_table(rows: list[Any], wide: bool) -> tuple[Table, int]:
    """Table of the claims tested by either set of records, and the number of claims left out.

    Args:
        wide: whether there is room for effects and notes (the report always shows them).
    """
    table = Table("claim", "paper", "reference says", "your runs say", title="Verdicts")
    for name in ("kind", "effect", "beside it") if wide else ():
        table.add_column(name)
    shown = [row for row in rows if {row.reference.state, row.own.state} & {*DECIDED, "invalid"}]
    for row in shown:
        finding = row.shown.decisive
        told = " ".join(effect(finding)) if finding else row.reference.message
        more = (row.claim.kind, escape(told), escape("; ".join(row.notes))) if wide else ()
        table.add_row(
            escape(row.claim.paraphrase), row.claim.place, row.reference.state, row.own.state, *more
        )
    return table, len(rows) - len(shown)


def _read_last(console: Console, runs: Path) -> list[dict[str, Any]]:
    """The runs of the last command's summary; [] if it is missing or damaged."""
    last = runs / paths.LAST
    if not last.is_file():
        return []
    try:
        summary = _Summary.model_validate(json.loads(last.read_text(encoding="utf-8")))
        return [entry.model_dump() for entry in summary.runs]
    except (OSError, ValueError, RecursionError) as error:
        console.print(
            f"[yellow]not read[/] {escape(str(last))} ({type(error).__name__}): the report will not know "
            "what failed; the next `recsys run` writes it anew",
            soft_wrap=True,
        )
        return []
