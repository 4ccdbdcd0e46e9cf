"""One statistical test over the records of runs: what it asks, which runs answer it, what they say.

A criterion compares a treatment with a control (other parameters, or a fixed value) on one metric. Paired
by user (or query), each user's metric is averaged over the seeds and the pairs are the users: percentile
bootstrap interval, sign-flip permutation test. Paired by list, the same is done with the differences that a
run recorded for each judged list of a search (`lists.parquet`). Paired by seed, the pairs are the runs' own
metrics: Student's t interval and test. All are `recsys.metrics.significance`'s or scipy's.
"""

import itertools
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy import stats

from recsys.metrics.ranking import ranking_metrics
from recsys.metrics.significance import paired_bootstrap, paired_differences, paired_permutation_test
from recsys.runs.grid.experiment import PROFILES
from recsys.runs.records import Record

LEVEL = 0.05  # of the corrected p-value; intervals are 95 %
FEWEST_SEEDS = 3  # two differences have no spread worth a t-test
RESAMPLES_OF_INTERVAL = 2_000  # an end of the interval then wobbles by about 2 % of its width

State = Literal["supported", "refuted", "undecided", "not yet tested"]


class NotRecorded(ValueError):
    """The runs exist but did not record what the criterion needs."""


class Criterion(BaseModel):
    """One comparison, treatment minus control, and the direction that the claim asserts.

    `margin` moves the line that the difference must pass, in the claimed direction: 0 for "better",
    above 0 for "better by at least", below 0 for "not worse by more than" (non-inferiority).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: str
    treatment: dict[str, Any] = Field(description="parameters of the runs that are claimed to differ")
    control: dict[str, Any] | None = None
    value: float | None = Field(default=None, description="a fixed number in place of a control")
    experiment: str | None = Field(default=None, description="when it is not the claim's own")
    control_experiment: str | None = Field(default=None, description="when the control's runs are another's")
    where: dict[str, Any] = Field(default={}, description="parameters that both sides share")
    each: dict[str, list[Any]] = Field(default={}, description="ask again for every combination of these")
    pair: Literal["user", "list", "seed"]
    alternative: Literal["greater", "less"]
    margin: float = 0.0
    relative: bool = Field(default=False, description="the margin is a share of the control's mean")
    gain_over: dict[str, Any] = Field(
        default={},
        description="compare gains: each side's own runs with these parameters are subtracted first",
    )
    seen_at_most: int | None = Field(
        default=None,
        description="only targets with so many training events (column train_count of the ranks)",
    )

    @model_validator(mode="after")
    def _one_control(self) -> "Criterion":
        if (self.control is None) == (self.value is None):
            raise ValueError("give either `control` (parameters) or `value` (a number)")
        if self.pair == "list" and self.control is not None:
            raise ValueError("lists hold differences within a run: give `value`, not `control`")
        if self.gain_over and self.control is None:
            raise ValueError("`gain_over` compares two gains: give `control`, not `value`")
        return self

    def expand(self) -> list["Criterion"]:
        """One criterion for every combination of `each`, moved into `where`."""
        combinations = itertools.product(*self.each.values())
        return [
            self.model_copy(
                update={"where": {**self.where, **dict(zip(self.each, c, strict=True))}, "each": {}}
            )
            for c in combinations
        ]


@dataclass(frozen=True)
class Finding:
    """What the records say about one criterion.

    Attributes:
        effect, low, high: treatment minus control with its 95 % interval, in the metric's units; NaN
            where nothing could be computed.
        line: the difference that must be passed (the margin in the metric's units, signed).
        p_value: two-sided, of "the difference equals the line"; corrected by `decide`.
        n: pairs. unit: what a pair is.
        runs: names of the records that were used.
    """

    criterion: Criterion
    state: State
    message: str
    effect: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    line: float = float("nan")
    p_value: float | None = None
    corrected: float | None = None
    n: int = 0
    runs: tuple[str, ...] = ()
    profile: str | None = None

    @property
    def place(self) -> str:
        """The shared parameters in words, such as "dataset=beauty"."""
        words = [f"{name}={value}" for name, value in self.criterion.where.items()]
        if self.criterion.seen_at_most is not None:
            words.append(f"items bought at most {self.criterion.seen_at_most} times in training")
        return ", ".join(words)


def decide(finding: Finding, corrected: float) -> Finding:
    """The state that follows from interval, line and the p-value corrected over the family."""
    sign = 1 if finding.criterion.alternative == "greater" else -1
    near, far = sorted((sign * finding.low, sign * finding.high))
    line = sign * finding.line
    if near > line and corrected < LEVEL:
        state, message = "supported", "the interval lies wholly on the claimed side"
    elif far < line and corrected < LEVEL:
        state, message = "refuted", "the interval lies wholly on the other side"
    else:
        state, message = "undecided", "the interval or the corrected p-value leaves it open"
    return replace(finding, corrected=corrected, state=state, message=message)


def examine(criterion: Criterion, experiment: str, records: list[Record]) -> Finding:
    """Compute one expanded criterion from the records that match; its state is settled by `decide`.

    Args:
        criterion: with nothing left in `each`.
        experiment: the claim's, where the criterion names none.
        records: of any experiments; the largest profile that holds both sides is used.
    """
    own = criterion.experiment or experiment
    asked = {"treatment": (own, criterion.where | criterion.treatment)}
    if criterion.control is not None:
        asked["control"] = (criterion.control_experiment or own, criterion.where | criterion.control)
    if criterion.gain_over:
        asked |= {f"{s}'s start": (e, p | criterion.gain_over) for s, (e, p) in asked.items()}
    found = {side: _matching(records, source, wanted) for side, (source, wanted) in asked.items()}
    profile = _largest_profile(*found.values())
    if profile is None:
        missing = next((side for side, runs in found.items() if not runs), "two sides in one profile")
        return Finding(criterion, "not yet tested", f"no record of the {missing}")
    found = {side: [run for run in runs if run.profile == profile] for side, runs in found.items()}
    runs = tuple(record.run for side in found.values() for record in side)
    try:
        finding = _compare(criterion, found)
    except ValueError as error:
        state = "not yet tested" if isinstance(error, NotRecorded) else "undecided"
        finding = Finding(criterion, state, str(error))
    return replace(finding, runs=runs, profile=profile)


def _matching(records: list[Record], experiment: str, wanted: dict[str, Any]) -> list[Record]:
    return [
        record
        for record in records
        if record.experiment == experiment
        and all(name in record.parameters and record.parameters[name] == v for name, v in wanted.items())
    ]


def _largest_profile(*sides: list[Record]) -> str | None:
    present = set.intersection(*({record.profile for record in side} for side in sides))
    return max(present, key=PROFILES.index, default=None)


def _compare(criterion: Criterion, found: dict[str, list[Record]]) -> Finding:
    sides = {name: _by_seed(side) for name, side in found.items()}
    if criterion.pair == "user":
        of = {n: _user_scores(side, criterion.metric, criterion.seen_at_most) for n, side in sides.items()}
    elif criterion.pair == "list":
        of = {name: _list_scores(side, criterion.metric) for name, side in sides.items()}
    else:
        of = {name: _seed_scores(side, criterion.metric) for name, side in sides.items()}
    if criterion.gain_over:
        of = {name: of[name] - of[f"{name}'s start"] for name in ("treatment", "control")}
        if any(gains.isna().any() for gains in of.values()):
            raise ValueError(f"a gain needs both its sides for every {criterion.pair}")
    a = of["treatment"]
    b = of.get("control", pd.Series(criterion.value, index=a.index))
    if criterion.pair == "seed":
        common = a.index.intersection(b.index)
        if len(common) < FEWEST_SEEDS:
            raise ValueError(f"{len(common)} seeds have both sides; at least {FEWEST_SEEDS} are needed")
        a, b = a[common], b[common]
    margin = criterion.margin * abs(float(b.mean())) if criterion.relative else criterion.margin
    line = margin if criterion.alternative == "greater" else -margin
    interval = _over_seeds if criterion.pair == "seed" else _over_units
    effect, low, high, p_value = interval(a, b, line)
    return Finding(criterion, "undecided", "", effect, low, high, line, p_value, n=len(a))


def _by_seed(records: list[Record]) -> dict[Any, Record]:
    found: dict[Any, Record] = {}
    for record in records:
        if record.seed in found:
            names = set(record.parameters) | set(found[record.seed].parameters)
            other = found[record.seed].parameters
            differ = sorted(n for n in names if record.parameters.get(n) != other.get(n))
            raise ValueError(
                f"two runs match for seed {record.seed}; they differ in {', '.join(differ) or 'threads'}: "
                "the criterion's `where` must choose one"
            )
        found[record.seed] = record
    return found


@lru_cache(maxsize=512)
def _scores_of_run(folder: Path, metric: str, seen_at_most: int | None, _started: str) -> pd.Series:
    ranks = folder / "ranks.parquet"
    if not ranks.is_file():
        raise NotRecorded(f"{folder.name} recorded no rank positions to pair users by")
    cutoff = metric.rpartition("@")[2]
    cutoffs = (int(cutoff),) if cutoff.isdigit() else (10,)
    positions = pd.read_parquet(ranks)
    if seen_at_most is not None:
        if "train_count" not in positions:
            raise NotRecorded(f"{folder.name} recorded no train_count beside its rank positions")
        positions = positions[positions["train_count"] <= seen_at_most]
    per_user = ranking_metrics(positions, cutoffs=cutoffs)[1]
    if metric not in per_user:
        raise ValueError(f"'{metric}' is no ranking metric; there are {', '.join(per_user.columns)}")
    return per_user[metric]


def _user_scores(side: dict[Any, Record], metric: str, seen_at_most: int | None) -> pd.Series:
    tables = [_scores_of_run(r.folder, metric, seen_at_most, r.started) for r in side.values()]
    return _over_runs(tables, "users")


def _list_scores(side: dict[Any, Record], metric: str) -> pd.Series:
    tables = []
    for record in side.values():
        path = record.folder / "lists.parquet"
        table = pd.read_parquet(path).set_index("list") if path.is_file() else pd.DataFrame()
        if metric not in table:
            raise NotRecorded(f"{record.run} recorded no '{metric}' for each list")
        tables.append(table[metric])
    return _over_runs(tables, "lists")


def _over_runs(tables: list[pd.Series], units: str) -> pd.Series:
    first = tables[0].index
    if any(len(t) != len(first) or not t.index.isin(first).all() for t in tables):
        raise ValueError(f"the seeds rank different {units}, so {units} can't be averaged over seeds")
    return pd.concat(tables).groupby(level=0).mean()


def _seed_scores(side: dict[Any, Record], metric: str) -> pd.Series:
    lacking = [record.run for record in side.values() if metric not in record.metrics]
    if lacking:
        raise NotRecorded(f"{lacking[0]} has no metric '{metric}'")
    return pd.Series({seed: float(record.metrics[metric]) for seed, record in side.items()})


def _over_units(a: pd.Series, b: pd.Series, line: float) -> tuple[float, float, float, float]:
    found = paired_bootstrap(a, b, resamples=RESAMPLES_OF_INTERVAL)
    # Flipping signs around a line other than zero would assume symmetry; the bootstrap does not.
    p_value = paired_permutation_test(a, b) if line == 0 else paired_bootstrap(a, b + line).p_value
    return found.difference, found.low, found.high, p_value


def _over_seeds(a: pd.Series, b: pd.Series, line: float) -> tuple[float, float, float, float]:
    differences = paired_differences(a, b)
    effect, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread <= 1e-12 * max(1.0, float(np.abs(differences).max())):
        # Seeds that change nothing: the difference is exact, and a t-test would divide by zero.
        return effect, effect, effect, 1.0 if effect == line else 0.0
    test = stats.ttest_1samp(differences, line)
    low, high = test.confidence_interval(0.95)
    return effect, float(low), float(high), float(test.pvalue)
