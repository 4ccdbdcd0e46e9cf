"""The report's tables: one row per cell of the grid, with means and intervals over seeds."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from recsys.metrics.significance import Interval, mean_with_interval
from recsys.runs.durations import duration
from recsys.runs.records import Record
from recsys.runs.report.numbers import mean_and_half_width, setting


@dataclass(frozen=True)
class Cell:
    """Records that differ only in their seed.

    Attributes:
        settings: the parameters (and the profile) that vary between the cells of the experiment.
        metrics: mean over seeds with its 95 % interval, by metric.
    """

    settings: dict[str, Any]
    metrics: dict[str, Interval]
    seeds: int
    seconds: float
    records: tuple[Record, ...]

    def label(self, leave_out: tuple[str, ...] = ()) -> str:
        """Its settings in words, such as "popularity, ties=expected"."""
        return ", ".join(f"{k}={setting(v)}" for k, v in self.settings.items() if k not in leave_out)


@dataclass(frozen=True)
class Table:
    """Text for the template; the first `key_columns` headings are settings, each row has one text each."""

    headings: list[str]
    key_columns: int
    rows: list[list[str]]


def varying_settings(records: list[Record]) -> list[str]:
    """Names of the parameters that vary between records, without the seed; `profile` last."""
    names = list(dict.fromkeys(name for record in records for name in record.parameters if name != "seed"))
    varying = [n for n in names if len({repr(record.parameters.get(n)) for record in records}) > 1]
    return varying + (["profile"] if len({record.profile for record in records}) > 1 else [])


def cells(records: list[Record]) -> list[Cell]:
    """Group an experiment's records over seeds, in the order in which the records come."""
    varying = varying_settings(records)
    groups: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in records:
        groups[tuple(repr(_setting_of(record, name)) for name in varying)].append(record)
    found = []
    for group in groups.values():
        names = dict.fromkeys(name for record in group for name in record.metrics)
        found.append(
            Cell(
                {name: _setting_of(group[0], name) for name in varying},
                {
                    name: mean_with_interval([r.metrics[name] for r in group if name in r.metrics])
                    for name in names
                },
                len({record.seed for record in group}),
                sum(record.seconds for record in group) / len(group),
                tuple(group),
            )
        )
    return sorted(found, key=lambda cell: [_sort_key(value) for value in cell.settings.values()])


def _setting_of(record: Record, name: str) -> Any:
    return record.profile if name == "profile" else record.parameters.get(name)


def _sort_key(value: Any) -> tuple[int, float, str]:
    """Sort key: numbers by size, then texts alphabetically."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (0, float(value), "")
    return (1, 0.0, str(value))


def results_table(found: list[Cell], metrics: list[str]) -> Table:
    """The cells as text, with `metrics` in that order; further metrics are in the records."""
    settings = list(found[0].settings) if found else []
    headings = [*(name.replace("_", " ") for name in settings), *metrics, "seeds", "time a run"]
    rows = []
    for cell in found:
        values = [cell.metrics.get(metric) for metric in metrics]
        rows.append(
            [
                *(setting(cell.settings[name]) for name in settings),
                *("–" if value is None else mean_and_half_width(value) for value in values),
                str(cell.seeds),
                duration(cell.seconds),
            ]
        )
    return Table(headings, len(settings), rows)
