"""Each form against its definition, written out with all T × T weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.benchmarks.attention.forms import (
    AttentionForms,
    full_attention,
    linear_attention,
    windowed,
    windowed_attention,
)
from recsys.benchmarks.attention.in_encoder import (
    attention_inputs,
    attention_replaced,
    attention_share,
    forms_by_length,
    vector_table,
)
from recsys.encoders.embed import embed_texts
from recsys.speed.variant import NotForThisModel
from tests.shop_texts import QUERIES, TITLES

HEADS, WIDTH = 2, 4
LENGTHS = st.lists(st.integers(1, 13), min_size=1, max_size=4)


def parts(lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = (3, len(lengths), HEADS, max(lengths), WIDTH)
    query, key, value = torch.randn(shape, generator=generator, dtype=torch.float64)
    return query, key, value, torch.tensor(lengths)


def mixed(weights, value, lengths):
    """Weights [B, H, T, T] above 0 of every pair -> outputs, by a loop over the texts."""
    out = torch.zeros_like(value)
    for text, length in enumerate(lengths.tolist()):
        kept = weights[text, :, :length, :length]
        out[text, :, :length] = (kept / kept.sum(dim=2, keepdim=True)) @ value[text, :, :length]
    return out


@given(LENGTHS, st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_full(lengths, seed):
    query, key, value, lengths = parts(lengths, seed)
    weights = (query @ key.transpose(2, 3) * WIDTH**-0.5).exp()
    assert torch.allclose(full_attention(query, key, value, lengths), mixed(weights, value, lengths))


@given(LENGTHS, st.integers(1, 15), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_windowed(lengths, window, seed):
    query, key, value, lengths = parts(lengths, seed)
    places = torch.arange(query.shape[2])
    near = (places[:, None] - places).abs() <= window
    weights = (query @ key.transpose(2, 3) * WIDTH**-0.5).exp() * near
    found = windowed_attention(query, key, value, lengths, window)
    assert torch.allclose(found, mixed(weights, value, lengths))
    if window >= int(lengths.max()):
        assert torch.allclose(found, full_attention(query, key, value, lengths))


@given(LENGTHS, st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_linear(lengths, seed):
    query, key, value, lengths = parts(lengths, seed)
    query_map, key_map = (torch.where(x > 0, x + 1, x.exp()) for x in (query, key))
    weights = query_map @ key_map.transpose(2, 3)
    assert torch.allclose(linear_attention(query, key, value, lengths), mixed(weights, value, lengths))


@given(LENGTHS, st.integers(0, 99), st.sampled_from([*AttentionForms.values(), windowed(3)]))
@settings(max_examples=40, deadline=None)
def test_padding_changes_nothing_and_is_zero(lengths, seed, form):
    query, key, value, lengths = parts(lengths, seed)
    found = form.attend(query, key, value, lengths)
    assert found.shape == query.shape
    real = torch.arange(query.shape[2]) < lengths[:, None]
    assert (found.transpose(1, 2)[~real] == 0).all()
    for part in (query, key, value):
        part.transpose(1, 2)[~real] = 1e4
    assert torch.equal(form.attend(query, key, value, lengths), found)


def test_a_window_has_a_size():
    with pytest.raises(ValueError, match="window must be at least 1"):
        windowed_attention(*parts([3], 0), window=0)


def test_formulas():
    flops = {name: form.flops(1024, 32) for name, form in AttentionForms.items()}
    assert flops["full"] == 4 * 1024**2 * 32
    assert flops["windowed-64"] == 12 * 1024 * 64 * 32
    assert flops["linear"] == 4 * 1024 * 32**2 + 3 * 1024 * 32
    # twice the length: four times the work of full attention, twice that of the others
    ratios = [form.flops(2048, 32) / flops[name] for name, form in AttentionForms.items()]
    assert ratios == [4, 2, 2]
    assert windowed(64).flops(65, 32) == windowed(64).flops(128, 32)
    assert AttentionForms["full"].scores(1024, 32) == 1024**2
    assert windowed(64).scores(1024, 32) == 1024 * 192
    assert AttentionForms["linear"].bytes(1024, 32) == 4 * (4 * 1024 * 32)


def test_attention_s_share_of_minilm(minilm):
    # 6 layers of 4 · T · 384 against 21.2 million operations a token
    assert attention_share(minilm, 128) == pytest.approx(128 * 9216 / (21_233_664 + 128 * 9216))
    assert attention_share(minilm, 128) < 0.06
    assert attention_share(minilm, 4096) > 0.6


def test_full_attention_put_back_gives_the_same_vectors(bert):
    texts = QUERIES + TITLES
    before = bert.model.config._attn_implementation
    expected = embed_texts(bert, texts, precision="fp32")
    with attention_replaced(bert, full_attention):
        assert np.abs(embed_texts(bert, texts, precision="fp32") - expected).max() < 2e-6
    with attention_replaced(bert, linear_attention):
        assert np.abs(embed_texts(bert, texts, precision="fp32") - expected).max() > 1e-4
    with pytest.raises(RuntimeError, match="planted"), attention_replaced(bert, linear_attention):
        raise RuntimeError("planted")
    assert bert.model.config._attn_implementation == before
    assert (embed_texts(bert, texts, precision="fp32") == expected).all()


def test_a_decoder_is_refused(gpt):
    with pytest.raises(NotForThisModel), attention_replaced(gpt, full_attention):
        pass


def test_inputs_are_the_layer_s_own(bert):
    """The first layer's queries, computed by hand from the embeddings."""
    query, key, value = attention_inputs(bert, TITLES, 40)
    assert query.shape == key.shape == value.shape == (1, 4, 40, 16)
    ids = [token for row in bert.tokenizer(TITLES, add_special_tokens=False)["input_ids"] for token in row]
    ids = torch.tensor([[bert.tokenizer.cls_token_id, *ids[:38], bert.tokenizer.sep_token_id]])
    with torch.inference_mode():
        hidden = bert.model.embeddings(input_ids=ids)
        expected = bert.model.encoder.layer[0].attention.self.query(hidden).view(1, 40, 4, 16).transpose(1, 2)
    assert torch.allclose(query, expected, atol=1e-6)
    assert not torch.equal(attention_inputs(bert, TITLES, 40, layer=1)[0], query)


def test_longer_than_the_model_can_read(bert):
    query, _, _ = attention_inputs(bert, TITLES * 40, 1100)
    assert query.shape[2] == 1100
    for wrong in ({"tokens": 10_000}, {"tokens": 20, "layer": 2}):
        with pytest.raises(ValueError, match="give more"):
            attention_inputs(bert, TITLES, **wrong)


def test_tables(bert):
    table = forms_by_length(bert, TITLES * 20, [32, 300], rounds=1).set_index(["tokens", "form"])
    assert len(table) == 2 * len(AttentionForms)
    assert table.loc[(32, "windowed-64"), "error"] < 1e-5  # all within the window
    assert table.loc[(300, "windowed-64"), "error"] > 1e-3
    assert table.loc[(300, "linear"), "error"] > 1e-3
    assert table.loc[(300, "full"), "flops"] == 4 * 4 * 300**2 * 16


def test_a_trained_encoder_is_lost_without_its_softmax(minilm):
    vectors = vector_table(minilm, TITLES * 2, QUERIES)
    assert vectors.loc[["full", "windowed-64"], "cosine"].min() > 0.9999  # no title is longer than the window
    assert vectors.loc["linear", "cosine"] < 0.8
