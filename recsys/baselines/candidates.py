"""The settings that are tried for each tuned baseline: the default first, then an even spread.

The budget is the caller's, so that every baseline of a table gets the same. The ranges cover those
of Ferrari Dacrema et al. 2019 (arXiv:1907.06902, appendix) as far as one core allows.
"""

from __future__ import annotations

from typing import Any

from recsys.baselines.als import ALS
from recsys.baselines.bpr import BPR
from recsys.baselines.ease import EASE
from recsys.baselines.item_knn import ItemKNN
from recsys.training.hyperparameter_search.samplers import Listed, make_sampler
from recsys.training.hyperparameter_search.spaces import Choice, Range, Real, Whole

BASELINES = {"item_knn": ItemKNN, "ease": EASE, "als": ALS, "bpr": BPR}

RANGES: dict[str, dict[str, Range]] = {
    "item_knn": {
        "neighbours": Whole(5, 1000, log=True),
        "shrink": Real(0.1, 1000, log=True),
        "similarity": Choice(("cosine", "jaccard")),
        "last_items": Choice((None, 1, 2, 5)),
    },
    "ease": {"l2": Real(1, 10_000, log=True)},
    "als": {
        "factors": Whole(16, 256, log=True),
        "regularization": Real(1e-3, 100, log=True),
        "alpha": Real(1, 100, log=True),
        "iterations": Choice((15, 30)),
    },
    "bpr": {
        "factors": Whole(16, 256, log=True),
        "learning_rate": Real(3e-3, 0.1, log=True),
        "regularization": Real(1e-4, 0.1, log=True),
        "iterations": Whole(30, 300, log=True),
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
        Keyword arguments for `BASELINES[name]`, all of them with the same keys.

    Raises:
        ValueError: no such name, or trials < 1.
    """
    if trials < 1:
        raise ValueError(f"need at least one trial, got {trials}")
    sampler = candidates(name, seed)
    return [sampler.propose(number, []) for number in range(trials)]


def candidates(name: str, seed: int = 0, sampler: str = "quasi_random") -> Listed:
    """`candidate_settings` without an end: for a budget in core seconds, or another way of searching.

    Args:
        sampler: of `recsys.training.hyperparameter_search.samplers.SAMPLERS`, after the default.

    Raises:
        ValueError: no such baseline or sampler.
    """
    if name not in RANGES:
        raise ValueError(f"no baseline {name!r} to tune; there are {', '.join(RANGES)}")
    return Listed([DEFAULTS[name]], make_sampler(sampler, RANGES[name], seed))
