"""The settings that are tried for each tuned baseline: the default first, then a quasi-random sequence.

The budget is the caller's, so that every baseline of a table gets the same. The ranges cover those
of Ferrari Dacrema et al. 2019 (arXiv:1907.06902, appendix) as far as one core allows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recsys.code.registry import Registry
from recsys.training.hyperparameter_search.samplers import Listed, make_sampler
from recsys.training.hyperparameter_search.spaces import Range

BASELINES = Registry(
    "tuned baseline",
    {
        "item_knn": "recsys.baselines.item_knn:TUNED",
        "ease": "recsys.baselines.ease:TUNED",
        "als": "recsys.baselines.als:TUNED",
        "bpr": "recsys.baselines.bpr:TUNED",
    },
)


@dataclass(frozen=True)
class TunedBaseline:
    """The registry entry of a tuned baseline.

    Attributes:
        make: its class; called with settings it gives an unfitted model with `fit` and `score`.
        default: the first setting that is tried, the library's or the paper's.
        ranges: search space, parameter → range.
        seeded: whether its result depends on random numbers, so that it takes `seed`.
    """

    make: Callable[..., Any]
    default: dict[str, Any]
    ranges: dict[str, Range]
    seeded: bool = False

    def seeds(self, seed: int) -> dict[str, int]:
        """Keyword arguments that pass on a run's seed: {} for a deterministic baseline."""
        return {"seed": seed} if self.seeded else {}


def candidate_settings(name: str, trials: int, seed: int = 0) -> list[dict[str, Any]]:
    """Settings to try: the library's or paper's default, then a scrambled Halton sequence over the ranges.

    The sequence covers the ranges evenly at every length, and a longer list begins with the shorter one of
    the same seed. Numbers are spread evenly over their logarithm.

    Args:
        name: of `BASELINES`.
        trials: length of the list, ≥ 1.
        seed: scrambles the sequence.

    Returns:
        Keyword arguments for the baseline's class, all of them with the same keys.

    Raises:
        ValueError: no such name, or trials < 1.

    Example:
        >>> candidate_settings("ease", trials=1)
        [{'l2': 500.0}]
    """
    if trials < 1:
        raise ValueError(f"need at least one trial, got {trials}")
    sampler = candidates(name, seed)
    return [sampler.propose(number, []) for number in range(trials)]


def candidates(name: str, seed: int = 0, sampler: str = "quasi_random") -> Listed:
    """A sampler of settings: as `candidate_settings` without an end, for a budget in core seconds.

    Args:
        sampler: of `recsys.training.hyperparameter_search.samplers.SAMPLERS`, after the default.

    Raises:
        ValueError: no such baseline or sampler.
    """
    baseline = BASELINES.load(name)
    return Listed([baseline.default], make_sampler(sampler, baseline.ranges, seed))
