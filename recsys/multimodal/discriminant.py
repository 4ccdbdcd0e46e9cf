"""Regularised linear discriminant over concatenated modalities: a closed form, sound with few rows a class.

Friedman 1989 ("Regularized discriminant analysis", JASA 84), with one covariance for all classes: their
pooled within-class covariance S, drawn to a multiple of the identity, (1 − a) S + a (tr S / D) I. Directions
in which photos of one product differ (light, shelf, hand) count little; logistic regression has to learn that
from thirty photos a class.

n: items. C: classes. D: entries of the concatenated vectors.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from recsys.multimodal.features import FeatureError, Features
from recsys.multimodal.fusion.concatenation import Linear
from recsys.multimodal.linear_classifier import design, linear_operator


def fit_discriminant(
    features: Mapping[str, Features],
    scales: Mapping[str, float],
    labels: np.ndarray,
    train: np.ndarray,
    strength: float,
) -> tuple[Linear, float]:
    """A Linear operator with the discriminant's coefficients, and the seconds it took.

    Args:
        scales: of each modality (`recsys.multimodal.classifier.input_scales`).
        strength: a, the share of the identity, in (0, 1].

    Raises:
        FeatureError: a share outside of it.
    """
    if not 0 < strength <= 1:
        raise FeatureError(f"a discriminant's strength is a share in (0, 1], got {strength}")
    started = time.perf_counter()
    x = design(features, scales, train)
    x = np.asarray(x.toarray() if sparse.issparse(x) else x, dtype=np.float64)
    classes, codes, counts = np.unique(labels[train], return_inverse=True, return_counts=True)
    means = np.zeros((len(classes), x.shape[1]))
    np.add.at(means, codes, x)
    means /= counts[:, None]
    weight = _solved(x - means[codes], means.T, strength).T
    bias = np.log(counts / len(train)) - 0.5 * (weight * means).sum(axis=1)
    operator = linear_operator(features, weight, bias, classes, int(labels[train].max()) + 1)
    return operator, time.perf_counter() - started


def _solved(centred: np.ndarray, right: np.ndarray, share: float) -> np.ndarray:
    """Σ⁻¹ right, [D, C], with Σ of the module's formula; by n × n matrices where there are fewer rows."""
    rows, width = centred.shape
    level = max(float(np.square(centred).sum()) / rows / width, 1e-12) * share
    part = (1 - share) / rows
    if width <= rows:
        covariance = part * centred.T @ centred
        covariance[np.diag_indices(width)] += level
        return cho_solve(cho_factor(covariance), right)
    if part == 0:
        return right / level
    between = centred @ centred.T
    between[np.diag_indices(rows)] += level / part
    return (right - centred.T @ cho_solve(cho_factor(between), centred @ right)) / level
