import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys.multimodal.classifier import FitSettings, fit_classifier, hide_some
from recsys.multimodal.features import FeatureError, Features
from recsys.multimodal.fusion.registry import OPERATORS

PARTS = np.arange(300), np.arange(300, 400), np.arange(400, 600)


def exclusive_or(n: int = 600, seed: int = 0):
    """A label that neither modality tells alone: whether their two signs agree."""
    random = np.random.default_rng(seed)
    a, b = random.integers(0, 2, n), random.integers(0, 2, n)
    there = np.ones(n, bool)
    one = np.eye(2, dtype=np.float32)[a] + 0.05 * random.normal(size=(n, 2)).astype(np.float32)
    other = sparse.csr_matrix(np.eye(2, dtype=np.float32)[b])
    return {"a": Features("a", one, there), "b": Features("b", other, there)}, (a ^ b).astype(np.int64)


def accuracy(operator: str, **changes) -> float:
    features, labels = exclusive_or()
    chosen = FitSettings(operator=operator, inner=32, drop=0.0, batch=32, epochs=40, patience=40, rate=5e-3)
    fitted = fit_classifier(features, labels, PARTS[0], PARTS[1], chosen, (changes,))
    return float((fitted.scores(features, PARTS[2]).argmax(axis=1) == labels[PARTS[2]]).mean())


@pytest.mark.parametrize("operator", ["concatenation", "gated", "bilinear", "cross_attention", "experts"])
def test_operators_that_fuse_vectors_learn_what_no_modality_tells_alone(operator):
    assert accuracy(operator) > 0.95


@pytest.mark.parametrize("operator", ["linear", "late", "discriminant"])
def test_sums_of_scores_cannot(operator):
    assert accuracy(operator) < 0.8


def test_the_same_seed_gives_the_same_scores():
    features, labels = exclusive_or()
    settings = FitSettings(operator="gated", inner=16, epochs=3)
    one, two = (fit_classifier(features, labels, *PARTS[:2], settings) for _ in range(2))
    assert (one.scores(features, PARTS[2]) == two.scores(features, PARTS[2])).all()


def test_logistic_regression_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    from recsys.multimodal.classifier import input_scales
    from recsys.multimodal.linear_classifier import design

    features, _ = exclusive_or()
    labels = (np.arange(600) % 3).astype(np.int64)
    fitted = fit_classifier(
        features, labels, *PARTS[:2], FitSettings(operator="linear"), ({"strength": 1.0},)
    )
    x = design(features, input_scales(features, PARTS[0]), np.arange(600))
    oracle = LogisticRegression(C=1.0, max_iter=300, tol=1e-3).fit(x[PARTS[0]], labels[PARTS[0]])
    assert np.allclose(fitted.scores(features, PARTS[2]), oracle.predict_log_proba(x[PARTS[2]]), atol=1e-3)


@pytest.mark.parametrize("width", [6, 900])  # fewer entries than rows, and more
def test_the_discriminant_is_that_of_the_textbook(width):
    from recsys.multimodal.classifier import input_scales
    from recsys.multimodal.linear_classifier import design

    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 200)[random.permutation(600)]
    noise = random.normal(size=(600, width)) @ np.diag(random.uniform(0.1, 2, width))
    vectors = (noise + 0.3 * random.normal(size=(3, width))[labels]).astype(np.float32)
    features = {"a": Features("a", vectors, np.ones(600, bool))}
    chosen = FitSettings(operator="discriminant", strength=0.3)
    fitted = fit_classifier(features, labels, *PARTS[:2], chosen)
    x = design(features, input_scales(features, PARTS[0]), np.arange(600)).astype(np.float64)
    train, counts = x[PARTS[0]], np.bincount(labels[PARTS[0]])
    means = np.stack([train[labels[PARTS[0]] == k].mean(axis=0) for k in range(3)])
    within = train - means[labels[PARTS[0]]]
    pooled = within.T @ within / len(train)
    pooled = 0.7 * pooled + 0.3 * np.trace(pooled) / len(pooled) * np.eye(len(pooled))
    away = x[PARTS[2]][:, None] - means
    scores = -0.5 * np.einsum("ncd,de,nce->nc", away, np.linalg.inv(pooled), away) + np.log(counts)
    wanted = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    assert np.allclose(fitted.scores(features, PARTS[2]), wanted, atol=1e-3)
    with pytest.raises(FeatureError, match="a share in"):
        fit_classifier(features, labels, *PARTS[:2], FitSettings(operator="discriminant", strength=0.0))


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=8), st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_modality_dropout_hides_only_what_is_there_and_never_all(mask, share):
    present = torch.tensor(mask)
    kept = hide_some(present, share, torch.Generator().manual_seed(0))
    assert not (kept & ~present).any()
    assert (kept.any(dim=1) == present.any(dim=1)).all()


def test_rows_without_a_label_and_uneven_modalities_are_refused():
    features, labels = exclusive_or()
    labels[0] = -1
    with pytest.raises(FeatureError, match="1 rows have no label"):
        fit_classifier(features, labels, *PARTS[:2], FitSettings())
    with pytest.raises(FeatureError, match="differ in length"):
        fit_classifier(features, labels[:10], *PARTS[:2], FitSettings())
    assert "late" in OPERATORS
