"""The report's page of each experiment, and its entry on the index."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recsys.runs.durations import duration
from recsys.runs.grid.experiment import Experiment
from recsys.runs.records import Record
from recsys.runs.report.plots import Picture, draw
from recsys.runs.report.site import Site
from recsys.runs.report.tables import Table, cells, results_table
from recsys.runs.report.verdicts import VerdictRow, counts

ORIGINS = {"reference": "Committed reference", "yours": "Your runs"}


@dataclass(frozen=True)
class RunLink:
    """Links to one record on the site and, where there is one, to its executed notebook.

    Attributes:
        changed: what has changed since the record was made; None if it is current.
    """

    label: str
    record: str
    notebook: str | None
    time: str
    memory: str
    commit: str
    changed: str | None


@dataclass(frozen=True)
class Results:
    """One experiment's records of one origin (reference, or yours), prepared for display."""

    title: str
    picture: Picture | None
    table: Table
    runs: list[RunLink]

    @property
    def standing(self) -> str:
        """How many of the records are current with the present code, in words."""
        current = sum(run.changed is None for run in self.runs)
        if len(self.runs) == 1:
            return "1 record, " + ("current" if current else "older than its code")
        if current == len(self.runs):
            return f"{current} records, all current"
        return f"{len(self.runs)} records, {current or 'none'} current"


@dataclass(frozen=True)
class Section:
    """One experiment on the site."""

    experiment: Experiment
    results: list[Results]
    claims: list[VerdictRow]
    failures: list[Mapping[str, Any]]

    @property
    def page(self) -> str:
        """Address of its page, from the site's root."""
        return page_of(self.experiment.name)

    @property
    def picture(self) -> Picture | None:
        """The plot shown on the index: the reference's, else the reader's."""
        return next((result.picture for result in self.results if result.picture), None)

    @property
    def plots(self) -> set[str]:
        """Files of its plots, from the site's root."""
        return {name for result in self.results if result.picture for name in result.picture.files.values()}

    @property
    def tally(self) -> dict[str, int]:
        """Number of its claims by state, without empty states."""
        return {state: count for state, count in counts(self.claims).items() if count}


def page_of(experiment: str) -> str:
    """Address of an experiment's page, from the site's root."""
    return f"experiments/{experiment}.html"


def section(
    site: Site,
    experiment: Experiment,
    by_origin: Mapping[str, list[Record]],
    notebooks: Mapping[tuple[str, str], str],
    rows: list[VerdictRow],
    failures: list[Mapping[str, Any]],
    changed: Mapping[str, Mapping[str, str]],
) -> Section:
    """Draw an experiment's plots and collect the contents of its page.

    Args:
        notebooks: addresses of executed notebooks by (experiment, run).
        changed: by origin, what has changed since a record was made, by the record's name.
    """
    results = []
    for origin in ORIGINS:
        records = [record for record in by_origin[origin] if record.experiment == experiment.name]
        if records:
            own = notebooks if origin == "yours" else {}
            results.append(_results(site, experiment, origin, records, own, changed.get(origin, {})))
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
    records: list[Record],
    notebooks: Mapping[tuple[str, str], str],
    changed: Mapping[str, str],
) -> Results:
    found = cells(records)
    picture = None
    if experiment.plot:
        name = f"{experiment.name}-{origin}"
        picture = draw(found, experiment.plot, site.root / "plots", site.root, name)
    links = [
        RunLink(
            label=", ".join(filter(None, [cell.label(), f"seed={record.seed}"])),
            record=f"records/{origin}/{record.experiment}/{record.run}.json",
            notebook=notebooks.get((record.experiment, record.run)),
            time=duration(record.seconds),
            memory=f"{record.peak_memory_mb:,.0f} MB",
            commit=(record.code.get("commit") or "uncommitted")[:8],
            changed=changed.get(record.name),
        )
        for cell in found
        for record in cell.records
    ]
    return Results(ORIGINS[origin], picture, results_table(found, experiment.metrics), links)
