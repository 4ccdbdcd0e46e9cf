"""Classification metrics from scikit-learn, with calibration beside them.

N: examples. C: classes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn import metrics


def binary_metrics(labels: np.ndarray, probabilities: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """Metrics of a yes/no classifier.

    Args:
        labels: [N], 0 or 1.
        probabilities: [N], estimated probability of 1, in [0, 1].
        threshold: predict 1 where the probability is at least this.

    Returns:
        accuracy, precision, recall, f1 (the last three are 0 where no example is predicted 1 or none is 1),
        auc (ROC), average_precision, log_loss (nats), brier, ece, and prevalence, the share of 1: always
        predicting the more frequent class has accuracy max(prevalence, 1 − prevalence).

    Raises:
        ValueError: other labels, probabilities outside [0, 1], or only one class (no AUC exists).

    Example:
        >>> metrics = binary_metrics(np.array([1, 0, 1, 0]), np.array([0.9, 0.2, 0.4, 0.3]))
        >>> metrics["accuracy"], metrics["recall"], metrics["auc"]
        (0.75, 0.5, 1.0)
    """
    labels, probabilities = _checked(labels, probabilities)
    if set(np.unique(labels)) != {0, 1}:
        raise ValueError(f"need both labels 0 and 1, got {np.unique(labels).tolist()[:5]}: AUC is undefined")
    said = (probabilities >= threshold).astype(int)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, said, average="binary", zero_division=0
    )
    return {
        "accuracy": float(metrics.accuracy_score(labels, said)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "auc": float(metrics.roc_auc_score(labels, probabilities)),
        "average_precision": float(metrics.average_precision_score(labels, probabilities)),
        "log_loss": float(metrics.log_loss(labels, probabilities)),
        "brier": float(metrics.brier_score_loss(labels, probabilities)),
        "ece": expected_calibration_error(labels, probabilities),
        "prevalence": float(labels.mean()),
    }


def multiclass_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Metrics of a classifier into C classes.

    Args:
        labels: [N], class numbers 0 to C − 1.
        probabilities: [N, C], rows sum to 1.

    Returns:
        accuracy, macro averages (every class weighs the same) of precision, recall and f1, log_loss
        (nats), brier (summed over classes, in [0, 2]), and ece: the expected calibration error of the
        highest probability, taken as the confidence that the prediction is right (Guo et al. 2017).

    Raises:
        ValueError: shapes or ranges as above do not hold.
    """
    labels, probabilities = _checked(labels, probabilities)
    classes = probabilities.shape[1] if probabilities.ndim == 2 else 0
    if classes < 2 or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must be class numbers 0 to C - 1 for probabilities [N, C], C is {classes}")
    if not np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-4):
        raise ValueError("the probabilities of an example must sum to 1; apply softmax first")
    said = probabilities.argmax(axis=1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, said, labels=range(classes), average="macro", zero_division=0
    )
    truth = np.eye(classes)[labels]
    return {
        "accuracy": float(metrics.accuracy_score(labels, said)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "log_loss": float(metrics.log_loss(labels, probabilities, labels=range(classes))),
        "brier": float(((probabilities - truth) ** 2).sum(axis=1).mean()),
        "ece": expected_calibration_error(said == labels, probabilities.max(axis=1)),
    }


def calibration_table(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Reliability table: predicted against observed probability, in bins of equal width.

    Args:
        labels: [N], 0 or 1 (or bool).
        probabilities: [N], in [0, 1].
        bins: number of bins, >= 1.

    Returns:
        One row for each bin that holds examples: low, high (edges), count, said (mean predicted
        probability), true (observed share of label 1).
    """
    labels, probabilities = _checked(labels, probabilities)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    bin_number = np.minimum((probabilities * bins).astype(int), bins - 1)
    frame = pd.DataFrame({"bin": bin_number, "said": probabilities, "true": labels.astype(float)})
    table = frame.groupby("bin").agg(count=("said", "size"), said=("said", "mean"), true=("true", "mean"))
    table.insert(0, "low", table.index / bins)
    table.insert(1, "high", (table.index + 1) / bins)
    return table.reset_index(drop=True)


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Mean |predicted − observed| over the bins of `calibration_table`, weighted by their counts; in [0, 1].

    Example:
        >>> round(expected_calibration_error(np.array([1, 1, 0, 0]), np.array([0.95, 0.95, 0.25, 0.25])), 3)
        0.15
    """
    table = calibration_table(labels, probabilities, bins)
    return float(np.average((table["said"] - table["true"]).abs(), weights=table["count"]))


def _checked(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, dtype=float)
    if not len(labels) or len(labels) != len(probabilities):
        raise ValueError(f"need as many probabilities as labels, got {len(probabilities)} and {len(labels)}")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("probabilities must lie in [0, 1]; apply a sigmoid or softmax to logits first")
    return labels, probabilities
