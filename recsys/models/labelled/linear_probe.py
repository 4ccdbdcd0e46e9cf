"""Linear probe: a linear model on the untuned encoder's vectors, used as the start of a trained head.

A randomly initialised head distorts the encoder during its first steps (Kumar et al. 2022, arXiv:2202.10054:
first the probe, then fine-tuning). In trainings of about fifty steps that would be most of them, and a
comparison of tuning methods would mainly compare heads.

n: texts. D: width of the encoder. C: outputs.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge


def linear_probe(
    vectors: np.ndarray, labels: np.ndarray, outputs: int, strength: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Weights [C, D] and biases [C]: logits of classes, or one grade.

    Args:
        vectors: [n, D], n ≥ 1. labels: [n], codes 0 … C − 1 (int), or grades (float) with C = 1.
        outputs: C.
        strength: inverse of the L2 penalty, > 0.

    A class that is not among the labels gets zero weights and the smallest bias.
    """
    seen = np.unique(labels)
    if outputs == 1:
        grades = Ridge(alpha=1 / strength).fit(vectors, labels)
        return grades.coef_[None], np.array([grades.intercept_])
    weight, bias = np.zeros((outputs, vectors.shape[1])), np.zeros(outputs)
    if len(seen) == 1:
        bias[seen] = 1
        return weight, bias
    model = LogisticRegression(C=strength, max_iter=300).fit(vectors, labels)
    if len(seen) == 2:  # scikit-learn returns the difference of the two classes only
        weight[seen] = np.concatenate([-model.coef_, model.coef_]) / 2
        bias[seen] = np.concatenate([-model.intercept_, model.intercept_]) / 2
    else:
        weight[seen], bias[seen] = model.coef_, model.intercept_
    bias[np.setdiff1d(np.arange(outputs), seen)] = bias[seen].min()
    return weight, bias
