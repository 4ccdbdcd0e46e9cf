"""Bytes of a training step: against a count by hand, and where methods differ."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from recsys.training.memory import training_memory
from tests.training.cases import CLASSES, Rows, bits, class_loss, classifier, settings

FLOAT = 4


def step(model, rows: int = 32, **told):
    return training_memory(model, class_loss, Rows().collate(np.arange(rows)), settings(**told))


def test_counts_by_hand():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, CLASSES))
    found = step(model)
    numbers = 8 * 16 + 16 + 16 * CLASSES + CLASSES
    assert found["weights"] == found["gradients"] == FLOAT * numbers
    assert found["optimizer"] == FLOAT * (2 * numbers + 4)  # Adam: two moments, and a step for each tensor
    # input, ReLU's output (also the second layer's input), log-probabilities, targets (int64), two scalars
    assert found["activations"] == pytest.approx(FLOAT * 32 * (8 + 16 + CLASSES) + 8 * 32, abs=16)


def test_the_model_is_left_as_it_was():
    model = classifier(dropout=0.5)
    before, drawn = bits(model), torch.random.get_rng_state()
    step(model)
    assert bits(model) == before
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(torch.random.get_rng_state(), drawn)


def test_what_does_not_learn_needs_no_gradient_and_no_state():
    whole, head = classifier(), classifier()
    head[0].requires_grad_(False)
    head[1].requires_grad_(False)
    all_of_it, part = step(whole), step(head)
    assert part["weights"] == all_of_it["weights"]
    for kind in ("gradients", "optimizer", "activations"):
        assert part[kind] < all_of_it[kind]
    assert step(classifier(), rows=64)["activations"] > 1.8 * all_of_it["activations"]


class Chain(nn.Module):
    """Three segments that can be recomputed: 8 -> 16 -> 8 numbers a row each."""

    def __init__(self):
        super().__init__()
        parts = (nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)) for _ in range(3))
        self.parts, self.head = nn.ModuleList(parts), nn.Linear(8, CLASSES)
        self.options: dict | None = None

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict) -> None:
        self.options = gradient_checkpointing_kwargs

    def forward(self, x):
        for part in self.parts:
            x = part(x) if self.options is None else checkpoint(part, x, **self.options)
        return self.head(x)


def test_checkpointing_counts_what_is_kept_and_the_largest_segment():
    model = Chain()
    with_targets = FLOAT * 32 * CLASSES + 8 * 32  # log-probabilities, int64 targets
    # input of each part and of the head; within a part, ReLU's output
    plain = FLOAT * 32 * (4 * 8 + 3 * 16) + with_targets
    assert step(model)["activations"] == pytest.approx(plain, abs=16)
    found = step(model, gradient_checkpointing=True)
    assert found["activations"] == pytest.approx(FLOAT * 32 * (4 * 8 + 16) + with_targets, abs=16)
    assert model.options is None  # a copy was asked
    for kind in ("weights", "gradients", "optimizer"):
        assert found[kind] == step(model)[kind]


def test_checkpointing_of_a_model_without_is_refused():
    with pytest.raises(ValueError, match="gradient_checkpointing"):
        step(classifier(), gradient_checkpointing=True)
