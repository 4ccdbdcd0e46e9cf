import numpy as np
import pytest
import torch

from recsys.multimodal.alignment import (
    AlignSettings,
    contrastive_loss,
    fit_dual_tower,
    pair_positions,
    recall_at,
)
from recsys.multimodal.features import FeatureError, Features


def pairs(names: int = 60, seed: int = 0):
    """Photos of names: two photos each, both sides a random map of the same hidden vector."""
    random = np.random.default_rng(seed)
    hidden = random.normal(size=(names, 6))
    partner = np.repeat(np.arange(names), 2)
    photo = hidden[partner] @ random.normal(size=(6, 20)) + 0.1 * random.normal(size=(2 * names, 20))
    text = np.tanh(hidden @ random.normal(size=(6, 15)))
    left = {"picture": Features("picture", photo.astype(np.float32), np.ones(2 * names, bool))}
    right = {"text": Features("text", text.astype(np.float32), np.ones(names, bool))}
    return left, right, partner


def test_unseen_pairs_find_each_other_and_shuffled_ones_do_not():
    left, right, partner = pairs(120)
    train, validation, test = np.arange(160), np.arange(160, 200), np.arange(200, 240)
    settings = AlignSettings(width=32, epochs=25, batch=64)
    towers = fit_dual_tower(left, right, partner, train, validation, settings)
    assert recall_at(towers, left, right, partner, test, k=3) > 0.6
    shuffled = np.random.default_rng(0).permutation(120)[partner]
    lost = fit_dual_tower(left, right, shuffled, train, validation, settings)
    assert recall_at(lost, left, right, shuffled, test, k=3) < 0.4
    positions = pair_positions(towers, left, right, partner, test)
    assert len(positions) == len(test)
    assert positions["better"].max() < 20


def test_the_loss_is_least_when_partners_coincide():
    right, place = torch.eye(3)[:2], torch.tensor([0, 0, 1])
    heat = torch.tensor(20.0)
    apart = contrastive_loss(torch.eye(3)[[1, 1, 0]], right, place, heat)
    together = contrastive_loss(torch.eye(3)[[0, 0, 1]], right, place, heat)
    assert together < apart


def test_a_partner_that_does_not_exist_is_an_error():
    left, right, partner = pairs(10)
    with pytest.raises(FeatureError, match="no row of the right side"):
        fit_dual_tower(left, right, partner + 1, np.arange(10), np.arange(10, 20), AlignSettings())
