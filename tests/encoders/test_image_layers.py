"""A network read at several depths: the last part is the plain vector, mirror images are one picture."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from recsys.encoders.image import embed_images, load_image_encoder
from recsys.encoders.image_layers import WIDTH, load_layer_encoder


@pytest.fixture(scope="module")
def encoder():
    return load_layer_encoder("random-efficientnet-lite0")


def picture(seed: int, width: int = 70, height: int = 50) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_the_last_part_is_the_mean_of_both_plain_vectors(encoder):
    plain = load_image_encoder("random-efficientnet-lite0")
    pictures = [picture(seed) for seed in range(3)]
    found = embed_images(encoder, pictures, precision="fp32")
    assert found.shape == (3, WIDTH) == (3, 40 + 112 + 192 + 320 + 1280)
    ways = [
        embed_images(plain, [turn(p) for p in pictures], precision="fp32")
        for turn in (plainly, ImageOps.mirror)
    ]
    assert np.allclose(found[:, -1280:], (ways[0] + ways[1]) / 2, atol=1e-4)
    assert not np.allclose(ways[0], ways[1], atol=1e-2)


def plainly(one: Image.Image) -> Image.Image:
    return one


def test_mirror_images_are_one_picture_and_others_are_not(encoder):
    one, other = picture(1), picture(2)
    found = embed_images(encoder, [one, ImageOps.mirror(one), other], precision="fp32")
    assert np.allclose(found[0], found[1], atol=1e-4)
    assert not np.allclose(found[0, :40], found[2, :40], atol=1e-3)


def test_a_network_of_another_kind_is_refused(monkeypatch):
    from recsys.encoders import image_layers

    made = load_image_encoder("random-efficientnet-lite0")
    made.network = made.network.conv_stem
    monkeypatch.setattr(image_layers, "load_image_encoder", lambda name: made)
    with pytest.raises(ValueError, match="'clip' is no EfficientNet-Lite0"):
        load_layer_encoder("clip")
