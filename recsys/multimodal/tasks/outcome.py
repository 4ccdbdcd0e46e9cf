"""What a task returns to its notebook: metrics, rank positions, tables, and features to plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from recsys.metrics.ranking import rank_positions, ranking_metrics
from recsys.multimodal.features import Features

CUTOFFS = (1, 5, 10)


@dataclass(frozen=True)
class Outcome:
    """The result of one run of a task.

    metrics: name → number. positions: columns user (the evaluated row or user), item, better, equal, as
    `record` keeps them. tables: name → further tables to keep. features: of the modalities in use, for plots
    of nearest neighbours. table: the items. faults: files that could not be decoded.
    """

    metrics: dict[str, float]
    positions: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    features: Mapping[str, Features]
    table: pd.DataFrame
    faults: pd.DataFrame = field(default_factory=pd.DataFrame)


def class_positions(scores: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> pd.DataFrame:
    """Rank position of each row's true class among all classes: `user` is the row, `item` the class.

    "hr@1" of `ranking_metrics` is then the accuracy, and all metrics can be recomputed from the ranks.

    Args:
        scores: [rows, C]. labels: [rows] class codes; a class not seen in training has a code ≥ C and is
            ranked last.
        rows: [rows] row numbers, for the column user.
    """
    classes = scores.shape[1]
    unseen = labels >= classes
    if unseen.any():
        room = np.full((len(scores), int(labels.max()) + 1 - classes), -np.inf, scores.dtype)
        scores = np.concatenate([scores, room], axis=1)
    return rank_positions(scores, rows, pd.DataFrame({"user": rows, "item": labels}))


def class_metrics(positions: pd.DataFrame) -> dict[str, float]:
    """hr@1 (the accuracy), hr@5, mrr, and macro_recall (the accuracy averaged over classes)."""
    metrics, _ = ranking_metrics(positions, CUTOFFS)
    right = (positions["better"] == 0).groupby(positions["item"]).mean()
    kept = {name: metrics[name] for name in ("hr@1", "hr@5", "mrr")}
    return kept | {"accuracy": metrics["hr@1"], "macro_recall": float(right.mean())}


def cost_metrics(features: Mapping[str, Features]) -> dict[str, float]:
    """Cost of each modality in use: ms an item to encode (0 from a warm store), MB, parameters, coverage.

    files_decoded: of all of them together in this run, so that a sweep can be counted.
    """
    found = {"files_decoded": sum(one.costs.get("decoded", 0.0) for one in features.values())}
    for name, one in features.items():
        made = one.costs.get("encoded", 0.0)
        found[f"{name}_ms_per_item"] = 1000 * one.costs.get("seconds", 0.0) / made if made else 0.0
        found[f"{name}_megabytes"] = one.costs.get("megabytes", 0.0)
        found[f"{name}_parameters"] = one.costs.get("parameters", 0.0)
        found[f"{name}_present"] = float(one.present.mean())
        found[f"{name}_decoded"] = one.costs.get("decoded", 0.0)
    return found


def all_faults(features: Mapping[str, Features]) -> pd.DataFrame:
    """Files that could not be decoded, of all modalities."""
    found = [one.faults.assign(modality=name) for name, one in features.items() if len(one.faults)]
    empty = pd.DataFrame(columns=["row", "file", "reason", "modality"])
    return pd.concat(found, ignore_index=True) if found else empty
