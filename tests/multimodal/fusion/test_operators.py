"""What every operator keeps, whatever it is."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.multimodal.fusion.registry import OPERATORS

WIDTHS = {"words": 7, "picture": 5, "sound": 3}


def made(name: str, widths=WIDTHS, outputs: int = 4):
    torch.manual_seed(0)
    return OPERATORS.load(name)(widths, outputs, inner=16, drop=0.3).eval()


def inputs(rows: int, present: torch.Tensor, seed: int = 0):
    draws = torch.Generator().manual_seed(seed)
    parts = {name: torch.randn(rows, width, generator=draws) for name, width in WIDTHS.items()}
    return {name: part * present[:, [k]] for k, (name, part) in enumerate(parts.items())}


@pytest.mark.parametrize("name", OPERATORS)
@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None)
def test_an_item_s_output_depends_on_no_other_item_and_is_finite_without_modalities(name, mask):
    present = torch.tensor(mask)
    operator = made(name)
    parts = inputs(len(mask), present)
    with torch.no_grad():
        whole = operator(parts, present)
        for row in range(len(mask)):
            alone = operator({n: part[[row]] for n, part in parts.items()}, present[[row]])
            assert torch.allclose(alone[0], whole[row], atol=1e-5)
    assert whole.shape == (len(mask), 4)
    assert torch.isfinite(whole).all()


@pytest.mark.parametrize("name", OPERATORS)
def test_every_modality_reaches_the_output_and_every_parameter_learns(name):
    operator = made(name)
    present = torch.ones(6, 3, dtype=torch.bool)
    parts = inputs(6, present)
    before = operator(parts, present)
    for changed in WIDTHS:
        other = {**parts, changed: parts[changed] + 1}
        assert not torch.allclose(operator(other, present), before, atol=1e-6)
    sum(head.square().sum() for head in operator.heads(parts, present)).backward()
    idle = [n for n, p in operator.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # what softmax and shifts cannot see: a key's bias, a constant added to all logits
    assert [n for n in idle if "in_proj_bias" not in n] == []


@pytest.mark.parametrize("name", ["gated", "cross_attention", "late"])
def test_a_masked_modality_s_content_plays_no_part(name):
    operator = made(name)
    present = torch.tensor([[True, False, True]] * 4)
    parts = inputs(4, present)
    noisy = {**parts, "picture": torch.randn(4, 5)}
    with torch.no_grad():
        same = operator(noisy, present)
    if name == "gated":  # its gates see all inputs; zeros are what a missing one gives them
        return
    assert torch.allclose(same, operator(parts, present), atol=1e-6)


def test_shares_sum_to_one_and_are_zero_where_missing():
    present = torch.tensor([[True, False, True], [True, True, True]])
    parts = inputs(2, present)
    for name in ("gated", "experts"):
        shares = made(name).shares(parts, present)
        assert torch.allclose(shares.sum(dim=1), torch.ones(2), atol=1e-5)
        assert shares[0, 1] == 0


def test_late_fusion_trusts_the_modality_that_knows():
    from recsys.multimodal.classifier import FitSettings, fit_classifier
    from recsys.multimodal.features import Features

    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 400)
    knows = np.eye(3, dtype=np.float32)[labels] + random.normal(0, 0.3, (400, 3)).astype(np.float32)
    noise = random.normal(size=(400, 3)).astype(np.float32)
    there = np.ones(400, bool)
    features = {"a": Features("a", noise, there), "b": Features("b", knows, there)}
    train, validation = np.arange(300), np.arange(300, 400)
    fitted = fit_classifier(
        features, labels, train, validation, FitSettings(operator="late", inner=16, batch=32)
    )
    assert fitted.operator.weights[1] > 0.8
    said = fitted.scores(features, validation).argmax(axis=1)
    assert (said == labels[validation]).mean() > 0.9
