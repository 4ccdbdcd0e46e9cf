"""Settings that cannot be, schedules' shapes, and which parameter takes which rate and decay."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from recsys.training import TrainingSettings, train
from recsys.training.optimisers import build_optimizer, parameter_groups
from recsys.training.schedules import scheduler, total_steps
from tests.training.cases import CLASSES, Rows, class_loss, classifier, settings


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("epochs", 0, "above 0"),
        ("epochs", math.nan, "above 0"),
        ("learning_rate", -1e-3, "above 0"),
        ("learning_rate", "fast", "above 0"),
        ("head_learning_rate", 0, "above 0"),
        ("clip_norm", 0.0, "above 0"),
        ("weight_decay", -1, "at least 0"),
        ("checkpoint_minutes", -1, "at least 0"),
        ("max_steps", 0, "whole number of at least 1"),
        ("batch_size", 2.5, "whole number of at least 1"),
        ("patience", 0, "whole number of at least 1"),
        ("evaluate_every", True, "whole number of at least 1"),
        ("accumulation", 0, "whole number of at least 1"),
        ("seed", -1, "whole number of at least 0"),
        ("warmup_share", 1.0, r"in \[0, 1\)"),
        ("optimizer", "sgd", "'adamw', 'adam', 'adafactor'"),
        ("schedule", "step", "'linear', 'cosine', 'constant'"),
        ("mixed_precision", "fp8", "'no', 'bf16', 'fp16'"),
        ("tracker", "excel", "None, 'tensorboard', 'wandb', 'mlflow'"),
        ("gradient_checkpointing", "yes", "True or False"),
    ],
)
def test_a_setting_out_of_range_is_refused(field, value, says):
    with pytest.raises(ValueError, match=rf"{field} must be .*{says}.*got {value!r}"):
        settings(**{field: value})


def test_batch_size_or_token_budget():
    for sizes in ({}, {"batch_size": 2, "token_budget": 3}):
        with pytest.raises(ValueError, match="exactly one of batch_size"):
            TrainingSettings(epochs=1, learning_rate=1, **sizes)


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({}, 8),
        ({"epochs": 0.3}, 2),
        ({"epochs": 0.01}, 1),
        ({"accumulation": 3}, 4),
        ({"max_steps": 5}, 5),
        ({"max_steps": 50}, 8),
    ],
)
def test_steps(changes, steps):
    assert total_steps(settings(**changes), batches_of_first_epoch=4) == steps
    result = train(classifier(), Rows(), class_loss, settings(**changes), progress=False)
    assert result.steps == len(result.history) == steps


def rates(**changes) -> np.ndarray:
    told = settings(epochs=10, warmup_share=0.2, learning_rate=1.0, **changes)
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    plan, found = scheduler(optimizer, told, 50), []
    for _ in range(50):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        plan.step()
    return np.array(found)


@pytest.mark.parametrize("name", ["linear", "cosine", "constant"])
def test_schedules(name):
    found = rates(schedule=name)
    np.testing.assert_allclose(found[:11], np.arange(11) / 10)
    done = np.arange(41)[:40] / 40
    want = {"linear": 1 - done, "cosine": (1 + np.cos(np.pi * done)) / 2, "constant": np.ones(40)}
    np.testing.assert_allclose(found[10:], want[name], atol=1e-12)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = classifier()
        self.items = nn.Embedding(7, CLASSES)
        self.scale = nn.Parameter(torch.ones(()))
        self.head = nn.Linear(CLASSES, CLASSES)


def by_name(model, told) -> dict[str, tuple[float, float]]:
    names = {id(p): name for name, p in model.named_parameters()}
    groups = parameter_groups(model, told)
    return {names[id(p)]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}


def test_rates_and_decays():
    model = Two()
    model.backbone[0].requires_grad_(False)
    found = by_name(model, settings(learning_rate=1e-5, head_learning_rate=1e-3, weight_decay=0.1))
    assert found == {
        "backbone.1.weight": (1e-5, 0),  # a norm
        "backbone.1.bias": (1e-5, 0),
        "backbone.4.weight": (1e-5, 0.1),
        "backbone.4.bias": (1e-5, 0),
        "items.weight": (1e-3, 0),
        "scale": (1e-3, 0),
        "head.weight": (1e-3, 0.1),
        "head.bias": (1e-3, 0),
    }
    assert {rate for rate, _ in by_name(model, settings()).values()} == {1e-2}


def test_tied_tables_take_no_decay():
    model = Two()
    model.head.weight = nn.Parameter(torch.ones(7, CLASSES))
    model.items.weight = model.head.weight
    assert len(by_name(model, settings(weight_decay=0.1))) == len(list(model.parameters()))
    assert by_name(model, settings(weight_decay=0.1))["items.weight"][1] == 0


def test_a_head_rate_without_a_backbone_is_refused():
    with pytest.raises(ValueError, match="parameters named 'backbone"):
        parameter_groups(classifier(), settings(head_learning_rate=0.1))


def test_both_groups_follow_the_schedule():
    told = settings(learning_rate=1e-4, head_learning_rate=1e-2, warmup_share=0.5)
    optimizer = build_optimizer(Two(), told)
    plan = scheduler(optimizer, told, 4)
    optimizer.step()
    plan.step()
    assert sorted({g["lr"] for g in optimizer.param_groups}) == pytest.approx([5e-5, 5e-3])


@pytest.mark.parametrize("name", ["adamw", "adam", "adafactor"])
def test_optimisers_learn_and_move_at_the_rate_they_are_told(name):
    model = nn.Linear(4, 4)
    before = model.weight.detach().clone()
    optimizer = build_optimizer(model, settings(optimizer=name, learning_rate=1e-3))
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    # a first step of Adam moves every weight by the rate; Adafactor's by the rate in root mean square
    assert (model.weight - before).square().mean().sqrt().item() == pytest.approx(1e-3, rel=0.02)
    told = settings(optimizer=name, epochs=20)
    losses = train(classifier(), Rows(), class_loss, told, progress=False).history["loss"]
    assert losses.iloc[-1] < 0.7 * losses.iloc[0]
