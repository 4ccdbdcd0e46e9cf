from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.compression.distillation import SETTINGS, distil
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.speed.rounding.fake_quantisation import (
    fake_int8,
    round_by_block,
    round_by_row,
    round_by_text,
    smoothing,
)
from recsys.speed.rounding.linear_maps import linear_maps
from recsys.speed.variants import FFN
from tests.shop_texts import QUERIES, TITLES

TEXTS = QUERIES + TITLES


def vectors(backbone, **options):
    with fake_int8(backbone, **options):
        return embed_texts(backbone, TEXTS, precision="fp32")


def error(found, expected):
    return float(1 - (found * expected).sum(axis=1).mean())


@pytest.fixture(scope="module")
def exact(minilm):
    return embed_texts(minilm, TEXTS, precision="fp32")


def test_it_is_what_onnxruntime_computes(minilm, exact, tmp_path):
    """Queries one by one: much nearer to the real int8 graph than that is to the exact vectors."""
    onnx_build = pytest.importorskip("recsys.speed.builders.onnx", exc_type=ImportError)
    from recsys.speed.artefact import words_of
    from recsys.speed.encoder import Encoder
    from recsys.speed.engines import onnx as onnx_engine

    onnx_build.int8_dynamic(minilm, tmp_path, [])
    words = words_of(minilm)
    real = Encoder(onnx_engine.load(tmp_path, words), words, minilm.width)
    real = np.stack([real.encode(text) for text in TEXTS])
    assert error(vectors(minilm), real) < error(real, exact) / 4


def test_afterwards_nothing_is_rounded(minilm, exact):
    names = set(minilm.state_dict())
    with fake_int8(minilm):
        assert set(minilm.state_dict()) == names
        assert not np.array_equal(embed_texts(minilm, TEXTS, precision="fp32"), exact)
    assert np.array_equal(embed_texts(minilm, TEXTS, precision="fp32"), exact)
    with pytest.raises(RuntimeError, match="planted"), fake_int8(minilm):
        raise RuntimeError("planted")
    assert np.array_equal(embed_texts(minilm, TEXTS, precision="fp32"), exact)


def test_a_text_s_scale_is_its_own(minilm):
    """So that a batch trains what a query alone will meet; padding has no say either."""
    with fake_int8(minilm):
        alone = np.stack([embed_texts(minilm, [text], precision="fp32")[0] for text in TEXTS])
    # an entry half-way between two levels may fall either way and changes all behind it: not every text
    assert np.median(1 - (vectors(minilm) * alone).sum(axis=1)) < 1e-6


def test_what_is_kept_and_what_is_careful(minilm, exact):
    only_tables = error(vectors(minilm, unrounded=[".*"]), exact)
    blockwise = error(vectors(minilm, blockwise=[".*"]), exact)
    second = error(vectors(minilm, blockwise=[FFN]), exact)
    everything = error(vectors(minilm), exact)
    assert 0 < only_tables < blockwise < second < everything


def test_smoothing_makes_one_scale_serve_all_channels(minilm, exact):
    scales = smoothing(minilm, TITLES)
    assert scales.keys() == linear_maps(minilm).keys()
    assert error(vectors(minilm, smooth=scales), exact) < error(vectors(minilm), exact) / 2
    nothing = smoothing(minilm, TITLES, share=0)
    assert all((scale == 1).all() for scale in nothing.values())


def test_training_with_rounding_wins_back_some_of_it():
    backbone = load_backbone("random-bert")
    with torch.no_grad():  # an outlier in every map makes the rounding coarse
        for module in linear_maps(backbone).values():
            module.weight[:, 0] *= 20
    targets = embed_texts(backbone, TEXTS, precision="fp32")
    before = error(vectors(backbone), targets)
    quick = replace(SETTINGS, epochs=40, learning_rate=2e-4, mixed_precision="no")
    with fake_int8(backbone):
        distil(backbone, TEXTS, targets, quick, progress=False)
    assert error(vectors(backbone), targets) < before / 2


arrays = st.integers(0, 2**32 - 1).map(lambda seed: torch.Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(arrays, st.integers(1, 4), st.integers(1, 5), st.floats(1e-3, 1e3))
def test_rounding_by_text(generator, texts, tokens, reach):
    rows = reach * torch.randn(texts, tokens, 8, generator=generator)
    real = torch.ones(texts, tokens, dtype=torch.bool)
    rounded = round_by_text(rows, real)
    for exact, found in zip(rows, rounded, strict=True):
        span = exact.max().clamp(min=0) - exact.min().clamp(max=0)
        # half a step, and at the ends half a step more, as the zero is rounded too
        assert (exact - found).abs().max() <= 1.01 * span / 255
        assert len(found.unique()) <= 256
    # padding, however large, changes nothing
    padded, mask = torch.cat([rows, 1e6 * rows[:, :1]], dim=1), torch.cat([real, ~real[:, :1]], dim=1)
    assert torch.equal(round_by_text(padded, mask)[:, :tokens], rounded)


@settings(max_examples=30, deadline=None)
@given(arrays, st.floats(1e-3, 1e3))
def test_rounding_by_row_and_block(generator, reach):
    table = reach * torch.randn(3, 64, generator=generator)
    by_row, by_block = round_by_row(table), round_by_block(table, 32)
    assert ((table - by_row).abs() <= table.abs().amax(dim=1, keepdim=True) / 253).all()
    assert torch.equal(by_block, torch.cat([round_by_row(half) for half in table.split(32, dim=1)], dim=1))
    assert (round_by_row(0 * table) == 0).all()


def test_gradients_pass():
    for rounded in (
        lambda x: round_by_text(x, torch.ones(2, 3, dtype=torch.bool)),
        lambda x: round_by_block(x, 4),
        lambda x: round_by_row(x[0]),
    ):
        rows = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
        rounded(rows).sum().backward()
        assert rows.grad[0].eq(1).all()


def test_what_cannot_be_rounded_is_refused(bert, gpt):
    with pytest.raises(ValueError, match=r"no nn\.Linear"), fake_int8(gpt):
        pass
    with pytest.raises(ValueError, match="no map is named 'nothing'"), fake_int8(bert, unrounded=["nothing"]):
        pass
    with (
        pytest.raises(ValueError, match="block 7 does not divide"),
        fake_int8(bert, blockwise=[".*"], block=7),
    ):
        pass
    with pytest.raises(ValueError, match="rounded already"), fake_int8(bert), fake_int8(bert):
        pass
    with pytest.raises(ValueError, match="needs texts"):
        smoothing(bert, [])
    with pytest.raises(ValueError, match="from 0 to 1"):
        smoothing(bert, TEXTS, share=2)
    assert not any("forward" in vars(module) for module in bert.modules())
