"""`fast_encoder` and the packaged text models: identified by their pinned bytes, or refused by name."""

import numpy as np
import pytest

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.model_folders import BackboneError
from recsys.encoders.packaged import e5_small
from recsys.encoders.packaged.packaged_model import PackagedError
from recsys.speed.fast_encoder import fast_encoder
from recsys.speed.model_source import model_source
from tests.encoders.packaged.small_weights import small_e5, small_use  # noqa: F401 - fixtures

TEXTS = ["red summer dress", "wireless headphones", "", "红色连衣裙 夏季"]


@pytest.mark.parametrize("variant", ["packed-fp32", "onnx-fp32"])
@pytest.mark.usefixtures("small_e5")
def test_engines_compute_e5_with_its_prefix(variant, tmp_path):
    backbone = load_backbone("e5-small-multilingual")
    encoder = fast_encoder(backbone, variant=variant, cache=tmp_path, progress=False)
    wanted = embed_texts(backbone, TEXTS, precision="fp32")
    assert np.allclose(encoder.encode(TEXTS), wanted, atol=1e-4)


def test_a_table_of_words_is_refused_by_name():
    with pytest.raises(BackboneError, match="does not take 'use-multilingual': it is no Transformer"):
        fast_encoder("use-multilingual", variant="packed-fp32", progress=False)


@pytest.mark.usefixtures("small_e5")
def test_identified_by_pinned_bytes():
    found = model_source("e5-small-multilingual")
    assert (found.name, found.folder, len(found.digest)) == ("e5-small-multilingual", None, 64)
    assert model_source("e5-small-multilingual").digest == found.digest
    path = e5_small.MODEL.path(verify=False)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(PackagedError, match="not the pinned ones"):
        model_source("e5-small-multilingual")
