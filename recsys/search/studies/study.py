"""What a study is asked with, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class StudySettings:
    """dataset: of `recsys.search.graded.LOWEST`; studies of logged searches take the demo store's log.

    fold, salt: of the division. max_steps: of each training; 0 the settings' own two passes. repeats: of
    what is drawn again within one run. seed: of training and of draws.
    """

    dataset: str = "demo_store"
    backbone: str = "minilm"
    loss: str = "both"
    fold: int = 0
    salt: str = "recsys"
    max_steps: int = 0
    repeats: int = 20
    seed: int = 0


@dataclass(frozen=True)
class Study:
    """metrics: of the whole. lists: index "list" (a query or a user), columns "*:difference" whose mean is
    judged. table: what a reader sees."""

    metrics: dict[str, float]
    lists: pd.DataFrame
    table: pd.DataFrame


def study(lists: pd.DataFrame, table: pd.DataFrame, **metrics: float) -> Study:
    """A study's answer; each difference's mean over lists stands among the metrics under its own name."""
    means = {name: float(value) for name, value in lists.mean().items() if name.endswith(":difference")}
    return Study(means | {"lists": float(len(lists))} | metrics, lists.rename_axis("list"), table)
