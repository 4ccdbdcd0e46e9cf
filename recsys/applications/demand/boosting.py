"""Gradient boosting over all products at once: one ensemble of trees for each quantile (scikit-learn)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from recsys.applications.demand.features import known_at
from recsys.applications.demand.forecaster import Common, Entry, Forecast, as_forecast, training_samples
from recsys.applications.demand.weekly import WeeklyDemand


class Boosting:
    """Trees of the features of `known_at`; pinball loss in pieces, by weights.

    Args:
        common: seed, levels; its text is read where `words` says so.
        leaves: of each tree. rate: of learning. iterations: trees of each quantile.
    """

    def __init__(self, common: Common, words: bool, leaves: int, rate: float, iterations: int = 80):
        self.common, self.text = common, common.text if words else None
        self.options = {
            "max_leaf_nodes": leaves,
            "learning_rate": rate,
            "max_iter": iterations,
            "min_samples_leaf": 50,
            "early_stopping": False,
            "random_state": common.seed,
        }

    def fit(self, demand: WeeklyDemand, until: int, horizon: int) -> Boosting:
        self.horizon = horizon
        samples = training_samples(demand, until, horizon, self.text)
        self.models = [
            HistGradientBoostingRegressor(loss="quantile", quantile=level, **self.options).fit(
                samples.features, samples.target, samples.weight
            )
            for level in self.common.levels
        ]
        return self

    def forecast(self, demand: WeeklyDemand, origin: int) -> Forecast:
        known = known_at(demand, origin, self.horizon, self.text)
        scaled = np.column_stack([model.predict(known.features) for model in self.models])
        return as_forecast(known.active, known.scale, scaled)


SETTINGS = ({"leaves": 15, "rate": 0.1}, {"leaves": 31, "rate": 0.1}, {"leaves": 15, "rate": 0.05})


def _without(common: Common, setting: Mapping[str, Any]) -> Boosting:
    return Boosting(common, False, **setting)


def _with(common: Common, setting: Mapping[str, Any]) -> Boosting:
    return Boosting(common, True, **setting)


BOOSTING = Entry(_without, SETTINGS)
BOOSTING_TEXT = Entry(_with, SETTINGS, needs_text=True)
