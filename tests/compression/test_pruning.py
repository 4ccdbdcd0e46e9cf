import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys.benchmarks.roofline import cost_of
from recsys.compression import pruning
from recsys.compression.importance import PROBES, importance
from recsys.encoders.backbone import BackboneError, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.speed.variant import NotForThisModel
from tests.shop_texts import QUERIES, TITLES

TEXTS = QUERIES + TITLES


def vectors(backbone, texts=TEXTS):
    return embed_texts(backbone, texts, precision="fp32")


def distance(backbone, reference):
    return np.linalg.norm(vectors(backbone) - reference, axis=1).mean()


def silenced(bert, head=None, neurons=()):
    """A copy in which a head of layer 0 and some neurons of layer 1 write nothing but a constant."""
    backbone = copy.deepcopy(bert)
    first, second = backbone.model.encoder.layer
    with torch.no_grad():
        if head is not None:
            first.attention.self.value.weight[16 * head : 16 * head + 16] = 0
            first.attention.self.value.bias[16 * head : 16 * head + 16] = 0.3
        second.intermediate.dense.weight[list(neurons)] = 0
        second.intermediate.dense.bias[list(neurons)] = 0.5
    return backbone


@pytest.mark.parametrize("by", ["sensitivity", "size"])
@pytest.mark.parametrize("repair", [True, False])
def test_what_only_writes_a_constant_goes_and_is_not_missed(bert, by, repair):
    idle = list(range(5, 37))
    backbone = silenced(bert, head=2, neurons=idle)
    expected = vectors(backbone)
    found = pruning.prune(backbone, TEXTS, heads=1 / 8, neurons=32 / 512, by=by, repair=repair)
    assert found.to_dict("list") == {"layer": [0, 1], "heads": [3, 4], "neurons": [256, 224]}
    assert np.abs(vectors(backbone) - expected).max() < 1e-5
    layer = backbone.model.encoder.layer[0].attention
    assert tuple(layer.self.query.weight.shape) == (48, 64)
    assert tuple(layer.output.dense.weight.shape) == (64, 48)


def test_what_is_left_costs_as_much_as_its_weights(bert):
    backbone = copy.deepcopy(bert)
    pruning.prune(backbone, TEXTS, heads=0.5, neurons=0.5, alike=True)
    assert cost_of(backbone).flops_per_token * 2 == cost_of(bert).flops_per_token
    assert sum(p.numel() for p in backbone.parameters()) < sum(p.numel() for p in bert.parameters())


def test_repair_helps_on_the_texts_it_was_found_on(bert):
    reference, found = vectors(bert), {}
    for repair in (True, False):
        backbone = copy.deepcopy(bert)
        pruning.prune(backbone, TEXTS, neurons=0.5, repair=repair)
        found[repair] = distance(backbone, reference)
    assert found[False] > 1e-4  # half of the neurons do matter
    assert found[True] < 0.5 * found[False]


def test_the_predicted_loss_is_the_loss(bert, monkeypatch):
    """To second order: closing one head's gate by a fifth costs a twenty-fifth of its score."""
    monkeypatch.setattr("recsys.compression.importance.PROBES", 64)
    assert PROBES < 64
    scores = importance(bert, TEXTS, by="sensitivity")["heads"]
    reference, step = vectors(bert).astype(np.float64), 0.2
    names = pruning.maps_behind(bert)["heads"]
    moments = pruning.input_moments(bert, names, TEXTS)
    for index, head in ((0, 1), (1, 3)):
        backbone = copy.deepcopy(bert)
        behind = backbone.model.encoder.layer[index].attention.output.dense
        columns = slice(16 * head, 16 * head + 16)
        with torch.no_grad():
            taken = step * behind.weight[:, columns]
            behind.weight[:, columns] -= taken
            behind.bias += taken @ moments[names[index]].mean[columns].float()
        lost = 0.5 * np.square(vectors(backbone) - reference).sum(axis=1).mean()
        assert lost == pytest.approx(float(scores[index][head]) * step**2, rel=0.25)


def test_random_choice_is_the_seed_s(bert):
    one, again, other = (importance(bert, TEXTS, by="random", seed=s)["neurons"][0] for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.floats(0.01, 0.99),
    st.sampled_from([1, 4, 16]),
    st.booleans(),
    st.integers(0, 99),
)
def test_the_best_are_chosen(sizes, removed, multiple, alike, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = [torch.rand(size, generator=generator) for size in sizes]
    found = pruning.chosen(scores, removed, multiple, alike)
    for layer, places in zip(scores, found, strict=True):
        assert len(places) == len(layer) or len(places) % multiple == 0
        assert len(places) >= min(len(layer), multiple)
        assert (places.diff() > 0).all()
        gone = torch.ones(len(layer), dtype=torch.bool).index_fill(0, places, False)
        assert not gone.any() or layer[gone].max() <= layer[places].min()
    if multiple == 1:
        wanted = round((1 - removed) * sum(sizes))
        assert abs(sum(map(len, found)) - wanted) <= len(sizes)


def test_pruned_twice_saved_and_loaded(bert, tmp_path):
    backbone = copy.deepcopy(bert)
    for _ in range(2):
        pruning.prune(backbone, TEXTS, heads=0.3, neurons=0.3)
    backbone.save(tmp_path)
    assert (vectors(pruning.load_pruned(tmp_path)) == vectors(backbone)).all()
    with pytest.raises(BackboneError):
        load_backbone(str(tmp_path))


def test_layers_that_do_nothing_go_first(bert):
    backbone = copy.deepcopy(bert)
    layers = backbone.model.encoder.layer
    idle = copy.deepcopy(layers[0])
    with torch.no_grad():  # what a post-norm layer without maps leaves is its input, normalised already
        for part in (idle.attention.output.dense, idle.output.dense):
            part.weight.zero_()
            part.bias.zero_()
    layers.insert(1, idle)
    assert pruning.layers_to_keep(backbone, TEXTS, 2) == [0, 2]
    assert len(backbone.model.encoder.layer) == 3  # as it was
    assert pruning.layers_to_keep(backbone, TEXTS, 3) == [0, 1, 2]


def test_what_cannot_be(bert, gpt):
    before = vectors(bert)
    for wrong in ({"heads": 1.0}, {"neurons": -0.1}, {"neurons": 0.5, "by": "name"}):
        with pytest.raises(ValueError):
            pruning.prune(bert, TEXTS, **wrong)
    with pytest.raises(ValueError, match="at least one"):
        pruning.prune(bert, [], heads=0.5)
    with pytest.raises(NotForThisModel, match="gpt2"):
        pruning.prune(gpt, TEXTS, heads=0.5)
    with pytest.raises(ValueError, match="from 1 to 2"):
        pruning.layers_to_keep(bert, TEXTS, 0)
    assert (vectors(bert) == before).all()
