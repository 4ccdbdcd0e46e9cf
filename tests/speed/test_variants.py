"""Every variant of the table, on a small model with random weights: is it built, loaded, and right?"""

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from recsys.compression.distillation import keep_layers
from recsys.encoders.embed import embed_texts
from recsys.encoders.processor_precision import has_bfloat16
from recsys.speed import artefact, onnx_export
from recsys.speed.builders.smoothing import smoothed
from recsys.speed.encoder import Encoder
from recsys.speed.engines import onnx as onnx_engine
from recsys.speed.engines.torch_graphs import reference
from recsys.speed.model_source import model_source
from recsys.speed.rounding.fake_quantisation import smoothing
from recsys.speed.variant import NotForThisModel
from recsys.speed.variants import VARIANTS
from tests.shop_texts import AWKWARD, QUERIES, TITLES

LEAST_COSINE = {"fp32": 0.99999, "bf16": 0.999, "int8": 0.98}
TEXTS = QUERIES + TITLES + AWKWARD[:4]


@pytest.fixture(scope="module")
def one_export(bert, tmp_path_factory):
    """The exporter takes most of a build's time and gives every builder the same."""
    file = tmp_path_factory.mktemp("export") / "model.onnx"
    pytest.importorskip("onnx")
    onnx_export.export_onnx(bert, file)
    return file


@pytest.fixture
def quick_export(one_export, monkeypatch):
    for module in ("onnx", "openvino"):
        library = {"onnx": "onnxruntime", "openvino": "openvino"}[module]
        pytest.importorskip(library)
        monkeypatch.setattr(
            f"recsys.speed.builders.{module}.export_onnx",
            lambda backbone, path: shutil.copy(one_export, path),
        )


def skip_where_missing(variant):
    if variant.missing():
        pytest.skip(f"not installed: {', '.join(variant.missing())}")


# openvino-mixed differs from openvino-int8 by one option, and nncf's calibration is the slowest step here
QUICK = [name for name, variant in VARIANTS.items() if variant.quick and name != "openvino-mixed"]


@pytest.mark.parametrize("name", QUICK)
def test_equals_the_reference_and_serves_two_at_once(name, bert, bert_source, tmp_path, request):
    variant = VARIANTS[name]
    skip_where_missing(variant)
    if name.startswith("packed") and name != "packed-fp32" and not has_bfloat16():
        pytest.skip("torch packs its weights only on a processor with bfloat16 instructions")
    if not name.startswith("packed") and "gptq" not in name:  # those export weights of their own
        request.getfixturevalue("quick_export")
    folder = artefact.build(bert_source, variant, TITLES, tmp_path)
    assert {p.suffix for p in folder.rglob("*")} <= {".onnx", ".xml", ".bin", ".safetensors", ".json"}
    encoder = artefact.load(bert_source, variant, tmp_path)
    expected = embed_texts(bert, TEXTS, precision="fp32", max_tokens=512)
    found = encoder.encode(TEXTS)
    assert (found * expected).sum(axis=1).min() > LEAST_COSINE[variant.precision]
    alone = np.stack([encoder.encode(text) for text in TEXTS])
    apart = np.abs(found - alone).max()
    assert apart < (1e-6 if variant.one_at_a_time else 5e-3), (
        "a text's vector hangs on the others of its batch"
    )
    with ThreadPoolExecutor(2) as pool:
        at_once = np.stack(list(pool.map(encoder.encode, 3 * TEXTS)))
    assert np.abs(at_once - np.tile(alone, (3, 1))).max() < 1e-6


def test_eager_equals_the_reference(bert, bert_source, tmp_path):
    artefact.build(bert_source, VARIANTS["eager"], TITLES, tmp_path)
    found = artefact.load(bert_source, VARIANTS["eager"], tmp_path).encode(TEXTS)
    assert np.abs(found - embed_texts(bert, TEXTS, precision="fp32", max_tokens=512)).max() < 1e-5


def test_sentence_transformers_agrees(bert, tmp_path):
    pytest.importorskip("sentence_transformers")
    found = reference(bert, tmp_path).encode(TITLES)
    assert np.abs(found - embed_texts(bert, TITLES, precision="fp32")).max() < 1e-5


@pytest.mark.parametrize("name", ["onnx-fp32", "onnx-8bit"])
def test_a_decoder_too(name, gpt, tmp_path):
    skip_where_missing(VARIANTS[name])
    source = model_source(gpt)
    artefact.build(source, VARIANTS[name], TITLES, tmp_path)
    found = artefact.load(source, VARIANTS[name], tmp_path).encode(QUERIES + TITLES)
    expected = embed_texts(gpt, QUERIES + TITLES, precision="fp32")
    assert (found * expected).sum(axis=1).min() > LEAST_COSINE[VARIANTS[name].precision]


def test_names_are_said_once_and_every_function_is_there():
    assert all(name == variant.name for name, variant in VARIANTS.items())
    for variant in VARIANTS.values():
        assert len(variant.code()) == 64
        if not variant.missing():
            assert callable(variant._function(variant.builder))
            assert callable(variant._function(variant.loader))


def test_a_variant_for_another_architecture_says_so(gpt, tmp_path):
    with pytest.raises(NotForThisModel, match="written for BERT"):
        VARIANTS["packed-bf16"].build(gpt, tmp_path, [])


def test_nothing_reports_its_use():
    assert sys.modules["openvino_telemetry"] is None


def test_a_layer_that_is_there_twice(bert, tmp_path):
    """Its maps' weights are found twice in the graph, once for each name."""
    pytest.importorskip("onnxruntime")
    backbone = keep_layers(bert, [1, 1])
    source = model_source(backbone)
    artefact.build(source, VARIANTS["onnx-smooth"], TITLES, tmp_path)
    found = artefact.load(source, VARIANTS["onnx-smooth"], tmp_path).encode(TEXTS)
    expected = embed_texts(backbone, TEXTS, precision="fp32", max_tokens=512)
    assert (found * expected).sum(axis=1).min() > LEAST_COSINE["int8"]


def test_smoothing_changes_no_product(minilm, tmp_path):
    """Before it is rounded, the smoothed graph computes what the plain one does; rounded, it loses less, and
    less again with weights that were chosen by what they multiply."""
    pytest.importorskip("onnxruntime")
    from recsys.speed.builders import onnx as onnx_build

    texts = QUERIES + TITLES
    expected = embed_texts(minilm, texts, precision="fp32")
    worst = {}
    ways = {"plain": {}, "smooth": {"smooth": 0.7}, "gptq": {"smooth": 0.7, "second_order": True}}
    for name, options in ways.items():
        folder = tmp_path / name
        folder.mkdir()
        onnx_build.int8_dynamic(minilm, folder, TITLES, **options)
        words = artefact.words_of(minilm)
        rounded = Encoder(onnx_engine.load(folder, words), words, minilm.width)
        near = [rounded.encode(text) @ right for text, right in zip(texts, expected, strict=True)]
        worst[name] = 1 - np.mean(near)
    assert worst["smooth"] < 0.6 * worst["plain"]
    assert worst["gptq"] < 0.8 * worst["smooth"]
    graph = onnx_build.fused(minilm)
    batches = list(iter(onnx_build._Batches(minilm, texts).get_next, None))
    before = _run(graph, batches)
    after = _run(smoothed(graph, minilm, smoothing(minilm, texts)), batches)
    assert max(np.abs(a - b).max() for a, b in zip(before, after, strict=True)) < 1e-4
    divided = [node.name for node in graph.graph.node if node.name.endswith("/divide")]
    assert len(divided) == 3 * minilm.model.config.num_hidden_layers  # behind attention it costs nothing


def _run(graph, batches):
    import onnxruntime

    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return [session.run(None, batch)[0] for batch in batches]
