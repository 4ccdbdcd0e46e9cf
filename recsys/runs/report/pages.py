"""The report: one static site of verdicts, comparisons, records and executed notebooks.

It works from disk and without a network: no scripts, no fonts or styles from elsewhere, formulas as
MathML, plots as SVG in a light and a dark variant.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2

from recsys.runs import paths
from recsys.runs.durations import duration
from recsys.runs.evidence.claims import Claims
from recsys.runs.evidence.preregistration import History
from recsys.runs.evidence.statistics.policy import load_policy
from recsys.runs.evidence.verdicts import Verdict, verdicts
from recsys.runs.grid.experiment import Experiment
from recsys.runs.records import Record
from recsys.runs.report.numbers import setting
from recsys.runs.report.plots import Picture, draw
from recsys.runs.report.provenance import provenance
from recsys.runs.report.tables import Table, cells, results_table
from recsys.runs.report.verdicts import VerdictRow, counts, effect, interval_picture, sides, verdict_rows

TEMPLATES = Path(__file__).with_name("templates")
MANIFEST = "site.json"
ORIGINS = {"reference": "Committed reference", "yours": "Your runs"}


class ReportError(RuntimeError):
    """The site can't be written where it was asked for."""


@dataclass(frozen=True)
class RunLink:
    """One record behind the numbers: a copy of it on the site and, where there is one, its notebook."""

    label: str
    record: str
    notebook: str | None
    time: str
    memory: str
    commit: str


@dataclass(frozen=True)
class Results:
    """One experiment's records of one origin, ready to show."""

    title: str
    picture: Picture | None
    table: Table
    runs: list[RunLink]


@dataclass(frozen=True)
class Section:
    """One experiment on the page."""

    experiment: Experiment
    results: list[Results]
    claims: list[VerdictRow]
    failures: list[Mapping[str, Any]]


@dataclass
class Site:
    """The folder being written; it knows every file that this command put there."""

    root: Path
    written: set[str] = field(default_factory=set)

    def write(self, name: str, text: str) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.written.add(name)
        return name

    def begin(self) -> None:
        """Refuse a folder with somebody else's site."""
        if (self.root / "index.html").exists() and not (self.root / MANIFEST).exists():
            raise ReportError(
                f"{self.root} holds an index.html that no report wrote; give another folder with --out"
            )
        self.root.mkdir(parents=True, exist_ok=True)

    def finish(self) -> None:
        """Remove what an earlier report left and this one did not write again; keep the new list."""
        manifest = self.root / MANIFEST
        earlier = json.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.exists() else []
        for name in set(earlier) - self.written:
            path = (self.root / name).resolve()
            if path.is_relative_to(self.root.resolve()):
                path.unlink(missing_ok=True)
        manifest.write_text(json.dumps({"files": sorted(self.written)}, indent=1) + "\n", encoding="utf-8")


def write_report(
    out: Path,
    runs: list[Record],
    reference: list[Record],
    failures: list[Mapping[str, Any]],
    claims: Claims,
    experiments: Mapping[str, Experiment],
    runs_folder: Path | None = None,
    judged: tuple[list[Verdict], list[Verdict]] | None = None,
    histories: Mapping[str, History] | None = None,
) -> Path:
    """Write the site and return its index.html.

    Args:
        out: folder of the site; made, or brought up to date when an earlier report wrote it.
        runs: the reader's own records. reference: the committed ones.
        failures: runs of the last command that failed or were not run: mappings with experiment, run,
            label, state ("failed" or "not run"), reason and cell.
        claims: with sections and errors.
        experiments: by name, in the order in which they are shown.
        runs_folder: where failed runs left their executed notebooks (default: where `runs` lie).
        judged: verdicts of the reference and of the reader's runs (default: from all of the records).
        histories: what git says of the reference's verdicts.

    Raises:
        ReportError: `out` holds an index.html that this command did not write.
    """
    site = Site(out)
    site.begin()
    by_origin = {"reference": reference, "yours": runs}
    for origin, records in by_origin.items():
        for record in records:
            text = json.dumps(record.raw, indent=1, ensure_ascii=False) + "\n"
            site.write(f"records/{origin}/{record.experiment}/{record.run}.json", text)
    runs_folder = runs_folder or (runs[0].folder.parent.parent if runs else paths.RUNS)
    pages = _write_notebooks(site, runs, reference, failures, runs_folder, experiments)
    rows = verdict_rows(*(judged or (verdicts(claims, reference), verdicts(claims, runs))), histories)
    sections = [
        _section(site, experiment, by_origin, pages, rows, failures) for experiment in experiments.values()
    ]
    _write_styles(site)
    page = _environment().get_template("index.html.j2")
    text = page.render(
        rows=rows,
        counts=counts(rows),
        sections=sections,
        failures=[{**failure, "page": pages.get(_key(failure))} for failure in failures],
        errors=claims.errors,
        claims=claims,
        policy=load_policy(),
        own_runs=runs,
        columns=[c for o, t in ORIGINS.items() if (c := provenance(t, by_origin[o])) is not None],
        now=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    site.write("index.html", text)
    site.finish()
    return out / "index.html"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"effect": effect, "sides": sides, "interval_picture": interval_picture}
    environment.filters |= {"duration": duration, "setting": setting}
    return environment


def _write_styles(site: Site) -> None:
    from recsys.runs.report.notebooks import code_style

    for name in ("report.css", "notebook.css"):
        site.write(f"style/{name}", (TEMPLATES / name).read_text(encoding="utf-8"))
    site.write("style/code.css", code_style())


def _key(entry: Mapping[str, Any]) -> tuple[str, str]:
    return entry["experiment"], entry["run"]


def _write_notebooks(
    site: Site,
    runs: list[Record],
    reference: list[Record],
    failures: list[Mapping[str, Any]],
    runs_folder: Path,
    experiments: Mapping[str, Experiment],
) -> dict[tuple[str, str], str]:
    """Executed notebooks as pages; returns their addresses by (experiment, run)."""
    executed = {(r.experiment, r.run): (r.folder / paths.EXECUTED, r.parameters, "finished") for r in runs}
    for failure in failures:
        folder = runs_folder / failure["experiment"] / f"{failure['run']}.failed"
        if failure["state"] == "failed":
            executed[_key(failure)] = (folder / paths.EXECUTED, {}, f"failed: {failure['reason']}")
    executed = {key: value for key, value in executed.items() if value[0].is_file()}
    if not executed:
        return {}
    from recsys.runs.report.notebooks import OfflineExporter, link_target, notebook_body

    committed = {(record.experiment, record.run) for record in reference}
    exporter = OfflineExporter(link_target(set(experiments), committed, "../../"))
    template = _environment().get_template("notebook.html.j2")
    pages = {}
    for (experiment, run), (path, parameters, state) in executed.items():
        title, body = notebook_body(path, exporter)
        name = f"notebooks/{experiment}/{run}.html"
        text = template.render(
            title=title, body=body, experiment=experiment, run=run, parameters=parameters, state=state
        )
        pages[experiment, run] = site.write(name, text)
    return pages


def _section(
    site: Site,
    experiment: Experiment,
    by_origin: Mapping[str, list[Record]],
    pages: Mapping[tuple[str, str], str],
    rows: list[VerdictRow],
    failures: list[Mapping[str, Any]],
) -> Section:
    results = []
    for origin, title in ORIGINS.items():
        records = [record for record in by_origin[origin] if record.experiment == experiment.name]
        if records:
            results.append(_results(site, experiment, origin, title, records, pages))
    return Section(
        experiment,
        results,
        [row for row in rows if row.claim.experiment == experiment.name or row.claim.id in experiment.claims],
        [failure for failure in failures if failure["experiment"] == experiment.name],
    )


def _results(
    site: Site,
    experiment: Experiment,
    origin: str,
    title: str,
    records: list[Record],
    pages: Mapping[tuple[str, str], str],
) -> Results:
    found = cells(records)
    picture = None
    if experiment.plot:
        name = f"{experiment.name}-{origin}"
        picture = draw(found, experiment.plot, site.root / "plots", site.root, name)
    if picture:
        site.written |= set(picture.files.values())
    links = [
        RunLink(
            label=", ".join(filter(None, [cell.label(), f"seed={record.seed}"])),
            record=f"records/{origin}/{record.experiment}/{record.run}.json",
            notebook=pages.get((record.experiment, record.run)) if origin == "yours" else None,
            time=duration(record.seconds),
            memory=f"{record.peak_memory_mb:,.0f} MB",
            commit=(record.code.get("commit") or "uncommitted")[:8],
        )
        for cell in found
        for record in cell.records
    ]
    return Results(title, picture, results_table(found, experiment.metrics), links)
