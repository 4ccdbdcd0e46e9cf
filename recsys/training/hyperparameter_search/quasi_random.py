"""The quasi-random sampler, by itself: its library takes a second to import, which no other search needs."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import qmc

from recsys.training.hyperparameter_search.spaces import Space, settings_at


class QuasiRandom:
    """A scrambled Halton sequence: covers the space evenly at every length, without repeating values."""

    def __init__(self, space: Space, seed: int = 0, **_: Any):
        self.space = dict(space)
        self._sequence = qmc.Halton(len(space), rng=np.random.default_rng(seed))
        self._rows: list[list[float]] = []

    def propose(self, number, history, running=()):
        if number >= len(self._rows):
            self._rows += self._sequence.random(number + 1 - len(self._rows)).tolist()
        return settings_at(self.space, self._rows[number])
