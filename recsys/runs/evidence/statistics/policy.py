"""Reads experiments/policy.yaml: the test and the line that follow from a claim's kind and its metric."""

import functools
import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys.runs import paths
from recsys.runs.strict_yaml import validated

# kinds that a single criterion may have; the other three combine several criteria
Rule = Literal["gain", "keeps", "faster", "no effect", "level", "fact"]
Kind = Literal["gain", "keeps", "faster", "no effect", "level", "fact", "can", "all", "most"]


class PolicyError(ValueError):
    """policy.yaml is wrong, or says nothing about a metric."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Line(_Strict):
    """The smallest relevant difference: absolute, relative to the control's mean, or as a ratio."""

    absolute: float | None = Field(default=None, gt=0)
    relative: float | None = Field(default=None, gt=0, description="share of the control's mean")
    at_least: float = Field(default=0.0, ge=0)
    ratio: float | None = Field(default=None, gt=1)

    @model_validator(mode="after")
    def _one_form(self) -> "Line":
        if sum(form is not None for form in (self.absolute, self.relative, self.ratio)) != 1:
            raise ValueError("give one of `absolute`, `relative`, `ratio`")
        return self

    def of(self, control_mean: float) -> float:
        """The line on the scale of the comparison (logarithms where it is a ratio)."""
        if self.ratio is not None:
            return math.log(self.ratio)
        if self.absolute is not None:
            return self.absolute
        return max(self.relative * abs(control_mean), self.at_least)

    def words(self) -> str:
        """The line as text, for the report."""
        if self.ratio is not None:
            return f"a factor of {self.ratio:g}"
        if self.absolute is not None:
            return f"{self.absolute:g}"
        floor = f", at least {self.at_least:g}" if self.at_least else ""
        return f"{100 * self.relative:g} % of the control{floor}"


class Family(_Strict):
    """A family of metrics with the same scale and line."""

    name: str
    metrics: list[str] = Field(min_length=1)
    where: dict[str, list[Any]] = {}
    scale: Literal["difference", "log ratio"] = "difference"
    line: Line | None = None
    fact: bool = False
    timing: bool = False

    def holds(self, metric: str, parameters: Mapping[str, Any]) -> bool:
        """Whether the family contains this metric of runs with these parameters."""
        return any(fnmatchcase(metric, pattern) for pattern in self.metrics) and all(
            parameters.get(name) in values for name, values in self.where.items()
        )


class Untrained(_Strict):
    """Deterministic runs, in which a seed changes nothing."""

    parameters: dict[str, list[Any]] = {}
    experiment: str | None = None
    reason: str

    def holds(self, experiment: str, parameters: Mapping[str, Any]) -> bool:
        """Whether runs of this experiment with these parameters are deterministic."""
        return self.experiment in (None, experiment) and all(
            parameters.get(name) in values for name, values in self.parameters.items()
        )


class Policy(_Strict):
    """The contents of policy.yaml."""

    level: float = Field(gt=0, lt=0.5)
    q_line: float = Field(gt=0, lt=1)
    power: float = Field(gt=0.5, lt=1)
    fewest_seeds: int = Field(ge=2)
    fewest_sessions: int = Field(ge=2)
    confirming_seeds_from: int
    families: list[Family]
    does_not_train: list[Untrained] = []

    def family(self, metric: str, parameters: Mapping[str, Any]) -> Family:
        """The first family that contains the metric.

        Raises:
            PolicyError: there is none.
        """
        for family in self.families:
            if family.holds(metric, parameters):
                return family
        raise PolicyError(f"policy.yaml names no family for the metric '{metric}': add it to one first")

    def trains(self, experiment: str, parameters: Mapping[str, Any]) -> bool:
        """Whether another seed could give another result."""
        return not any(entry.holds(experiment, parameters) for entry in self.does_not_train)


@functools.cache
def load_policy(path: Path | None = None) -> Policy:
    """Read policy.yaml (default: the project's).

    Raises:
        PolicyError: with its line: unreadable, a duplicate key, an unknown name, a value of another type.
    """
    return validated(Policy, path or paths.EXPERIMENTS / "policy.yaml", PolicyError)[0]
