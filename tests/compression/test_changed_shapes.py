"""Engines of models whose layers are not all alike: pruned, fewer, factorised."""

import copy

import numpy as np
import pytest
import torch

from recsys.compression.distillation import keep_layers
from recsys.compression.low_rank import factorise
from recsys.compression.pruning import prune
from recsys.encoders.embed import embed_texts
from recsys.speed.fast_encoder import fast_encoder
from tests.shop_texts import QUERIES, TITLES

TEXTS = TITLES + QUERIES


@pytest.fixture(scope="module")
def lively(bert):
    """Fresh weights are so small that layers hardly do anything: here they do."""
    model = copy.deepcopy(bert)
    with torch.no_grad():
        for module in model.model.encoder.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.mul_(8)
    return model


def few_layers(bert):
    return keep_layers(bert, [0])


def uneven(bert):
    student = copy.deepcopy(bert)
    prune(student, TEXTS, heads=0.4, neurons=0.4)
    return student


def alike(bert):
    """As many heads fewer in each layer: the number of the configuration divides the width all the same."""
    student = copy.deepcopy(bert)
    prune(student, TEXTS, heads=0.5, alike=True)
    return student


def thin(bert):
    student = copy.deepcopy(bert)
    factorise(student, {"0.output.dense": 5, "1.intermediate.dense": 4})
    return student


@pytest.mark.parametrize("change", [few_layers, uneven, alike, thin])
@pytest.mark.parametrize("variant", ["packed-fp32", "onnx-fp32"])
def test_vectors_are_the_changed_model_s_own(lively, change, variant, tmp_path):
    student = change(lively)
    expected = embed_texts(student, TEXTS, precision="fp32")
    found = fast_encoder(student, variant=variant, cache=tmp_path).encode(TEXTS)
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(embed_texts(lively, TEXTS, precision="fp32") - expected).max() > 1e-2
