"""The output of `recsys power`."""

import math

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsys.runs import paths
from recsys.runs.evidence.claims import ClaimsError, load_claims
from recsys.runs.evidence.judge import broken_criteria
from recsys.runs.evidence.power import Power, power_of
from recsys.runs.evidence.statistics.policy import load_policy
from recsys.runs.grid.experiment import choose, load_experiments
from recsys.runs.records import load_records

WIDE = 150  # columns of a terminal


def power_command(console: Console, name: str, profile: str) -> None:
    """Print one table for each experiment that the name selects, and the claims its grid cannot decide."""
    experiments = load_experiments()
    chosen = choose(experiments, [name])  # a misspelt name is told before records are read
    claims, policy = load_claims(), load_policy()
    records = load_records(paths.REFERENCE) + [r for r in load_records(paths.RUNS) if r.profile != "smoke"]
    if broken := broken_criteria(claims, experiments, records, policy):
        raise ClaimsError("; ".join(broken.values()))
    for experiment in chosen:
        found = power_of(experiment, claims, records, experiments, profile, policy)
        if not found:
            console.print(f"{experiment.name}: no claim's criterion reads it; there is nothing to decide.")
            continue
        console.print(_table(experiment.name, profile, found, policy.power, console.width >= WIDE))
        open_claims = dict.fromkeys(one.claim.id for one in found if one.decides is False)
        unknown = dict.fromkeys(one.claim.id for one in found if one.detectable is None)
        if open_claims:
            told = "May stay undecided, as a true effect of zero could not be told from the line"
            console.print(f"{told}: {', '.join(open_claims)}")
        if unknown:
            told = "Unknown, for want of an earlier record with a spread like it"
            console.print(f"{told}: {', '.join(unknown)}")


def _table(name: str, profile: str, found: list[Power], power: float, wide: bool) -> Table:
    """One row a criterion; on a narrow terminal its place stands below the claim, and its spread's source is
    left out."""
    table = Table()
    for heading in ("claim", *(("metric", "where") if wide else ("metric",))):
        table.add_column(heading, overflow="fold", min_width=28 if heading == "claim" else None)
    for heading in ("seeds", "line", "detectable", "needed", *(("spread from",) if wide else ())):
        table.add_column(heading)
    table.title = f"{name}, {profile}: smallest distance from the line that {power:.0%} of such grids detect"
    for one in found:
        where = escape(one.criterion.place)
        needed = [f"{one.seeds_needed} seeds"] if one.seeds_needed else []
        needed += [f"{one.units_needed:,} {one.criterion.pair}s"] if one.units_needed else []
        table.add_row(
            one.claim.id if wide else f"{one.claim.id}\n[dim]{where}[/]",
            escape(one.criterion.metric),
            *((where,) if wide else ()),
            str(one.seeds),
            _size(one.line, one.ratio),
            _size(one.detectable, one.ratio) + (" [yellow]above it[/]" if one.decides is False else ""),
            " or ".join(needed) or "-",
            *((escape(one.spread_from or "no record"),) if wide else ()),
        )
    return table


def _size(value: float | None, ratio: bool) -> str:
    if value is None:
        return "-"
    return f"× {math.exp(value):.3g}" if ratio else f"{value:.3g}"
