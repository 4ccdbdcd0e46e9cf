import copy

import pytest
import torch

from recsys.encoders.peft.bottleneck_adapters import (
    adapter_state,
    insert_adapters,
    load_adapter_state,
    remove_adapters,
)
from recsys.encoders.tokens import tokenise

TEXTS = ["a red summer dress for the beach", "boots"]


def own(backbone):
    """A copy that may be changed; the tokenizer, slow to copy, is shared."""
    return copy.deepcopy(backbone, {id(backbone.tokenizer): backbone.tokenizer})


def vectors(backbone):
    with torch.no_grad():
        return backbone(*tokenise(backbone, TEXTS).take([0, 1]))


def count(backbone):
    return sum(p.numel() for p in backbone.parameters() if p.requires_grad)


@pytest.mark.parametrize(("kind", "per_layer", "norms"), [("houlsby", 2, 5 * 128), ("pfeiffer", 1, 0)])
@pytest.mark.parametrize("size", [1, 4, 64])
def test_counts_are_the_formula(bert, kind, per_layer, norms, size):
    backbone = own(bert)
    adapters = insert_adapters(backbone, kind, size=size)
    assert len(adapters) == 2 * per_layer
    assert count(backbone) == 2 * per_layer * (2 * 64 * size + 64 + size) + norms


@pytest.mark.parametrize("kind", ["houlsby", "pfeiffer"])
def test_near_identity_then_exactly_the_formula_then_gone(bert, kind):
    backbone = own(bert)
    torch.manual_seed(0)
    adapters = insert_adapters(backbone, kind, size=4)
    assert 0 < (vectors(backbone) - vectors(bert)).abs().max() < 0.01
    for adapter in adapters:
        torch.nn.init.zeros_(adapter.up.weight)
        torch.nn.init.constant_(adapter.up.bias, 0.5)
    shifted = vectors(backbone)
    if kind == "houlsby":
        # a constant on the output of a sublayer is a constant in its last bias
        by_hand = own(bert)
        for layer in by_hand.model.encoder.layer:
            layer.attention.output.dense.bias.data += 0.5
            layer.output.dense.bias.data += 0.5
        torch.testing.assert_close(shifted, vectors(by_hand), atol=1e-5, rtol=0)
    copied = own(backbone)  # its hooks call its own adapters
    for adapter in adapters:
        torch.nn.init.normal_(adapter.up.weight)
    assert torch.equal(vectors(copied), shifted)
    remove_adapters(backbone)
    assert torch.equal(vectors(backbone), vectors(bert))
    assert backbone.state_dict().keys() == bert.state_dict().keys()


def test_pfeiffer_is_norm_of_sum_plus_adapter_of_norm(bert):
    backbone = own(bert)
    adapter = insert_adapters(backbone, "pfeiffer", size=4)[0]
    torch.nn.init.normal_(adapter.up.weight)
    block, plain = backbone.model.encoder.layer[0].output, bert.model.encoder.layer[0].output
    hidden, inputs = torch.randn(2, 3, 256), torch.randn(2, 3, 64)
    total = plain.dense(hidden) + inputs
    expected = plain.LayerNorm(total + adapter(plain.LayerNorm(total)))
    torch.testing.assert_close(block(hidden, inputs), expected)


@pytest.mark.parametrize("kind", ["houlsby", "pfeiffer"])
def test_state_of_the_adapters_alone(bert, kind):
    first, second = own(bert), own(bert)
    insert_adapters(first, kind, size=4)
    insert_adapters(second, kind, size=4)
    state = adapter_state(first)
    assert sum(t.numel() for t in state.values()) == (4 if kind == "houlsby" else 2) * (512 + 68)
    load_adapter_state(second, state)
    assert torch.equal(vectors(first), vectors(second))
    with pytest.raises(ValueError, match="other names or shapes"):
        load_adapter_state(second, dict(list(state.items())[1:]))


def test_every_adapter_gets_a_gradient(bert):
    for kind in ("houlsby", "pfeiffer"):
        backbone = own(bert)
        insert_adapters(backbone, kind)
        backbone(*tokenise(backbone, TEXTS).take([0, 1])).square().sum().backward()
        learning = [p for p in backbone.parameters() if p.requires_grad]
        assert all(p.grad is not None for p in learning)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "compacter"}, "'houlsby' or 'pfeiffer'"),
        ({"kind": "houlsby", "size": 0}, "from 1 to 64"),
        ({"kind": "houlsby", "activation": "tanh"}, "relu, gelu, silu"),
    ],
)
def test_wrong_options(bert, options, message):
    with pytest.raises(ValueError, match=message):
        insert_adapters(own(bert), **options)


def test_wrong_models(bert, gpt):
    with pytest.raises(ValueError, match="random-gpt is a decoder of type 'gpt2'"):
        insert_adapters(own(gpt), "houlsby")
    with pytest.raises(ValueError, match="no bottleneck adapters"):
        remove_adapters(own(bert))
    backbone = own(bert)
    insert_adapters(backbone, "houlsby")
    with pytest.raises(ValueError, match="already"):
        insert_adapters(backbone, "pfeiffer")
