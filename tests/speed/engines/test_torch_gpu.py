"""What can be seen of the GPU's engines without one: the padding, and that they say what is missing."""

import numpy as np
import pytest
import torch

from recsys.benchmarks import comparison
from recsys.encoders.embed import embed_texts
from recsys.speed.artefact import words_of
from recsys.speed.choice import Texts
from recsys.speed.encoder import Encoder, unit
from recsys.speed.engines.torch_gpu import on_device, to_powers_of_two
from tests.shop_texts import AWKWARD, QUERIES, TITLES


@pytest.mark.parametrize("kind", ["bert", "gpt"])
def test_padding_to_powers_of_two_changes_no_vector(request, kind):
    backbone = request.getfixturevalue(kind)
    words, texts = words_of(backbone), QUERIES + TITLES + AWKWARD[:4]
    engine = on_device(backbone, words, torch.device("cpu"), rounded=True)
    found = unit(Encoder(engine, words, backbone.width).encode(texts))
    expected = embed_texts(backbone, texts, precision="bf16", max_tokens=words.max_tokens)
    assert (found * expected).sum(axis=1).min() > 0.999


def test_shapes_are_powers_of_two_up_to_the_longest():
    ids, mask = torch.arange(15).view(3, 5), torch.ones(3, 5, dtype=torch.int64)
    wide, seen = to_powers_of_two(ids, mask, longest=512)
    assert wide.shape == seen.shape == (4, 8)
    assert torch.equal(wide[:3, :5], ids)
    assert seen.sum(dim=1).tolist() == [5, 5, 5, 1]
    wide, seen = to_powers_of_two(ids, mask, longest=6, left=True)
    assert wide.shape == (4, 6)
    assert torch.equal(wide[:3, 1:], ids)
    assert seen[3].tolist() == [0, 0, 0, 0, 0, 1]
    same, _ = to_powers_of_two(ids[:1, :4], mask[:1, :4], longest=512)
    assert np.array_equal(same, ids[:1, :4])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_they_are_in_the_table_with_the_reason(bert, tmp_path):
    built = comparison.build_variants(
        bert, Texts(TITLES, QUERIES), TITLES, ["cuda-bf16", "cuda-graphs"], cache=tmp_path
    )
    assert set(built.failing) == {"cuda-bf16", "cuda-graphs"}
    assert all(reason.startswith("NoGpu: no CUDA device here") for reason in built.failing.values())
