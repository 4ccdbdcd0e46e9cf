"""A backbone on int8's grid: training under rounding and the graph see the same numbers."""

import copy
from functools import partial

import numpy as np
import pytest
import torch

from recsys.encoders.embed import embed_texts
from recsys.speed.model_source import model_source
from recsys.speed.rounding.fake_quantisation import fake_int8, round_by_row, round_weights_by_block, smoothing
from recsys.speed.rounding.int8_grid import divide_inputs, divisors_of, on_grid
from recsys.speed.rounding.linear_maps import linear_maps, named
from recsys.speed.variants import FFN
from tests.shop_texts import QUERIES, TITLES

TEXTS = QUERIES + TITLES


@pytest.fixture(scope="module", params=[(), (FFN,)], ids=["by output", "some by block"])
def blockwise(request):
    return request.param


@pytest.fixture(scope="module")
def rounded(minilm, blockwise):
    return on_grid(minilm, TITLES, 0.7, blockwise)


def error(found, expected):
    return float(1 - (found * expected).sum(axis=1).mean())


def test_rounding_again_changes_nothing(rounded, blockwise):
    divisors, maps = divisors_of(rounded), linear_maps(rounded)
    assert set(maps) - set(divisors) == named(maps, blockwise)
    for name, module in maps.items():
        weight = module.weight.detach() * divisors.get(name, 1)
        again = round_by_row(weight) if name in divisors else round_weights_by_block(weight, 32)
        step = weight.abs().amax(dim=1, keepdim=True) / 127
        assert (again - weight).abs().le(1e-3 * step).all(), name


def test_it_is_nearer_than_rounding_to_the_nearest(minilm, rounded, blockwise):
    exact = embed_texts(minilm, QUERIES, precision="fp32")
    near = {}
    for name, backbone in {"nearest": minilm, "grid": rounded}.items():
        divisors = divisors_of(backbone) or smoothing(backbone, TITLES)
        with fake_int8(backbone, smooth=divisors, blockwise=blockwise):
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


def test_the_graph_is_what_was_trained(rounded, blockwise, tmp_path):
    """Queries one by one: the real graph is much nearer to the rounded training than that to float32."""
    onnx_build = pytest.importorskip("recsys.speed.builders.onnx", exc_type=ImportError)
    from recsys.speed.artefact import words_of
    from recsys.speed.encoder import Encoder
    from recsys.speed.engines import onnx as onnx_engine

    # texts that would give other divisors: the backbone's own are used
    build = partial(onnx_build.mixed, blockwise=blockwise) if blockwise else onnx_build.int8_dynamic
    build(rounded, tmp_path, QUERIES[:1], smooth=0.7, second_order=True)
    words = words_of(rounded)
    real = Encoder(onnx_engine.load(tmp_path, words), words, rounded.width)
    real = np.stack([real.encode(text) for text in TEXTS])
    with fake_int8(rounded, smooth=divisors_of(rounded), blockwise=blockwise):
        simulated = embed_texts(rounded, TEXTS, precision="fp32")
    # an entry half-way between two levels may fall either way and moves others behind it, so not the same to
    # the bit; roundings that had nothing in common would be twice as far apart as one is from none
    assert error(simulated, real) < 0.6 * error(real, embed_texts(rounded, TEXTS, precision="fp32"))
