"""Settings and results of a study."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from recsys.search.graded import FOLDS
from recsys.search.studies.registry import STUDIES

ALL_FOLDS = -1


@dataclass(frozen=True)
class StudySettings:
    """Settings of a study.

    dataset: of `recsys.search.graded.LOWEST`; studies of logged searches use the demo store's log.
    fold, salt: of the split; fold −1 runs all folds, each with its own train part. loss: of the contrastive
    model. max_steps: of each training; 0: the settings' two epochs. repeats: of random draws within one run.
    seed: of training and of draws.
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
    """Results of a study.

    metrics: of the whole. lists: index "list" (a query or a user), columns "*:difference", whose means are
    tested. table: for display.
    """

    metrics: dict[str, float]
    lists: pd.DataFrame
    table: pd.DataFrame


def study(lists: pd.DataFrame, table: pd.DataFrame, **metrics: float) -> Study:
    """A study's results; adds the means over lists of its differences to the metrics.

    The first difference, the main one, is also added as `difference`, with its standard error over lists.
    """
    means = {name: float(value) for name, value in lists.mean().items() if name.endswith(":difference")}
    first = lists.iloc[:, 0]
    own = {"difference": float(first.mean()), "difference_error": float(first.sem())}
    return Study(means | own | {"lists": float(len(lists))} | metrics, lists.rename_axis("list"), table)


def ask(name: str, settings: StudySettings) -> Study:
    """Run a study by name; with fold −1 on the test parts of all folds, each by its own fold's model.

    Raises:
        RegistryError: no such study. SearchError: as the study.

    Example:
        >>> found = ask("cosine", StudySettings(dataset="demo_store", backbone="random-bert"))
        >>> -1 <= found.metrics["spearman:difference"] <= 1
        True
    """
    function = STUDIES.load(name)
    if settings.fold != ALL_FOLDS:
        return function(settings)
    found = [function(replace(settings, fold=fold)) for fold in range(FOLDS)]
    lists = pd.concat([one.lists for one in found])
    lists = lists.groupby(
        level=0
    ).mean()  # the demo store's folds are independent splits, so a query can occur in several
    tables = pd.concat([one.table for one in found])
    words = [column for column in tables if not pd.api.types.is_numeric_dtype(tables[column])]
    table = tables.groupby(list(dict.fromkeys([tables.columns[0], *words])), sort=False).mean().reset_index()
    rest = (
        pd.DataFrame([one.metrics for one in found]).mean().drop(["lists", "difference", "difference_error"])
    )
    return study(lists, table, **{key: float(rest[key]) for key in rest.index if key not in lists})
