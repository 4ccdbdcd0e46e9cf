"""Writes the report: a static site of verdicts, comparisons, records and executed notebooks.

The index has the verdicts and one entry per experiment; plots, tables and runs are on a page per experiment,
so that the index stays small however many records there are. The site works from disk and without a network:
no scripts, no external fonts or styles, formulas as MathML, plots as SVG in a light and a dark variant.
"""

import json
from collections.abc import Mapping
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
from recsys.runs.report.experiments import ORIGINS, Section, page_of, section
from recsys.runs.report.ladder import opening
from recsys.runs.report.numbers import setting
from recsys.runs.report.provenance import provenance
from recsys.runs.report.site import Site
from recsys.runs.report.verdicts import counts, effect, interval_picture, sides, verdict_rows
from recsys.runs.side_by_side import side_by_side

TEMPLATES = Path(__file__).with_name("templates")


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
    changed: Mapping[str, Mapping[str, str]] | None = None,
) -> Path:
    """Write the site and return its index.html.

    Args:
        out: folder of the site; created, or updated if an earlier report wrote it.
        runs: the reader's own records. reference: the committed ones.
        failures: runs of the last command that failed or were not run: mappings with experiment, run,
            label, state ("failed" or "not run"), reason and cell.
        claims: with sections and errors.
        experiments: by name, in the order in which they are shown.
        runs_folder: where failed runs left their executed notebooks (default: the folder of `runs`).
        judged: verdicts of the reference and of the reader's runs (default: from all of the records).
        histories: pre-registration of the reference's verdicts, by claim.
        changed: by origin ("reference", "yours"), the names of records whose code, data or packages have
            changed since, with what changed (`recsys.runs.evidence.verify.standing`).

    Raises:
        ReportError: `out` contains an index.html that this command did not write.
    """
    site = Site(out)
    site.begin()
    by_origin = {"reference": reference, "yours": runs}
    for origin, records in by_origin.items():
        for record in records:
            text = json.dumps(record.raw, indent=1, ensure_ascii=False) + "\n"
            site.write(f"records/{origin}/{record.experiment}/{record.run}.json", text)
    runs_folder = runs_folder or (runs[0].folder.parent.parent if runs else paths.RUNS)
    notebooks = _write_notebooks(site, runs, reference, failures, runs_folder, experiments)
    judged = judged or (verdicts(claims, reference), verdicts(claims, runs))
    rows = verdict_rows(*judged, histories, changed)
    sections = side_by_side(
        lambda one: section(site, one, by_origin, notebooks, rows, failures, changed or {}),
        list(experiments.values()),
    )
    site.written.update(*(one.plots for one in sections))
    _write_styles(site)
    environment = _environment()
    template = environment.get_template("experiment.html.j2")
    for one in sections:
        site.write(one.page, template.render(section=one))
    columns = [c for o, t in ORIGINS.items() if (c := provenance(t, by_origin[o])) is not None]
    text = environment.get_template("provenance.html.j2").render(columns=columns)
    ingredients = site.write("provenance.html", text)
    text = environment.get_template("errors.html.j2").render(errors=claims.errors)
    errors_page = site.write("errors.html", text)
    text = environment.get_template("index.html.j2").render(
        rows=rows,
        counts=counts(rows),
        sections=sections,
        ladder=opening(site, by_origin, experiments),
        homes=_homes(sections),
        failures=[{**failure, "page": notebooks.get(_key(failure))} for failure in failures],
        errors=claims.errors,
        errors_page=errors_page,
        policy=load_policy(),
        columns=columns,
        ingredients=ingredients,
        now=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    site.write("index.html", text)
    site.finish()
    return out / "index.html"


def _homes(sections: list[Section]) -> dict[str, str]:
    """The page that shows how a claim was decided, by claim id: its experiment's, where shown."""
    own_last = sorted(
        (row.claim.experiment == one.experiment.name, one.page, row.claim.id)
        for one in sections
        for row in one.claims
    )
    return {claim: page for _, page, claim in own_last}


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
    """Write executed notebooks as pages; returns their addresses by (experiment, run)."""
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

    def write(entry: tuple[tuple[str, str], tuple[Path, Mapping[str, Any], str]]) -> str:
        (experiment, run), (path, parameters, state) = entry
        title, body = notebook_body(path, exporter)
        text = template.render(
            title=title,
            body=body,
            experiment=experiment,
            back=page_of(experiment) if experiment in experiments else "index.html",
            run=run,
            parameters=parameters,
            state=state,
        )
        return site.write(f"notebooks/{experiment}/{run}.html", text)

    pages = side_by_side(write, list(executed.items()))
    site.written |= set(pages)
    return dict(zip(executed, pages, strict=True))
