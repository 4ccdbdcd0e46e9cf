"""A backbone on int8's grid: training under rounding and the graph see the same numbers."""

import copy

import numpy as np
import pytest
import torch

from recsys.encoders.embed import embed_texts
from recsys.speed.fake_quantisation import fake_int8, linear_maps, round_by_row, smoothing
from recsys.speed.int8_grid import divide_inputs, divisors_of, on_grid
from recsys.speed.model_source import model_source
from tests.speed.shop_texts import QUERIES, TITLES

TEXTS = QUERIES + TITLES


@pytest.fixture(scope="module")
def rounded(minilm):
    return on_grid(minilm, TITLES, 0.7)


def error(found, expected):
    return float(1 - (found * expected).sum(axis=1).mean())


def test_rounding_again_changes_nothing(rounded):
    divisors = divisors_of(rounded)
    assert divisors.keys() == linear_maps(rounded).keys()
    for name, module in linear_maps(rounded).items():
        weight = module.weight.detach() * divisors[name]
        step = weight.abs().amax(dim=1, keepdim=True) / 127
        assert (round_by_row(weight) - weight).abs().le(1e-3 * step).all(), name


def test_it_is_nearer_than_rounding_to_the_nearest(minilm, rounded):
    exact = embed_texts(minilm, QUERIES, precision="fp32")
    near = {}
    for name, backbone in {"nearest": minilm, "grid": rounded}.items():
        divisors = divisors_of(backbone) or smoothing(backbone, TITLES)
        with fake_int8(backbone, smooth=divisors):
            near[name] = error(embed_texts(backbone, QUERIES, precision="fp32"), exact)
    assert near["grid"] < 0.8 * near["nearest"]


def test_the_backbone_given_stays(minilm, rounded):
    assert divisors_of(minilm) == {}
    assert not torch.equal(*(next(iter(linear_maps(b).values())).weight for b in (minilm, rounded)))


def test_divisors_go_with_copies_and_are_part_of_the_model(bert):
    divided = copy.deepcopy(bert)
    divide_inputs(divided, smoothing(divided, TITLES))
    assert model_source(divided).digest != model_source(bert).digest
    again = divisors_of(copy.deepcopy(divided))
    assert all(torch.equal(again[name], divisor) for name, divisor in divisors_of(divided).items())
    # they are for rounding only
    assert np.array_equal(*(embed_texts(b, TEXTS, precision="fp32") for b in (bert, divided)))


def test_the_graph_is_what_was_trained(rounded, tmp_path):
    """Queries one by one: the real graph is much nearer to the rounded training than that to float32."""
    onnx_build = pytest.importorskip("recsys.speed.onnx_build", exc_type=ImportError)
    from recsys.speed import onnx_engine
    from recsys.speed.artefact import words_of
    from recsys.speed.encoder import Encoder

    # texts that would give other divisors: the backbone's own are used
    onnx_build.int8_dynamic(rounded, tmp_path, QUERIES[:1], smooth=0.7, second_order=True)
    words = words_of(rounded)
    real = Encoder(onnx_engine.load(tmp_path, words), words, rounded.width)
    real = np.stack([real.encode(text) for text in TEXTS])
    with fake_int8(rounded, smooth=divisors_of(rounded)):
        simulated = embed_texts(rounded, TEXTS, precision="fp32")
    assert error(simulated, real) < error(real, embed_texts(rounded, TEXTS, precision="fp32")) / 4
