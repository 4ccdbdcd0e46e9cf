"""Criteria: the comparisons that decide a claim, and the runs that match them."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys.runs.evidence.statistics.policy import Rule
from recsys.runs.grid.experiment import PROFILES
from recsys.runs.records import Record


class Ambiguous(ValueError):
    """Two runs with the same seed match a side of a criterion, so it is ambiguous."""


class Criterion(BaseModel):
    """One comparison, treatment minus control, and the direction that the claim asserts.

    Test and line follow from the kind and the metric (experiments/policy.yaml); `kind` is needed only where
    it differs from the claim's, as in "faster, and keeps its quality".
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    metric: str
    treatment: dict[str, Any] = Field(description="parameters of the runs that are claimed to differ")
    control: dict[str, Any] | None = None
    value: float | None = Field(default=None, description="a fixed number in place of a control")
    experiment: str | None = Field(default=None, description="when it is not the claim's own")
    control_experiment: str | None = Field(default=None, description="when the control's runs are another's")
    where: dict[str, Any] = Field(default={}, description="parameters that both sides share")
    each: dict[str, list[Any]] = Field(default={}, description="ask again for every combination of these")
    pair: Literal["user", "list", "seed"]
    alternative: Literal["greater", "less"] | None = Field(
        default=None, description="the side that the claim asserts; none for `no effect`"
    )
    kind: Rule | None = Field(default=None, description="when it is not the claim's own")
    line: float | None = Field(default=None, gt=0, description="instead of the policy's")
    line_reason: str | None = Field(
        default=None, min_length=1, description="why, written before its first record"
    )
    setting: str | None = Field(
        default=None, description="for `can`, `all`, `most`: criteria of one setting are needed together"
    )
    gain_over: dict[str, Any] = Field(
        default={},
        description="compare gains: each side's own runs with these parameters are subtracted first",
    )
    seen_at_most: int | None = Field(
        default=None,
        ge=0,
        description="only targets with so many training events (column train_count of the ranks)",
    )

    @model_validator(mode="after")
    def _whole(self) -> "Criterion":
        if (self.control is None) == (self.value is None):
            raise ValueError("give either `control` (parameters) or `value` (a number)")
        if self.pair == "list" and self.metric.endswith(":difference") and self.control is not None:
            raise ValueError(f"{self.metric} is a difference within a run: give `value`, not `control`")
        if self.gain_over and self.control is None:
            raise ValueError("`gain_over` compares two gains: give `control`, not `value`")
        if (self.line is None) != (self.line_reason is None):
            raise ValueError("a `line` other than the policy's needs a `line_reason`, and only then has one")
        if self.seen_at_most is not None and self.pair != "user":
            raise ValueError("`seen_at_most` chooses among users' targets: pair by user")
        return self

    @model_validator(mode="after")
    def _once(self) -> "Criterion":
        for name, values in self.each.items():
            if not values or len(set(map(repr, values))) < len(values):
                raise ValueError(f"each: {name} needs values, each once, got {values}")
        sides = {"treatment": self.treatment, "control": self.control or {}}
        for what, shared in (("where", self.where), ("each", self.each)):
            others = sides if what == "where" else {**sides, "where": self.where}
            for side, own in others.items():
                if both := sorted(shared.keys() & own.keys()):
                    raise ValueError(f"'{both[0]}' stands in both {what} and {side}: give it once")
        if self.control == self.treatment and self.control_experiment is None:
            raise ValueError("treatment and control are the same runs")
        for side, own in sides.items():
            if self.gain_over and own | self.gain_over == own:
                raise ValueError(f"gain_over chooses the runs of the {side} itself")
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

    @property
    def sign(self) -> int:
        """1 where the claim asserts more, −1 where it asserts less."""
        return -1 if self.alternative == "less" else 1

    @property
    def place(self) -> str:
        """The shared parameters in words, such as "dataset=beauty"."""
        words = [f"{name}={value}" for name, value in self.where.items() if value not in ("", "none", 0)]
        if self.seen_at_most is not None:
            words.append(f"items bought at most {self.seen_at_most} times in training")
        return ", ".join(words)

    def sides(self, experiment: str) -> dict[str, tuple[str, dict[str, Any]]]:
        """Experiment and parameters of each side's runs, by the side's name ("treatment", "control", ...)."""
        own = self.experiment or experiment
        asked = {"treatment": (own, self.where | self.treatment)}
        if self.control is not None:
            asked["control"] = (self.control_experiment or own, self.where | self.control)
        if self.gain_over:
            asked |= {f"{s}'s start": (e, p | self.gain_over) for s, (e, p) in asked.items()}
        return asked


@dataclass(frozen=True)
class Matched:
    """The matching runs of every side by seed, all from one profile."""

    sides: dict[str, dict[Any, Record]]
    profile: str

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the matched runs."""
        return tuple(dict.fromkeys(r.run for side in self.sides.values() for r in side.values()))

    @property
    def records(self) -> list[Record]:
        """The matched records of all sides."""
        return [record for side in self.sides.values() for record in side.values()]


class Records:
    """Records indexed by experiment."""

    def __init__(self, records: list[Record]) -> None:
        self.by_experiment: dict[str, list[Record]] = {}
        for record in records:
            self.by_experiment.setdefault(record.experiment, []).append(record)

    def matching(self, experiment: str, wanted: Mapping[str, Any]) -> list[Record]:
        """The experiment's records that have all the wanted parameters."""
        return [
            record
            for record in self.by_experiment.get(experiment, ())
            if all(n in record.parameters and record.parameters[n] == v for n, v in wanted.items())
        ]


def match(criterion: Criterion, experiment: str, records: Records) -> Matched | str:
    """The runs that match a criterion, from the largest profile with all sides; else what is missing.

    Raises:
        Ambiguous: two runs of one seed match a side.
    """
    found = {side: records.matching(*asked) for side, asked in criterion.sides(experiment).items()}
    present = set.intersection(*({record.profile for record in side} for side in found.values()))
    profile = max(present, key=PROFILES.index, default=None)
    if profile is None:
        missing = next((side for side, runs in found.items() if not runs), "two sides in one profile")
        return f"no record of the {missing}" + (f" ({criterion.place})" if criterion.place else "")
    of_profile = {side: [run for run in runs if run.profile == profile] for side, runs in found.items()}
    return Matched({side: _by_seed(runs) for side, runs in of_profile.items()}, profile)


def _by_seed(records: list[Record]) -> dict[Any, Record]:
    found: dict[Any, Record] = {}
    for record in records:
        if record.seed in found:
            names = set(record.parameters) | set(found[record.seed].parameters)
            other = found[record.seed].parameters
            differ = sorted(n for n in names if record.parameters.get(n) != other.get(n))
            raise Ambiguous(
                f"two runs match for seed {record.seed}; they differ in {', '.join(differ) or 'threads'}: "
                "the criterion's `where` must choose one"
            )
        found[record.seed] = record
    return dict(sorted(found.items(), key=lambda item: repr(item[0])))
