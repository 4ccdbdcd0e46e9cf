"""Every text backbone: alone as in a batch, saved, reloaded, tuned, merged; or refused with the reason.

Small random files stand in the place of the packages' weights; the real ones are tried where installed. That
training resumes to the same bits stands in tests/models/test_packaged_recommender.py.
"""

import copy

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from recsys.encoders.backbone import OWN, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.model_folders import BackboneError
from recsys.encoders.packaged.registry import PACKAGED
from recsys.encoders.packaged.smollm2 import load_generator
from recsys.encoders.packaged.text import PACKAGED_TEXT
from recsys.encoders.peft.adapter_files import load_adapter, merge, save_adapter
from recsys.encoders.peft.methods import apply_method
from recsys.encoders.peft.trainable import set_trainable
from recsys.encoders.random_models import random_tokenizer
from tests.encoders.packaged.small_llama import small_smollm2  # noqa: F401 - fixture
from tests.encoders.packaged.small_weights import small_e5, small_use  # noqa: F401 - fixtures

TEXTS = ["red summer dress", "wireless headphones", "", "a red red dress, a boat and a dog"]
LEARNING = [("e5-small-multilingual", "lora"), ("e5-small-multilingual", "houlsby"), ("small-llama", "lora")]
LEARNING += [("e5-small-multilingual", "full"), ("small-llama", "bitfit"), ("small-llama", "ia3")]
LEARNING += [("smollm2-135m", "lora"), ("smollm2-135m", "full"), ("smollm2-135m", "ia3")]


@pytest.fixture
def load(small_e5, small_use, tmp_path_factory, request):  # noqa: F811
    """Function: a backbone by name; "small-llama" is a folder with a Llama that has biases."""
    tokenizer = random_tokenizer("random-gpt")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        attention_bias=True,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    LlamaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)

    def by_name(name, **more):
        if name == "smollm2-135m":
            request.getfixturevalue("small_smollm2")  # needs an extra, the others do not
        return load_backbone(str(folder) if name == "small-llama" else name, **more)

    return by_name


def vectors(backbone):
    return embed_texts(backbone, TEXTS, precision="fp32", max_tokens=32)


@pytest.mark.parametrize("name", ["e5-small-multilingual", "use-multilingual", "small-llama", "smollm2-135m"])
def test_alone_as_in_a_batch_and_reloaded_to_the_same_bits(load, name, tmp_path):
    backbone = load(name)
    together = vectors(backbone)
    for row, text in enumerate(TEXTS):
        alone = embed_texts(backbone, [text], precision="fp32", max_tokens=32)[0]
        assert np.allclose(alone, together[row], atol=1e-5)
    backbone.save(tmp_path)
    again = load_backbone(str(tmp_path))
    assert (again.kind, again.pooling, again.frozen) == (backbone.kind, backbone.pooling, backbone.frozen)
    assert np.array_equal(vectors(again), together)


def nudge(backbone):
    with torch.no_grad():
        for parameter in backbone.parameters():
            if parameter.requires_grad:
                parameter.add_(0.01 * torch.randn(parameter.shape, generator=torch.manual_seed(0)))


@pytest.mark.parametrize(("name", "method"), LEARNING)
def test_adapters_reload_and_merge(load, name, method, tmp_path):
    tuned = load(name)
    untuned = vectors(tuned)
    counts = apply_method(tuned, method)
    assert 0 < counts["trainable"] <= counts["total"]
    nudge(tuned)
    wanted = vectors(tuned)
    assert not np.allclose(wanted, untuned, atol=1e-4)
    save_adapter(tuned, tmp_path)
    again = load(name)
    load_adapter(again, tmp_path)
    assert np.array_equal(vectors(again), wanted)
    if tuned.peft.method.merges:
        merged = copy.deepcopy(again)
        merge(merged)
        assert np.allclose(vectors(merged), wanted, atol=1e-5)


def test_the_gguf_file_of_a_llama_is_read_to_the_last_number(small_smollm2):  # noqa: F811
    loaded, generator = load_backbone("smollm2-135m"), load_generator()[0]
    wanted = small_smollm2.state_dict()
    assert loaded.model.state_dict().keys() == wanted.keys()
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name
    assert (loaded.model.config.num_key_value_heads, loaded.model.config.rms_norm_eps) == (
        2,
        pytest.approx(1e-5),
    )
    assert generator.lm_head.weight is generator.model.embed_tokens.weight
    assert loaded.tokenizer.tokenize("a red dress") == ["a", "Ġred", "Ġdress"]
    assert loaded.tokenizer.decode(loaded.tokenizer("红 dress")["input_ids"]) == "红 dress"
    shown = loaded.tokenizer.apply_chat_template([{"role": "user", "content": "red"}], tokenize=False)
    assert shown == "<|im_start|>user\nred<|im_end|>\n"
    ids = torch.tensor([[3, 40, 7, 100]])
    with torch.inference_mode():
        mine, theirs = loaded.model(ids).last_hidden_state, small_smollm2(ids).last_hidden_state
    assert torch.allclose(mine, theirs, atol=1e-6)


@pytest.mark.parametrize("name", ["small-llama", "smollm2-135m"])
def test_bottleneck_adapters_refuse_a_decoder(load, name):
    with pytest.raises(ValueError, match="houlsby does not support a decoder"):
        apply_method(load(name), "houlsby")


def test_a_frozen_model_says_why_it_does_not_learn(load):
    backbone = load("use-multilingual")
    assert backbone.pooling == OWN
    for refused in (lambda: apply_method(backbone, "lora"), lambda: set_trainable(backbone, "all")):
        with pytest.raises(ValueError, match=r"use-multilingual is frozen .*8-bit numbers"):
            refused()
    assert apply_method(backbone, "frozen")["trainable"] == 0
    with pytest.raises(ValueError, match="pools by itself"):
        load("use-multilingual", pooling="mean")
    with pytest.raises(BackboneError, match="has its layers in none of"):
        load("use-multilingual", layers=1)


def test_controls_keep_the_shape_and_forget_the_weights(load):
    for name in ("e5-small-multilingual", "use-multilingual", "smollm2-135m"):
        drawn, again, other = (load(name, pretrained=False, seed=s) for s in (0, 0, 1))
        assert np.array_equal(vectors(drawn), vectors(again))
        assert not np.allclose(vectors(drawn), vectors(other))
        assert not np.allclose(vectors(drawn), vectors(load(name)))


@pytest.mark.parametrize("name", sorted(PACKAGED_TEXT))
def test_every_text_entry_has_facts(name):
    assert PACKAGED.load(name).kind == "text"


@pytest.mark.parametrize("name", sorted(PACKAGED_TEXT))
def test_real_weights(name, tmp_path):
    """One load of each: what is known of two languages, and a saved folder that reloads."""
    entry = PACKAGED.load(name)
    if not entry.installed():
        pytest.skip(f"{entry.package} is not installed: {entry.command}")
    decoder = name == "smollm2-135m"
    backbone = load_backbone(name, layers=2 if decoder else None)
    assert (backbone.kind, backbone.width) == ("decoder" if decoder else "encoder", entry.width)
    texts = ["wireless bluetooth headphones", "无线蓝牙耳机"]
    texts += ["red summer dress for women", "红色连衣裙 夏季 女"]
    found = embed_texts(backbone, texts, precision="fp32", max_tokens=32)
    if decoder:
        assert backbone.tokenizer.chat_template
        assert backbone.pooling == "last"
        assert load_backbone("random-gpt", pooling="mean").pooling == "mean"
    else:
        near = found @ found.T
        assert near[0, 1] > max(near[0, 2], near[0, 3]), "headphones are told from dresses across languages"
        assert near[2, 3] > max(near[0, 3], near[2, 1])
    backbone.save(tmp_path)
    again = load_backbone(str(tmp_path))
    assert np.array_equal(embed_texts(again, texts, precision="fp32", max_tokens=32), found)
