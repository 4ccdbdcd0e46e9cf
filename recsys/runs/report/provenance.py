"""The report's footer: where its numbers come from."""

from collections.abc import Iterable
from dataclasses import dataclass

from recsys.runs.durations import duration
from recsys.runs.records import Record

HEADLINE_PACKAGES = ("python", "torch", "transformers", "numpy", "pandas", "scipy")


@dataclass(frozen=True)
class Provenance:
    """One column of the footer: the committed records or the reader's own."""

    title: str
    facts: list[tuple[str, str]]
    versions: list[tuple[str, str]]
    data: list[tuple[str, str]]


def provenance(title: str, records: list[Record]) -> Provenance | None:
    """Commits, machines, dates, versions and data of a set of records; None when there are none."""
    if not records:
        return None
    started = sorted(record.started for record in records)
    versions = _merge((r.provenance() or r.raw).get("versions", {}).items() for r in records)
    facts = [
        ("Runs", f"{len(records)} ({_listed(sorted({record.profile for record in records}))})"),
        ("Commit", _listed(dict.fromkeys(_commit(record) for record in records))),
        ("Made", started[0] if started[0] == started[-1] else f"{started[0]} to {started[-1]}"),
        ("Machine", _listed(dict.fromkeys(_machine(record) for record in records))),
        ("Threads a run", _listed(sorted({str(record.threads) for record in records}))),
        ("Time, summed", duration(sum(record.seconds for record in records))),
        ("Peak memory", f"{max(record.peak_memory_mb for record in records):,.0f} MB"),
    ]
    first = [name for name in HEADLINE_PACKAGES if name in versions]
    ordered = first + sorted(set(versions) - set(first))
    data = _merge(record.data.items() for record in records)
    return Provenance(title, facts, [(name, versions[name]) for name in ordered], sorted(data.items()))


def _commit(record: Record) -> str:
    commit = record.code.get("commit")
    if commit is None:
        return "not under version control"
    return commit[:12] + (" with uncommitted changes" if record.code.get("dirty") else "")


def _machine(record: Record) -> str:
    machine = record.machine
    device = "" if machine["device"] == "cpu" else f"{machine['device']}, "
    return f"{device}{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB"


def _merge(parts: Iterable[Iterable[tuple[str, str]]]) -> dict[str, str]:
    """Values by name; where records differ, all of them."""
    found: dict[str, dict[str, None]] = {}
    for part in parts:
        for name, value in part:
            found.setdefault(name, {})[value] = None
    return {name: _listed(values) for name, values in found.items()}


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)
