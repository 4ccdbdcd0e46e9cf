import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.processor_precision import has_bfloat16
from recsys.speed.artefact import words_of
from recsys.speed.builders import packed_int8 as packed_rounding
from recsys.speed.encoder import Encoder
from recsys.speed.engines import packed
from recsys.speed.variant import NotForThisModel
from tests.shop_texts import AWKWARD, QUERIES, TITLES

needs_bfloat16 = pytest.mark.skipif(
    not has_bfloat16(),
    reason="torch packs bfloat16 and int8 weights only on a processor with bfloat16 instructions",
)


def encoder(backbone: Backbone, precision: str = "fp32") -> Encoder:
    weights = packed.packed_weights(backbone, packed.DTYPES[precision])
    engine = packed.PackedBert(weights, packed.shape_of(backbone))
    return Encoder(engine, words_of(backbone), backbone.width)


@pytest.fixture(scope="module")
def packed_bert(bert):
    return encoder(bert)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_equals_the_padded_model(pooling):
    backbone = load_backbone("random-bert", pooling=pooling)
    texts = QUERIES + TITLES + AWKWARD[:3]
    expected = embed_texts(backbone, texts, precision="fp32", max_tokens=512)
    assert np.abs(encoder(backbone).encode(texts) - expected).max() < 1e-5


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(QUERIES + TITLES), min_size=1, max_size=12), st.integers(1, 60))
def test_a_vector_does_not_depend_on_its_batch(packed_bert, texts, budget):
    batched = Encoder(packed_bert.engine, packed_bert.words, packed_bert.width, token_budget=budget)
    alone = np.stack([packed_bert.encode(text) for text in texts])
    assert np.abs(batched.encode(texts) - alone).max() < 1e-5


@needs_bfloat16
def test_bfloat16_keeps_minilm_s_vectors(minilm):
    expected = embed_texts(minilm, QUERIES + TITLES, precision="fp32")
    exact, rough = encoder(minilm), encoder(minilm, "bf16")
    assert np.abs(exact.encode(QUERIES + TITLES) - expected).max() < 1e-5
    assert (rough.encode(QUERIES + TITLES) * expected).sum(axis=1).min() > 0.999


def test_files_say_all(bert, packed_bert, tmp_path):
    packed.build(bert, tmp_path, [], precision="fp32")
    engine = packed.load(tmp_path, packed_bert.words, precision="fp32")
    again = Encoder(engine, packed_bert.words, bert.width)
    assert (again.encode(TITLES) == packed_bert.encode(TITLES)).all()


def test_other_architectures_are_refused(gpt):
    with pytest.raises(NotForThisModel, match="not for gpt2"):
        packed.packed_weights(gpt, torch.float32)


def test_runs():
    assert packed.runs_of(np.array([7, 7, 5, 1, 1, 1])) == [(2, 7), (1, 5), (3, 1)]


def test_a_call_takes_one_thread_and_gives_the_others_back(packed_bert, monkeypatch):
    seen = []
    pool = packed.pool_packed
    monkeypatch.setattr(
        packed, "pool_packed", lambda *given: seen.append(torch.get_num_threads()) or pool(*given)
    )
    torch.set_num_threads(2)
    try:
        packed_bert.encode("red shoe")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert seen == [1]


def test_short_attention_is_attention():
    qkv = torch.randn(6 * 5, 3 * 16, generator=torch.Generator().manual_seed(0))
    short = packed.attend(qkv, [(6, 5)], head_width=4)
    query, key, value = qkv.view(6, 5, 3, 4, 4).permute(2, 0, 3, 1, 4)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
    assert torch.allclose(short, expected.reshape(30, 16), atol=1e-6)


@needs_bfloat16
@pytest.mark.parametrize("maps", [[], ["qkv", "attention"], list(packed.MAPS)])
def test_rounding_costs_little_and_shrinks_the_file(minilm, tmp_path, maps):
    packed_rounding.build(minilm, tmp_path, TITLES, maps=maps)
    words = words_of(minilm)
    rounded = Encoder(packed_rounding.load(tmp_path, words, maps=maps), words, minilm.width)
    expected = embed_texts(minilm, QUERIES + TITLES, precision="fp32")
    assert (rounded.encode(QUERIES + TITLES) * expected).sum(axis=1).min() > (
        0.98 if "down" in maps else 0.995
    )
    # two bytes a number of the embeddings, and one or two of each layer's 4 + 4 + 4 squares of D
    shares = {"qkv": 3, "attention": 1, "up": 4, "down": 4}
    numbers = 384 * (30522 + 512) * 2 + 6 * 384**2 * sum(
        s * (1 if m in maps else 2) for m, s in shares.items()
    )
    assert (tmp_path / packed.FILE).stat().st_size == pytest.approx(numbers, rel=0.01)


def test_rounding_needs_texts(bert, tmp_path):
    with pytest.raises(ValueError, match="needs texts"):
        packed_rounding.build(bert, tmp_path, [], maps=["qkv"])
