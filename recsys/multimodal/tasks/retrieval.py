"""Cross-modal retrieval: from photo to product name (or product) and back."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge

from recsys.metrics.ranking import ranking_metrics
from recsys.multimodal.alignment import (
    AlignSettings,
    DualTower,
    fit_dual_tower,
    pair_positions,
    positions_of,
)
from recsys.multimodal.features import FeatureError
from recsys.multimodal.tasks.encoded import encoded
from recsys.multimodal.tasks.outcome import Outcome, all_faults, cost_metrics
from recsys.multimodal.tasks.subjects import Subjects

CUTOFFS = (1, 5, 10)


def retrieve(
    subjects: Subjects,
    photo: tuple[str, ...],
    described: tuple[str, ...],
    settings: AlignSettings,
    side: int = 128,
) -> tuple[Outcome, DualTower]:
    """Align photos with names (or with classes that have a description and an iconic picture).

    The test candidates are the distinct names of the test part; where the parts are divided by name stem,
    training saw none of them. A photo's own name is its only hit; every product of that name shares it.

    Args:
        subjects: the labelled items.
        photo: modalities of the left side, for instance ("picture",).
        described: modalities of the right side: "words", "text"; "picture" if classes have one.
        settings: of the towers.
        side: pixels that pictures are scaled to.

    Returns:
        metrics: hr@1, hr@5, hr@10 from photo to name; back_hr@10: share of names with one of their photos
        among the ten nearest; ridge_hr@10: a linear baseline from photo vectors to text vectors;
        random_hr@10; candidates (their number). And the towers.

    Raises:
        FeatureError: the subjects have neither names nor described classes.
    """
    right_table, partner = _right_side(subjects)
    parts = subjects.parts
    size = {"picture": {"side": side}}
    left = encoded(subjects.table, photo, parts["train"], size)
    known = (
        np.arange(len(right_table)) if subjects.classes is not None else np.unique(partner[parts["train"]])
    )
    right = encoded(right_table, described, known, size)
    towers = fit_dual_tower(left, right, partner, parts["train"], parts["validation"], settings)
    test = parts["test"]
    candidates = np.arange(len(right_table)) if subjects.classes is not None else np.unique(partner[test])
    positions = pair_positions(towers, left, right, partner, test, candidates)
    found, _ = ranking_metrics(positions, CUTOFFS)
    metrics = {name: found[name] for name in ("hr@1", "hr@5", "hr@10", "mrr")}
    metrics |= {"candidates": float(len(candidates)), "random_hr@10": min(1.0, 10 / len(candidates))}
    metrics["back_hr@10"] = _back(towers, left, right, partner, test, candidates)
    if photo == ("picture",) and "text" in described and subjects.classes is None:
        metrics["ridge_hr@10"] = _ridge(left["picture"], right["text"], partner, parts, candidates)
    metrics |= {"fit_seconds": towers.seconds, "parameters": float(towers.parameters)} | cost_metrics(left)
    tables = {"training": pd.DataFrame(towers.log)}
    faults = all_faults(left)
    return Outcome(metrics, positions, tables, left, subjects.table, faults), towers


def _right_side(subjects: Subjects) -> tuple[pd.DataFrame, np.ndarray]:
    if subjects.classes is not None:
        names = pd.Index(subjects.classes["name"])
        return subjects.classes, names.get_indexer(subjects.table[subjects.labels[0]])
    if "text" not in subjects.table:
        raise FeatureError(f"{subjects.name} has no names to look photos up by")
    codes, names = pd.factorize(subjects.table["text"], sort=True)
    return pd.DataFrame({"text": names}), codes


def _back(towers, left, right, partner, rows: np.ndarray, candidates: np.ndarray) -> float:
    """Share of names with one of their photos among the ten nearest of all test photos."""
    asked = np.intersect1d(candidates, np.unique(partner[rows]))
    scores = towers.right_vectors(right, asked) @ towers.left_vectors(left, rows).T
    nearest = np.argpartition(-scores, min(10, scores.shape[1] - 1), axis=1)[:, :10]
    return float((partner[rows][nearest] == asked[:, None]).any(axis=1).mean())


def _ridge(picture, text, partner, parts, candidates: np.ndarray, penalty: float = 100.0) -> float:
    """hr@10 of a ridge regression from photo vectors to the names' text vectors."""
    train, test = parts["train"], parts["test"]
    model = Ridge(alpha=penalty).fit(picture.dense(train), text.dense(partner[train]))
    guess, there = model.predict(picture.dense(test)), text.dense(candidates)
    scores = guess @ (there / np.maximum(np.linalg.norm(there, axis=1, keepdims=True), 1e-12)).T
    metrics, _ = ranking_metrics(positions_of(scores, partner[test], test, candidates), (10,))
    return metrics["hr@10"]
