import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recsys.benchmarks.roofline import cost_of
from recsys.compression import low_rank
from recsys.encoders.embed import embed_texts
from recsys.speed.rounding.linear_maps import linear_maps
from tests.shop_texts import QUERIES, TITLES

TEXTS = QUERIES + TITLES
UP, QUERY = "0.intermediate.dense", "1.attention.self.query"


@pytest.fixture(scope="module")
def moments(bert):
    return low_rank.input_moments(bert, list(linear_maps(bert)), TEXTS)


def inputs_of(backbone, name):
    """[tokens, in] of every real token, text by text: no padding is anywhere."""
    found = []
    linear = linear_maps(backbone)[name]
    hook = linear.register_forward_pre_hook(lambda _, given: found.append(given[0][0]))
    with torch.inference_mode():
        for text in TEXTS:
            tokens = backbone.tokenizer(text, return_tensors="pt")
            backbone(tokens["input_ids"], tokens["attention_mask"])
    hook.remove()
    return torch.cat(found).double()


def test_moments_are_of_real_tokens(bert, moments):
    rows = inputs_of(bert, UP)
    assert torch.allclose(moments[UP].mean, rows.mean(dim=0), atol=1e-5)
    assert torch.allclose(moments[UP].covariance, rows.T.cov(correction=0), atol=1e-5)


@pytest.mark.parametrize("name", [UP, QUERY])
@pytest.mark.parametrize("rank", [3, 20])
def test_the_loss_told_is_the_loss(bert, moments, name, rank):
    """Of the outputs' variance on the texts; the plain SVD of that rank loses more."""
    rows, before = inputs_of(bert, name), linear_maps(bert)[name]
    lost = {}
    for kind, known in (("aware", moments), ("plain", None)):
        backbone = copy.deepcopy(bert)
        told = low_rank.factorise(backbone, {name: rank}, known)["lost"][0]
        after = backbone.model.encoder.layer.get_submodule(name)
        with torch.inference_mode():
            whole, cut = before(rows.float()).double(), after(rows.float()).double()
        lost[kind] = float((whole - cut).square().sum() / (whole - whole.mean(dim=0)).square().sum())
        if kind == "aware":
            assert told == pytest.approx(lost[kind], rel=1e-2, abs=1e-6)
            assert torch.allclose(cut.mean(dim=0), whole.mean(dim=0), atol=1e-4)
    assert lost["aware"] < lost["plain"]


def test_plain_is_the_truncated_svd(bert):
    backbone = copy.deepcopy(bert)
    told = low_rank.factorise(backbone, {UP: 10})
    first, second = backbone.model.encoder.layer.get_submodule(UP)
    weight = linear_maps(bert)[UP].weight.detach()
    values = torch.linalg.svdvals(weight)
    cut = (weight - second.weight @ first.weight).detach()
    assert float(torch.linalg.matrix_norm(cut, 2)) == pytest.approx(float(values[10]), rel=1e-3)
    share = values[10:].square().sum() / values.square().sum()
    assert told["lost"][0] == pytest.approx(float(share), rel=1e-3)
    assert told.iloc[0, :3].tolist() == [0, "intermediate.dense", 10]
    assert torch.equal(second.bias, linear_maps(bert)[UP].bias)


def test_full_rank_changes_nothing(bert, moments):
    backbone = copy.deepcopy(bert)
    ranks = {name: min(linear.weight.shape) for name, linear in linear_maps(bert).items()}
    told = low_rank.factorise(backbone, ranks, moments)
    assert told["lost"].max() < 1e-9
    assert (told["share"] > 1).all()
    expected = embed_texts(bert, TEXTS, precision="fp32")
    assert np.abs(embed_texts(backbone, TEXTS, precision="fp32") - expected).max() < 1e-4


def test_products_counted(bert):
    names = list(linear_maps(bert))
    backbone = copy.deepcopy(bert)
    ranks = low_rank.uniform_ranks(bert, names, 0.5)
    told = low_rank.factorise(backbone, ranks)
    assert ranks[UP] == 25  # half of 64 × 256 ÷ 320 = 51.2
    assert low_rank.flops_per_token(64, 256, 25) == 2 * 25 * 320
    assert told["share"].max() <= 0.5
    counted = cost_of(backbone).flops_per_token
    shapes = {name: linear.weight.shape[::-1] for name, linear in linear_maps(bert).items()}
    assert counted == sum(low_rank.flops_per_token(*shapes[name], rank) for name, rank in ranks.items())


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 5000))
def test_break_even(inputs, outputs, rank):
    cheaper = low_rank.flops_per_token(inputs, outputs, rank) < low_rank.flops_per_token(inputs, outputs)
    assert cheaper == (rank * (inputs + outputs) < inputs * outputs)
    if abs(rank - low_rank.break_even_rank(inputs, outputs)) > 1e-6:
        assert cheaper == (rank < low_rank.break_even_rank(inputs, outputs))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("aware", [True, False])
def test_equal_loss_keeps_to_the_budget(bert, moments, share, aware):
    maps = linear_maps(bert)
    known = moments if aware else None
    ranks = low_rank.ranks_of_equal_loss(bert, list(maps), share, known)
    shapes = {name: (linear.in_features, linear.out_features) for name, linear in maps.items()}
    cost = sum(low_rank.flops_per_token(*shapes[n], ranks.get(n)) for n in maps)
    whole = sum(low_rank.flops_per_token(*shape) for shape in shapes.values())
    assert 0.8 * share < cost / whole <= share
    assert all(rank < low_rank.break_even_rank(*shapes[name]) for name, rank in ranks.items())


def test_what_cannot_be(bert):
    before = list(bert.model.modules())
    for name, rank, said in (("encoder", 3, "no linear map"), (UP, 65, "from 1 to 64"), (UP, 2.0, "whole")):
        with pytest.raises(ValueError, match=said):
            low_rank.factorise(bert, {QUERY: 2, name: rank})
    with pytest.raises(ValueError, match="share must lie"):
        low_rank.uniform_ranks(bert, [UP], 1.0)
    with pytest.raises(ValueError, match="at least one"):
        low_rank.input_moments(bert, [UP], [])
    with pytest.raises(ValueError, match="raise share"):
        low_rank.ranks_of_equal_loss(bert, [UP], 1e-3)
    assert [type(m) for m in before] == [type(m) for m in bert.model.modules()]
    assert isinstance(bert.model.encoder.layer.get_submodule(UP), nn.Linear)
