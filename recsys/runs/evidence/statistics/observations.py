"""Observations of a criterion's matched runs: a table of users (or lists) × seeds for each side."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.metrics.ranking import ranking_metrics
from recsys.metrics.variance_components import Side
from recsys.runs.evidence.statistics.criterion import Criterion, Matched
from recsys.runs.records import POSITIONS, Record, RecordFileError, read_table


class NotRecorded(ValueError):
    """No run of a side recorded what the criterion needs."""


# Where nearly every user scores 0 on all sides, the interval is narrow because nothing was found, not because
# nothing differs. Ten is the usual least count for a normal approximation of a rate.
FEWEST_ABOVE_THE_FLOOR = 10
WEIGHTS = {"treatment": 1.0, "control": -1.0, "treatment's start": -1.0, "control's start": 1.0}


def sides_of(criterion: Criterion, matched: Matched, log: bool = False) -> list[Side]:
    """One table for each side, [units, seeds], over the same units in the same order.

    Paired by seed there are no units: a side is [1, seeds] of the runs' own metrics. Where all sides have the
    same seeds, these are paired, and one side of differences is returned: what a seed determines on both
    sides (the data, the evaluated users, their order) then cancels.

    Args:
        log: take logarithms first (of costs, so that differences are log ratios).

    Raises:
        NotRecorded: a metric that no run of a side has.
        ValueError: sides over different users, or a cost that is not above zero.
    """
    if criterion.pair == "seed":
        values = {name: _of_runs(side.values(), criterion.metric) for name, side in matched.sides.items()}
        tables = {name: np.array([row]) for name, row in values.items()}
    else:
        tables = _of_units(criterion, matched)
    if log:
        tables = {name: _log(table, criterion.metric) for name, table in tables.items()}
    sides = [Side(WEIGHTS[name], table) for name, table in tables.items()]
    seeds = {tuple(side) for side in matched.sides.values()}
    if len(seeds) == 1 and len(sides) > 1:
        sides = [Side(1.0, sum(side.weight * side.scores for side in sides))]
    if criterion.value is not None:
        fixed = np.log(criterion.value) if log else criterion.value
        sides.append(Side(-1.0, np.full((sides[0].scores.shape[0], 1), float(fixed))))
    return sides


def control_mean(criterion: Criterion, matched: Matched) -> float:
    """The value that a relative line is a share of: the control's mean, or the fixed number."""
    if criterion.value is not None:
        return criterion.value
    side = {"control": matched.sides["control"]}
    if criterion.pair == "seed":
        return float(np.mean(_of_runs(side["control"].values(), criterion.metric)))
    table = _of_units(criterion, Matched(side, matched.profile))["control"]
    return float(table.mean())


def _log(table: np.ndarray, metric: str) -> np.ndarray:
    if not (table > 0).all():
        raise ValueError(f"{metric} is a cost, but a run recorded {table.min():g}: it must be above zero")
    return np.log(table)


def _of_runs(side, metric: str) -> list[float]:
    lacking = [record.run for record in side if metric not in record.metrics]
    if lacking:
        raise NotRecorded(f"{lacking[0]} has no metric '{metric}'")
    return [float(record.metrics[metric]) for record in side]


def _of_units(criterion: Criterion, matched: Matched) -> dict[str, np.ndarray]:
    if criterion.pair == "user":

        def read(record: Record) -> pd.Series:
            return _of_users(record.folder, criterion.metric, criterion.seen_at_most, record.started)
    else:

        def read(record: Record) -> pd.Series:
            return _of_lists(record.folder, criterion.metric, record.started)

    return _aligned(matched, f"{criterion.pair}s", read)


def _aligned(matched: Matched, units: str, read: Callable[[Record], pd.Series]) -> dict[str, np.ndarray]:
    first: pd.Index | None = None
    tables = {}
    for name, side in matched.sides.items():
        columns = []
        for record in side.values():
            scores = read(record)
            if first is None:
                first = scores.index
            if not scores.index.equals(first):
                if len(scores) != len(first) or not scores.index.isin(first).all():
                    raise ValueError(f"the runs rank different {units}, so {units} can't be compared")
                scores = scores.reindex(first)
            columns.append(scores.to_numpy(dtype=float))
        tables[name] = np.column_stack(columns)
    found = int(np.any([(table != 0).any(axis=1) for table in tables.values()], axis=0).sum())
    if len(tables) > 1 and found < min(FEWEST_ABOVE_THE_FLOOR, len(first)):
        raise ValueError(f"only {found} of {len(first)} {units} score other than 0: too few to compare")
    return tables


@lru_cache(maxsize=1024)
def _of_users(folder: Path, metric: str, seen_at_most: int | None, _started: str) -> pd.Series:
    ranks = folder / "ranks.parquet"
    if not ranks.is_file():
        raise NotRecorded(f"{folder.name} recorded no rank positions to pair users by")
    cutoff = metric.rpartition("@")[2]
    cutoffs = (int(cutoff),) if cutoff.isdigit() else (10,)
    positions = _table(ranks, POSITIONS)
    if seen_at_most is not None:
        if "train_count" not in positions:
            raise NotRecorded(f"{folder.name} recorded no train_count beside its rank positions")
        positions = positions[positions["train_count"] <= seen_at_most]
    per_user = ranking_metrics(positions, cutoffs=cutoffs)[1]
    if metric not in per_user:
        raise NotRecorded(f"'{metric}' is no ranking metric; there are {', '.join(per_user.columns)}")
    return per_user[metric].sort_index()


@lru_cache(maxsize=1024)
def _of_lists(folder: Path, metric: str, _started: str) -> pd.Series:
    path = folder / "lists.parquet"
    table = _table(path, ("list",)).set_index("list") if path.is_file() else pd.DataFrame()
    if metric not in table:
        raise NotRecorded(f"{folder.name} recorded no '{metric}' for each list")
    return table[metric].sort_index()


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        return read_table(path, columns)
    except RecordFileError as error:
        raise NotRecorded(str(error)) from None
