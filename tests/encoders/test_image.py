"""Image encoders: pictures of any mode and size, in any order, give the vector that each gives alone."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, ViTConfig, ViTImageProcessor, ViTModel

from recsys.encoders.image import as_rgb, embed_images, load_image_encoder
from recsys.encoders.model_folders import BackboneError
from recsys.encoders.packaged.efficientnet import EfficientNetLite0, SameConvolution
from recsys.encoders.packaged.efficientnet_lite0 import MODEL


@pytest.fixture(scope="module")
def encoder():
    return load_image_encoder("random-efficientnet-lite0")


def picture(width, height, seed=0, mode="RGB"):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def test_architecture_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in EfficientNetLite0().parameters()) == MODEL.parameters == 4_652_008


@pytest.mark.parametrize("size", [(80, 60), (33, 40), (224, 224), (8, 9)])
def test_feature_map_is_the_input_over_32_rounded_up(size):
    found = EfficientNetLite0().eval().feature_map(torch.zeros(1, 3, *size))
    assert found.shape == (1, 1280, -(-size[0] // 32), -(-size[1] // 32))


def test_padding_puts_the_odd_pixel_behind():
    # 4 pixels, kernel 3, stride 2: TensorFlow's SAME pads 0 before and 1 behind, so sums start at pixel 0
    convolution = SameConvolution(1, 1, 3, 2, bias=False)
    torch.nn.init.ones_(convolution.weight)
    found = convolution(torch.arange(1.0, 17.0).view(1, 1, 4, 4))
    # rows 1-3 x columns 1-3, then columns 3-4 and the zero, and so on
    assert found[0, 0].tolist() == [[54.0, 45.0], [72.0, 54.0]]


def test_vectors_do_not_depend_on_their_batch(encoder):
    pictures = [picture(60, 80, 1), picture(40, 40, 2), picture(60, 80, 3), picture(90, 30, 4)]
    together = embed_images(encoder, pictures, precision="fp32")
    alone = np.concatenate([embed_images(encoder, [p], precision="fp32") for p in pictures])
    assert together.shape == (4, 1280)
    assert together.dtype == np.float32
    assert np.allclose(together, alone, atol=1e-4)
    assert not np.allclose(together[0], together[2])


def test_bf16_is_close(encoder):
    pictures = [picture(64, 64, seed) for seed in range(4)]
    exact, rounded = (embed_images(encoder, pictures, precision=p, normalise=True) for p in ("fp32", "bf16"))
    assert (exact * rounded).sum(axis=1).min() > 0.97


def test_modes_and_transparency():
    grey = as_rgb(picture(20, 10, mode="L"), None)
    assert grey.shape == (10, 20, 3)
    assert (grey[..., 0] == grey[..., 1]).all()
    clear = Image.new("RGBA", (9, 9), (255, 0, 0, 0))
    assert (as_rgb(clear, None) == 255).all()
    assert as_rgb(picture(20, 10), (16, 8)).shape == (8, 16, 3)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ([Image.new("RGB", (9, 9)), "x.jpg"], "picture 1 is a str"),
        ([Image.new("RGB", (9, 3))], "9 × 3 pixels"),
    ],
)
def test_what_is_no_picture_is_named(encoder, pictures, message):
    with pytest.raises(ValueError, match=message):
        embed_images(encoder, pictures)


def test_no_pictures(encoder):
    assert embed_images(encoder, []).shape == (0, 1280)


def test_frozen_and_seeded():
    first, again, other = (
        load_image_encoder("efficientnet-lite0", pretrained=False, seed=s) for s in (0, 0, 1)
    )
    assert not any(p.requires_grad for p in first.parameters())
    assert torch.equal(first.network.conv_stem.weight, again.network.conv_stem.weight)
    assert not torch.equal(first.network.conv_stem.weight, other.network.conv_stem.weight)


def test_packaged_weights_know_red_from_texture():
    if not MODEL.installed():
        pytest.skip(f"{MODEL.package} is not installed: {MODEL.command}")
    encoder = load_image_encoder()
    red, dark_red, noise = (
        Image.new("RGB", (64, 64), (220, 20, 20)),
        Image.new("RGB", (64, 64), (180, 20, 20)),
        picture(64, 64),
    )
    vectors = embed_images(encoder, [red, dark_red, noise], normalise=True)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def save_vit(folder):
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32
    )
    ViTModel(config.__class__(**config.to_dict())).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return 32


def save_clip(folder):
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = CLIPConfig(
        text_config=small, vision_config=small | {"image_size": 32, "patch_size": 8}, projection_dim=24
    )
    CLIPModel(config).save_pretrained(folder)
    crop = {"height": 32, "width": 32}
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=crop).save_pretrained(folder)
    return 24


@pytest.mark.parametrize("save", [save_vit, save_clip])
def test_folders_of_transformers(tmp_path, save):
    width = save(tmp_path)
    encoder = load_image_encoder(str(tmp_path))
    assert (encoder.width, encoder.size) == (width, (32, 32))
    vectors = embed_images(encoder, [picture(60, 80), picture(50, 50, 1)], precision="fp32")
    assert vectors.shape == (2, width)
    assert not np.allclose(vectors[0], vectors[1])
    control = load_image_encoder(str(tmp_path), pretrained=False, seed=3)
    assert not np.allclose(embed_images(control, [picture(60, 80)], precision="fp32")[0], vectors[0])


def test_a_folder_without_a_vision_model_is_one_line(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(BackboneError, match="as an image encoder") as caught:
        load_image_encoder(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_jpeg_bytes_open_as_pictures(encoder):
    buffer = io.BytesIO()
    picture(60, 80).save(buffer, "JPEG")
    assert embed_images(encoder, [Image.open(buffer)]).shape == (1, 1280)
