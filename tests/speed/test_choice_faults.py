"""What a choice must not do: serve another model, ban a variant for ever, keep its floor elsewhere."""

import copy
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.encoders import tokens
from recsys.encoders.embed import embed_texts
from recsys.encoders.peft.applied import adapter_tensors
from recsys.encoders.peft.methods import apply_method
from recsys.speed import choice, fast_encoder, word_pieces
from recsys.speed.choice import Texts, is_passing
from recsys.speed.quality import closeness, nearest
from recsys.speed.variant import NotForThisModel
from recsys.speed.variants import VARIANTS
from tests.shop_texts import QUERIES, TITLES

EXACT = VARIANTS["packed-fp32"]
MANY = Texts(TITLES + [f"{title} {n}" for n in range(3) for title in TITLES], QUERIES)


def tuned(bert, method):
    """A backbone whose adapter has learnt something."""
    backbone = copy.deepcopy(bert, {id(bert.tokenizer): bert.tokenizer})
    apply_method(backbone, method)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in adapter_tensors(backbone).values():
            if tensor.requires_grad:
                tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator))
    return backbone.eval()


@pytest.mark.parametrize("variant", ["packed-fp32", "packed-bf16", "packed-mixed", "packed-int8"])
@pytest.mark.parametrize("method", ["pfeiffer", "houlsby"])
def test_modules_that_packing_does_not_compute_are_refused_by_name(bert, tmp_path, method, variant):
    """In int8 the untuned model was served: its vectors are within the bound of the rounding."""
    with pytest.raises(
        NotForThisModel, match=r"tensors that no BERT has, first encoder.layer.0.\S*bottleneck"
    ):
        fast_encoder.fast_encoder(tuned(bert, method), variant=variant, texts=MANY, cache=tmp_path)


@pytest.mark.parametrize("method", ["lora", "dora", "ia3"])
def test_a_change_of_weights_is_merged_into_a_copy(bert, tmp_path, method):
    """It was a KeyError."""
    backbone = tuned(bert, method)
    right = embed_texts(backbone, TITLES, precision="fp32")
    encoder = fast_encoder.fast_encoder(backbone, variant="packed-fp32", texts=MANY, cache=tmp_path)
    assert np.abs(encoder.encode(TITLES) - right).max() < 1e-4
    assert np.abs(right - embed_texts(bert, TITLES, precision="fp32")).max() > 0.001
    assert backbone.peft.name == method


def test_lora_that_was_put_in_without_the_kit_is_refused_by_name(bert, tmp_path):
    import peft

    backbone = copy.deepcopy(bert, {id(bert.tokenizer): bert.tokenizer})
    peft.inject_adapter_in_model(peft.LoraConfig(target_modules=["query"]), backbone.model)
    with pytest.raises(NotForThisModel, match=r"no BERT has, first encoder.layer.0.attention.self.query"):
        fast_encoder.fast_encoder(backbone, variant="packed-int8", texts=MANY, cache=tmp_path)


STATE = {"calls": 0}


def short_of_memory_once(backbone, folder, texts, **options):
    STATE["calls"] += 1
    if STATE["calls"] == 1:
        raise MemoryError
    EXACT.build(backbone, folder, texts)


def test_a_want_of_memory_does_not_ban_a_variant_for_ever(bert, tmp_path, monkeypatch):
    builder = "tests.speed.test_choice_faults:short_of_memory_once"
    fragile = replace(EXACT, name="fragile", builder=builder, options={})
    fragile = replace(fragile, loader="tests.speed.test_choice_faults:load_exact")
    monkeypatch.setattr(fast_encoder, "VARIANTS", {"fragile": fragile, EXACT.name: EXACT})
    STATE["calls"] = 0
    told = {"texts": MANY, "cache": tmp_path, "progress": False}
    source = fast_encoder.model_source(bert)
    first = fast_encoder.tried(source, **told)
    assert [(trial.variant, trial.failing is None) for trial in first] == [
        ("fragile", False),
        (EXACT.name, True),
    ]
    second = fast_encoder.tried(source, **told)
    assert [trial.failing for trial in second] == [None, None]
    assert second[1] == first[1], "what had not failed was tried again"
    assert fast_encoder.tried(source, **told) == second
    assert STATE["calls"] == 2


def load_exact(folder, words, **options):
    return EXACT.load(folder, words)


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (MemoryError(), True),
        (OSError(28, "No space left on device"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUDA out of memory"), True),
        (RuntimeError("this processor has no such instruction"), False),
        (NotForThisModel("packing is written for BERT"), False),
        (FileNotFoundError("no artefact"), False),
    ],
)
def test_failures_that_pass(error, passing):
    assert is_passing(error) == passing


def test_without_texts_of_one_s_own_it_is_said_where_the_floor_is_kept(bert, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fast_encoder, "VARIANTS", {EXACT.name: EXACT})
    monkeypatch.setattr(choice, "demo_texts", lambda: MANY)
    for _ in range(2):  # when it is tried, and when it is loaded
        fast_encoder.fast_encoder(bert, cache=tmp_path)
        assert "kept on the demo store's texts; pass yours: texts=[…]" in capsys.readouterr().err
    fast_encoder.fast_encoder(bert, texts=MANY, cache=tmp_path)
    assert "demo store" not in capsys.readouterr().err


@pytest.mark.parametrize("count", [60, 90])
def test_titles_alone_are_judged_on_titles_that_are_not_among_them(bert, tmp_path, monkeypatch, count):
    monkeypatch.setattr(fast_encoder, "VARIANTS", {EXACT.name: EXACT})
    titles = [f"{title} {n}" for n in range(count) for title in TITLES]
    rows, queries = Texts(titles).judged()
    apart = choice.CALIBRATION if len(titles) >= 2 * choice.CALIBRATION else 0
    assert len(queries) == min(choice.QUERIES, -(-(len(titles) - apart) // 5))
    assert min(rows) >= apart
    assert not {titles[row] for row in rows} & set(queries)
    (trial,) = fast_encoder.tried(fast_encoder.model_source(bert), texts=Texts(MANY.titles), cache=tmp_path)
    assert trial.failing is None
    assert trial.overlap == 1
    fast_encoder.fast_encoder(bert, texts=MANY.titles, cache=tmp_path, progress=False)


def test_of_equal_products_the_earlier_row_is_nearer():
    """A partition took any of them."""
    catalogue = np.repeat(np.eye(3, dtype=np.float32), 200, axis=0)
    found = nearest(np.array([[1, 0.5, 0.2], [0.2, 1, 0.5]], dtype=np.float32), catalogue, 7)
    assert found.tolist() == [list(range(7)), list(range(200, 207))]


def test_of_items_tied_at_the_last_place_either_is_right():
    catalogue = np.eye(6, dtype=np.float32)
    query = np.array([[0.9, 0.5, 0.5, 0.5, 0.1, 0]], dtype=np.float32)
    other = query + np.array([[0, 0, 1e-4, 2e-4, 0, 0]], dtype=np.float32)
    assert closeness(catalogue, other, catalogue, query, k=2).overlap.tolist() == [1]
    wrong = query + np.array([[0, 0, 0, 0, 0.6, 0]], dtype=np.float32)
    assert closeness(catalogue, wrong, catalogue, query, k=2).overlap.tolist() == [0.5]


def test_a_text_is_looked_at_no_further_than_embed_texts_does(bert, tmp_path):
    """20 million characters took 3.7 GB."""
    assert word_pieces.CHARACTERS_PER_TOKEN == tokens.CHARACTERS_PER_TOKEN
    encoder = fast_encoder.fast_encoder(bert, variant="packed-fp32", texts=MANY, cache=tmp_path)
    texts = ["red shoe " * 200_000, "x" * 1_000_000, "a " + " " * 1_000_000 + "b"]
    limit = {"precision": "fp32", "max_tokens": encoder.words.max_tokens}
    right = embed_texts(bert, [text[:20_000] for text in texts], **limit)
    tracemalloc.start()
    assert np.abs(encoder.encode(texts) - right).max() < 1e-5
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
