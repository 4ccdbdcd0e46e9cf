import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.model_folders import BackboneError
from recsys.speed import artefact, fast_encoder
from recsys.speed.artefact import ArtefactError
from recsys.speed.model_source import model_source
from recsys.speed.variants import VARIANTS
from tests.shop_texts import TITLES

PACKED = VARIANTS["packed-fp32"]


@pytest.fixture
def folder(bert_source, tmp_path):
    return artefact.build(bert_source, PACKED, TITLES, tmp_path)


def test_built_and_loaded(bert, bert_source, folder, tmp_path):
    encoder = artefact.load(bert_source, PACKED, tmp_path, workers=2)
    expected = embed_texts(bert, TITLES, precision="fp32")
    assert np.abs(encoder.encode(TITLES) - expected).max() < 1e-5
    # complete by rename, and nothing but weights, texts and settings
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert {path.suffix for path in folder.iterdir()} == {".safetensors", ".json"}


def test_not_built_yet(bert_source, tmp_path):
    with pytest.raises(FileNotFoundError):
        artefact.load(bert_source, PACKED, tmp_path)


def test_another_processor_is_refused(bert_source, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(artefact, "processor", lambda: "model name=another")
    with pytest.raises(FileNotFoundError):
        artefact.load(bert_source, PACKED, tmp_path)
    with pytest.raises(ArtefactError, match="was built for another processor"):
        artefact.load_folder(folder, bert_source, PACKED)


def test_other_weights_are_refused(bert_source, folder, gpt):
    with pytest.raises(ArtefactError, match="was built for another model"):
        artefact.load_folder(folder, model_source(gpt), PACKED)
    with pytest.raises(ArtefactError, match="built for another model"):
        artefact.load_folder(folder, replace(bert_source, max_tokens=9), PACKED)


def test_other_packages_are_refused(bert_source, folder, monkeypatch):
    monkeypatch.setattr("recsys.speed.variant._version", lambda package: "0")
    with pytest.raises(ArtefactError, match="was built for another versions"):
        artefact.load_folder(folder, bert_source, PACKED)


@pytest.mark.parametrize(
    "name", ["packed.safetensors", "tokenizer.json", "manifest.json", "canary.safetensors"]
)
def test_a_truncated_file_is_refused(bert_source, folder, name):
    os.truncate(folder / name, (folder / name).stat().st_size // 2)
    with pytest.raises(ArtefactError, match=r"is damaged|cannot be read"):
        artefact.load_folder(folder, bert_source, PACKED)


def test_other_vectors_than_when_it_was_built_are_refused(bert_source, folder):
    file = folder / "packed.safetensors"
    weights, shape = artefact_weights(file)
    weights["layer.0.up.weight"] = weights["layer.0.up.weight"][::-1].copy()
    save_file(weights, file, metadata=shape)
    sealed(folder)
    with pytest.raises(ArtefactError, match="canary's vectors differ by"):
        artefact.load_folder(folder, bert_source, PACKED)


def test_a_graph_of_something_else_is_not_built(bert_source, tmp_path, monkeypatch):
    """The canary is held against the model itself, not only against what was built."""
    other = load_backbone("random-bert", seed=5)
    right = PACKED.build
    monkeypatch.setattr(
        type(PACKED), "build", lambda self, backbone, folder, texts: right(other, folder, texts)
    )
    with pytest.raises(
        ArtefactError, match="packed-fp32 does not compute this model: the cosine of a text's"
    ):
        artefact.build(bert_source, PACKED, TITLES, tmp_path)
    assert not list(tmp_path.iterdir()), "nothing is left that could be taken for it"


def artefact_weights(file):
    from safetensors import safe_open

    with safe_open(file, framework="np") as opened:
        return load_file(file), opened.metadata()


def sealed(folder):
    """A manifest that vouches for whatever lies there: what a mistaken build would leave."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = artefact._hashes(folder)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_two_builds_at_once_leave_one_whole(bert_source, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(lambda _: artefact.build(bert_source, PACKED, TITLES, tmp_path), range(4)))
    assert len(set(places)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [places[0].name]
    artefact.load(bert_source, PACKED, tmp_path)


def test_a_failing_build_leaves_nothing(gpt, tmp_path):
    with pytest.raises(ValueError, match="not for gpt2"):
        artefact.build(model_source(gpt), PACKED, TITLES, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_damaged_is_built_anew(bert, folder, tmp_path, capsys):
    os.truncate(folder / "packed.safetensors", 100)
    encoder = fast_encoder.fast_encoder(bert, variant="packed-fp32", cache=tmp_path)
    assert "is damaged: packed.safetensors: building it anew" in capsys.readouterr().err
    assert np.abs(encoder.encode(TITLES) - embed_texts(bert, TITLES, precision="fp32")).max() < 1e-5


def test_a_backbone_s_source_follows_its_weights(bert, bert_source):
    assert model_source("random-bert").digest == bert_source.digest
    parameter = next(bert.model.parameters())
    before = parameter.data[0, 0].item()
    try:
        parameter.data[0, 0] += 1
        assert model_source(bert).digest != bert_source.digest
    finally:
        parameter.data[0, 0] = before


def test_a_backbone_that_was_saved_has_the_same_source(tmp_path):
    backbone = load_backbone("random-bert")
    before = model_source(backbone).digest
    backbone.model.save_pretrained(tmp_path)
    assert model_source(backbone).digest == before


def test_minilm_s_folder_says_what_sentence_transformers_does():
    source = model_source("minilm")
    assert (source.pooling, source.max_tokens, source.unit_length) == ("mean", 256, True)


def test_a_prompt_before_every_text_is_refused(bert, tmp_path):
    """SentenceTransformer would put it there; without it vectors would be others, and nobody would know."""
    bert.save(tmp_path)
    plain = model_source(tmp_path).digest
    settings = {"prompts": {"query": "query: "}, "default_prompt_name": None}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(settings))
    assert model_source(tmp_path).digest != plain
    settings["default_prompt_name"] = "query"
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(settings))
    with pytest.raises(BackboneError, match="puts 'query: ' before every text, which no variant does"):
        model_source(tmp_path)
