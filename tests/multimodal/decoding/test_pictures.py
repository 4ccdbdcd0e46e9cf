import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from recsys.multimodal.decoding.faults import Undecodable
from recsys.multimodal.decoding.pictures import decode_in_shape, decode_picture
from tests.multimodal.broken_files import bytes_of, halves, png_bomb, rotated, sixteen_bits


def decoded(content: bytes, **options) -> np.ndarray:
    return decode_picture(content, 30, 40, **options)


def is_upright(array: np.ndarray) -> bool:
    """Red above, blue below."""
    top, bottom = array[:15].mean(axis=(0, 1)), array[25:].mean(axis=(0, 1))
    return top[0] > 200 and top[2] < 60 and bottom[2] > 200 and bottom[0] < 60


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_orientation_is_applied(orientation):
    assert is_upright(decoded(rotated(orientation)))


def test_cmyk_becomes_rgb_not_its_negative():
    assert is_upright(decoded(bytes_of(halves().convert("CMYK"), "JPEG", quality=95)))


def test_sixteen_bits_keep_their_levels():
    array = decoded(sixteen_bits())
    assert abs(int(array[5, 5, 0]) - 233) <= 2
    assert abs(int(array[35, 5, 0]) - 78) <= 2


def test_transparency_is_laid_on_white():
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert decoded(bytes_of(clear, "PNG")).min() == 255


def test_the_lower_half_can_be_painted_over():
    array = decoded(bytes_of(halves(), "PNG"), keep="top")
    assert (array[20:] == 127).all()
    assert array[:18, :, 0].min() > 240


def test_a_large_jpeg_keeps_its_content():
    assert is_upright(decoded(bytes_of(halves(1200, 1600), "JPEG")))


@pytest.mark.parametrize(
    ("picture", "shape"),
    [
        (halves(60, 80), (144, 112)),
        (halves(80, 60), (112, 144)),
        (halves(50, 50), (128, 128)),
        (halves(20, 2000), (256, 64)),
    ],
)
def test_a_picture_keeps_its_shape(picture, shape):
    found = decode_in_shape(bytes_of(picture, "PNG"), 128)
    assert found.shape == (*shape, 3)
    assert found[:10, :, 0].min() > 200


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_keeps_its_shape_too(orientation):
    found = decode_in_shape(rotated(orientation), 128)
    assert found.shape == (144, 112, 3)
    assert found[:50, :, 0].mean() > 200


def test_a_broken_picture_says_the_same_in_its_own_shape():
    for content, reason in ((b"", "0 bytes"), (b"text", "no picture"), (png_bomb(), "too many")):
        with pytest.raises(Undecodable, match=reason):
            decode_in_shape(content, 128)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (b"a text named .jpg" * 9, "no picture of a known format"),
        (bytes_of(halves(), "JPEG")[:400], "damaged"),
        (bytes_of(Image.new("RGB", (1, 40)), "PNG"), "no picture"),
    ],
)
def test_broken_ones_say_why(content, reason):
    with pytest.raises(Undecodable, match=reason):
        decoded(content)


def test_more_pixels_than_allowed_are_refused_by_the_header():
    with pytest.raises(Undecodable, match="60 × 80 pixels, too many"):
        decoded(bytes_of(halves(), "PNG"), most_pixels=1000)


def test_a_bomb_is_refused_by_its_header():
    bomb = png_bomb()
    assert len(bomb) < 1_000_000
    with pytest.raises(Undecodable, match="too many"):
        decoded(bomb)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 600))
def test_any_bytes_are_decoded_or_refused(noise, cut):
    whole = bytes_of(halves(), "JPEG")
    for content in (noise, whole[:cut] + noise, whole[:2] + noise):
        with contextlib.suppress(Undecodable):
            assert decoded(content).shape == (40, 30, 3)
