"""The settings that are tried for each tuned baseline: the default first, then an even spread.

The number of trials is the caller's, so that every baseline of a table gets the same. The ranges cover those
of Ferrari Dacrema et al. 2019 (arXiv:1907.06902, appendix) as far as one core allows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import qmc

from recsys.code.registry import Registry

BASELINES = Registry(
    "tuned baseline",
    {
        "item_knn": "recsys.baselines.item_knn:ItemKNN",
        "ease": "recsys.baselines.ease:EASE",
        "als": "recsys.baselines.als:ALS",
        "bpr": "recsys.baselines.bpr:BPR",
    },
)

Scale = Callable[[float], Any]  # [0, 1) -> value of a setting


def _log(low: float, high: float) -> Scale:
    return lambda unit: float(f"{low * (high / low) ** unit:.3g}")


def _whole(low: int, high: int) -> Scale:
    return lambda unit: round(low * (high / low) ** unit)


def _one_of(values: Sequence[Any]) -> Scale:
    return lambda unit: values[int(unit * len(values))]


RANGES: dict[str, dict[str, Scale]] = {
    "item_knn": {
        "neighbours": _whole(5, 1000),
        "shrink": _log(0.1, 1000),
        "similarity": _one_of(("cosine", "jaccard")),
        "last_items": _one_of((None, 1, 2, 5)),
    },
    "ease": {"l2": _log(1, 10_000)},
    "als": {
        "factors": _whole(16, 256),
        "regularization": _log(1e-3, 100),
        "alpha": _log(1, 100),
        "iterations": _one_of((15, 30)),
    },
    "bpr": {
        "factors": _whole(16, 256),
        "learning_rate": _log(3e-3, 0.1),
        "regularization": _log(1e-4, 0.1),
        "iterations": _whole(30, 300),
    },
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "item_knn": {"neighbours": 100, "shrink": 10.0, "similarity": "cosine", "last_items": None},
    "ease": {"l2": 500.0},
    "als": {"factors": 100, "regularization": 0.01, "alpha": 1.0, "iterations": 15},
    "bpr": {"factors": 100, "learning_rate": 0.01, "regularization": 0.01, "iterations": 100},
}


def candidate_settings(name: str, trials: int, seed: int = 0) -> list[dict[str, Any]]:
    """Settings to try: the library's or paper's default, then a scrambled Halton sequence over the ranges.

    The sequence spreads evenly however long it is, and a longer list begins with the shorter one of the same
    seed. Numbers are spread over their logarithm.

    Args:
        name: of `BASELINES`.
        trials: length of the list, ≥ 1.
        seed: scrambles the sequence.

    Returns:
        Keyword arguments for `BASELINES.load(name)`, all of them with the same keys.

    Raises:
        ValueError: no such name, or trials < 1.
    """
    if name not in RANGES:
        raise ValueError(f"no baseline {name!r} to tune; there are {', '.join(RANGES)}")
    if trials < 1:
        raise ValueError(f"need at least one trial, got {trials}")
    scales = RANGES[name]
    units = qmc.Halton(len(scales), rng=np.random.default_rng(seed)).random(trials - 1)
    spread = [
        {setting: scale(unit) for (setting, scale), unit in zip(scales.items(), row, strict=True)}
        for row in units.tolist()
    ]
    return [dict(DEFAULTS[name]), *spread]
