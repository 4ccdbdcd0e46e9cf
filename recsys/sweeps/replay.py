"""Compare search methods without training: replay them on a table of all results.

The table is a full factorial grid, each configuration measured after every epoch (a tabular benchmark, as in
Klein & Hutter 2019, arXiv:1905.04970). A replayed trial costs the core seconds that the table records, so
that methods are compared at equal budgets, and twenty repeats take seconds. Population-based training cannot
be replayed, since its weights move between settings.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys.sweeps.schedulers import make_scheduler
from recsys.sweeps.spec import Method
from recsys.training.hyperparameter_search.samplers import make_sampler
from recsys.training.hyperparameter_search.spaces import Choice
from recsys.training.hyperparameter_search.trial import DONE, STOPPED, Trial, as_frame

METHODS = (
    Method(sampler="random"),
    Method(sampler="quasi_random"),
    Method(sampler="tpe"),
    Method(sampler="random", scheduler="asha"),
    Method(sampler="tpe", scheduler="asha"),
)
# in a row, after which an untried configuration is drawn: else TPE repeats its favourite for ever
REPEATS = 1


class TableError(ValueError):
    """The table lacks a combination of settings or a column."""


@dataclass(frozen=True)
class AnswerTable:
    """A full factorial table.

    Attributes:
        space: parameter → its values.
        epochs: settings → rows (epoch, core seconds since the trial's start, value), by epoch.
        metric, direction: of the value.
    """

    space: dict[str, Choice]
    epochs: dict[tuple[Any, ...], list[tuple[int, float, float]]]
    metric: str
    direction: str

    def of(self, settings: dict[str, Any]) -> list[tuple[int, float, float]]:
        """The rows of one configuration."""
        return self.epochs[tuple(settings[name] for name in self.space)]

    @property
    def best(self) -> float:
        """The best final value in the table, which no search can exceed."""
        last = [rows[-1][2] for rows in self.epochs.values()]
        return max(last) if self.direction == "max" else min(last)


@dataclass(frozen=True)
class _Named:
    trial_id: str  # the only attribute that Ray's schedulers read


def answer_table(
    frame: pd.DataFrame, names: Sequence[str], metric: str, direction: str = "max"
) -> AnswerTable:
    """Build a table from rows of settings, epoch, core_seconds (of the trial, up to that epoch) and the
    metric.

    Args:
        frame: such as `recsys.sweeps.results.sweep_reports` of a grid returns.
        names: the parameters.
        direction: "max" or "min".

    Raises:
        TableError: a column or a combination is missing, or a metric is not a number.
    """
    if lacking := {*names, "epoch", "core_seconds", metric} - set(frame.columns):
        raise TableError(f"the table lacks {', '.join(sorted(lacking))}")
    if frame[metric].isna().any():
        raise TableError(f"the table holds {int(frame[metric].isna().sum())} rows without {metric}")
    # object columns, since None and "" may be values of a grid
    plain = frame.astype(dict.fromkeys(names, object))
    space = {name: Choice(tuple(plain[name].drop_duplicates())) for name in names}
    epochs: dict[tuple[Any, ...], list[tuple[int, float, float]]] = {}
    for row in plain.sort_values("epoch").to_dict("records"):
        key = tuple(row[name] for name in names)
        epochs.setdefault(key, []).append((int(row["epoch"]), float(row["core_seconds"]), float(row[metric])))
    size = 1
    for one in space.values():
        size *= len(one.values)
    if len(epochs) < size:
        raise TableError(f"the table holds {len(epochs)} of {size} combinations: it must hold all")
    return AnswerTable(space, epochs, metric, direction)


def replay(table: AnswerTable, method: Method, core_seconds: float, seed: int) -> pd.DataFrame:
    """One searcher, one repeat: the trials that it would have run, sequentially.

    A configuration proposed again costs nothing, and the sampler is told its answer again; after `REPEATS` of
    them in a row an untried one is drawn at random. So every searcher spends its budget, on different
    configurations. A real sweep (`recsys.sweeps.arm`) trains a repeat again and pays.

    Args:
        method: its `most` is the table's last epoch.
        core_seconds: budget; trials that end after it do not count.
        seed: of the sampler.

    Returns:
        As `trial.as_frame`, without repeats, the value in a column named by the table's metric;
        columns method and repeat (the seed).
    """
    options = {"metrics": [table.metric], "directions": [table.direction]}
    sampler = make_sampler(method.sampler, table.space, seed, **options)
    last = max(rows[-1][0] for rows in table.epochs.values())  # else a whole trial would count as stopped
    scheduler = make_scheduler(method.model_copy(update={"most": last}), table.metric, table.direction)
    trials: list[Trial] = []
    told: list[Trial] = []  # to the sampler: one that does not learn of its repeats proposes them for ever
    known: dict[tuple[Any, ...], Trial] = {}
    spent, repeated = 0.0, 0
    while spent < core_seconds and len(known) < len(table.epochs):
        if repeated < REPEATS:
            settings = sampler.propose(len(told), told)
        else:
            settings = _untried(table, known, (seed, len(told)))
        if settings is None:
            break
        key = tuple(settings[name] for name in table.space)
        repeated = repeated + 1 if key in known else 0
        if key not in known:
            state, used, value = _run(table, settings, scheduler, str(len(trials)))
            spent += used
            metrics, counts = {table.metric: value}, spent <= core_seconds
            known[key] = Trial(len(trials), settings, state, metrics, "", used, used, spent, counts)
            trials.append(known[key])
        told.append(replace(known[key], number=len(told)))
    return as_frame(trials).assign(method=method.name, repeat=seed)


def _untried(table: AnswerTable, known: Collection[tuple[Any, ...]], seed: tuple[int, int]) -> dict[str, Any]:
    """A configuration that is not known, drawn at random."""
    left = [key for key in table.epochs if key not in known]
    return dict(zip(table.space, left[np.random.default_rng(seed).integers(len(left))], strict=True))


def _run(table: AnswerTable, settings: dict[str, Any], scheduler: Any, name: str) -> tuple[str, float, float]:
    """State, core seconds and last value of a trial that the scheduler may end early."""
    rows, trial = table.of(settings), _Named(name)
    if scheduler is None:
        return DONE, rows[-1][1], rows[-1][2]
    scheduler.on_trial_add(None, trial)
    for epoch, seconds, value in rows[:-1]:
        result = {"training_iteration": epoch, table.metric: value}
        if scheduler.on_trial_result(None, trial, result) == scheduler.STOP:
            return STOPPED, seconds, value
    epoch, seconds, value = rows[-1]
    scheduler.on_trial_complete(None, trial, {"training_iteration": epoch, table.metric: value})
    return DONE, seconds, value


def replay_all(
    table: AnswerTable, methods: Sequence[Method], core_seconds: float, repeats: int = 20, seed: int = 0
) -> pd.DataFrame:
    """`replay` of every method with `repeats` seeds: rows of all trials."""
    runs = [
        replay(table, method, core_seconds, seed + repeat) for method in methods for repeat in range(repeats)
    ]
    return pd.concat(runs, ignore_index=True)


def replay_methods(table: AnswerTable, core_seconds: float, repeats: int, seed: int = 0) -> pd.DataFrame:
    """`replay_all` of the methods in `METHODS`; empty for no repeats."""
    return replay_all(table, METHODS, core_seconds, repeats, seed) if repeats else pd.DataFrame()


def replay_metrics(replayed: pd.DataFrame, table: AnswerTable) -> dict[str, float]:
    """regret_<searcher>: how far its final choice is below the table's best, as a share of it, mean over
    repeats.

    Searchers' names have "_" in place of "+". Empty for an empty frame.
    """
    if replayed.empty:
        return {}
    sign = 1.0 if table.direction == "max" else -1.0
    chosen = replayed[(replayed["state"] == DONE) & replayed["counts"]]
    best = (sign * chosen[table.metric]).groupby([chosen["method"], chosen["repeat"]]).max() * sign
    regret = (sign * (table.best - best) / abs(table.best)).groupby("method").mean()
    return {f"regret_{name.replace('+', '_')}": float(value) for name, value in regret.items()}
