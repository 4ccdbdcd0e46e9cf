"""Logistic regression over concatenated modalities, solved to the optimum and stored in a `Linear` operator.

The baseline that fused networks have to beat. Sparse word vectors stay sparse.

n: items. C: classes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from recsys.multimodal.features import Features
from recsys.multimodal.fusion.concatenation import Linear

UNSEEN = -30.0  # bias of a class without training rows


def fit_linear(
    features: Mapping[str, Features],
    scales: Mapping[str, float],
    labels: np.ndarray,
    train: np.ndarray,
    strength: float,
) -> tuple[Linear, float]:
    """A `Linear` operator with the coefficients of logistic regression, and the seconds that fitting took.

    Args:
        scales: modality → factor (`recsys.multimodal.classifier.input_scales`); larger ones are penalised
            less.
        labels: [n] class codes. train: row numbers.
        strength: inverse regularisation strength (scikit-learn's C), > 0.
    """
    started = time.perf_counter()
    classes = int(labels[train].max()) + 1
    x = design(features, scales, train)
    fitted = LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(x, labels[train])
    weight, bias = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:  # for two classes scikit-learn stores only the difference of their weights
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    operator = linear_operator(features, weight, bias, fitted.classes_, classes)
    return operator, time.perf_counter() - started


def linear_operator(
    features: Mapping[str, Features], weight: np.ndarray, bias: np.ndarray, known: np.ndarray, classes: int
) -> Linear:
    """The operator of coefficients over a `design`: weight [known, ΣD_m + modalities], bias [known].

    Args:
        known: class codes of the rows of `weight`. classes: C; those not known get the bias UNSEEN.
    """
    operator = Linear({name: one.width for name, one in features.items()}, classes, drop=0.0)
    whole, shift = np.zeros((classes, weight.shape[1])), np.full(classes, UNSEEN)
    whole[known], shift[known] = weight, bias
    ends = np.cumsum([one.width for one in features.values()])
    blocks = np.split(whole, ends, axis=1)
    with torch.no_grad():
        for name, block in zip(features, blocks, strict=False):
            operator.maps[name].weight.copy_(torch.from_numpy(block))
        operator.of_mask.weight.copy_(torch.from_numpy(blocks[-1]))
        operator.of_mask.bias.copy_(torch.from_numpy(shift))
    return operator.eval()


def design(features: Mapping[str, Features], scales: Mapping[str, float], rows: np.ndarray):
    """[rows, ΣD_m + modalities]: scaled vectors concatenated, then the mask; sparse if any modality is."""
    mask = np.stack([one.present[rows] for one in features.values()], axis=1).astype(np.float32)
    if any(sparse.issparse(one.vectors) for one in features.values()):
        blocks = [sparse.csr_matrix(one.vectors[rows]) * scales[name] for name, one in features.items()]
        return sparse.hstack([*blocks, sparse.csr_matrix(mask)]).tocsr()
    return np.concatenate([*(one.dense(rows) * scales[name] for name, one in features.items()), mask], axis=1)
