"""Samplers: which settings to try next, with one interface for grid, random, quasi-random and TPE search.

A sampler proposes the settings of trial k from k and the results of earlier trials. Grid, random and
quasi-random samplers use k alone, so that an interrupted search resumes exactly, whatever the order in which
parallel trials end. TPE uses the history (`tpe`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from recsys.code.registry import Registry
from recsys.training.hyperparameter_search.spaces import Choice, Space, SpaceError, settings_at
from recsys.training.hyperparameter_search.trial import Trial


class Sampler(Protocol):
    """Proposes settings."""

    def propose(
        self, number: int, history: Sequence[Trial], running: Sequence[Mapping[str, Any]] = ()
    ) -> dict[str, Any] | None:
        """The settings of trial `number` (from 0), or None when there is nothing left to try.

        Args:
            history: the trials that have ended. running: settings of those that have not.
        """


SAMPLERS = Registry(
    "sampler",
    {
        "grid": "recsys.training.hyperparameter_search.samplers:Grid",
        "random": "recsys.training.hyperparameter_search.samplers:Random",
        "quasi_random": "recsys.training.hyperparameter_search.quasi_random:QuasiRandom",
        "tpe": "recsys.training.hyperparameter_search.tpe:TPE",
    },
)


def make_sampler(name: str, space: Space, seed: int = 0, **options: Any) -> Sampler:
    """The sampler of that name.

    Args:
        name: "grid", "random", "quasi_random", "tpe", or another entry of `SAMPLERS`.
        space: parameter → range (`spaces`).
        seed: of the draws.
        options: of the sampler's class; `tpe` takes `metrics`, the metrics that it learns from, and
            `directions`, "max" or "min" for each.

    Raises:
        recsys.code.registry.RegistryError: no such sampler. SpaceError: the sampler cannot search the space.

    Example:
        >>> from recsys.training.hyperparameter_search.spaces import Choice
        >>> sampler = make_sampler("grid", {"factors": Choice((32, 64))})
        >>> sampler.propose(1, history=[])
        {'factors': 64}
    """
    return SAMPLERS.load(name)(space, seed, **options)


class Listed:
    """The given settings, one after the other; then another sampler, or nothing.

    With a library's defaults first, a search never does worse on validation than the defaults.
    """

    def __init__(self, settings: Sequence[Mapping[str, Any]], then: Sampler | None = None):
        self.settings, self.then = [dict(one) for one in settings], then

    def propose(self, number, history, running=()):
        if number < len(self.settings):
            return dict(self.settings[number])
        return self.then and self.then.propose(number - len(self.settings), history, running)


class Grid:
    """Every combination once, the last parameter changing fastest.

    Raises:
        SpaceError: a range is no `Choice`.
    """

    def __init__(self, space: Space, seed: int = 0, **_: Any):
        if wrong := [name for name, one in space.items() if not isinstance(one, Choice)]:
            raise SpaceError(f"{', '.join(wrong)}: a grid needs choices, not ranges")
        self.names = list(space)
        self.points = list(itertools.product(*(one.values for one in space.values())))

    def propose(self, number, history, running=()):
        return dict(zip(self.names, self.points[number], strict=True)) if number < len(self.points) else None


class Random:
    """Independent points, uniform over the unit cube; trial k is drawn from (seed, k) alone."""

    def __init__(self, space: Space, seed: int = 0, **_: Any):
        self.space, self.seed = dict(space), seed

    def propose(self, number, history, running=()):
        row = np.random.default_rng((self.seed, number)).random(len(self.space))
        return settings_at(self.space, row.tolist())
