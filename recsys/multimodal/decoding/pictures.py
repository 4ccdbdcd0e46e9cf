"""Decode a picture to upright RGB of a given size; damaged or too large files are refused.

H, W: rows and columns of pixels.
"""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from recsys.multimodal.decoding.faults import Undecodable

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # each further one is a parser of untrusted bytes
MOST_BYTES = 64 << 20
# 40 megapixels are 120 MB in RGB; a PNG of 30,000 × 30,000 equal pixels has 100 kB and would take 2.7 GB
MOST_PIXELS = 40_000_000
LEAST_SIDE = 2  # pixels
STEP = 16  # pixels: few shapes share batches
MOST_RATIO = 4.0
ORIENTATION = 0x0112  # in EXIF data: 5 to 8 are turned by a quarter


def decode_picture(
    content: bytes, width: int, height: int, keep: str = "all", most_pixels: int = MOST_PIXELS
) -> np.ndarray:
    """Decode a picture to RGB, upright.

    EXIF orientation is applied, CMYK and 16-bit grey are converted, transparency is laid on white, and of an
    animation the first frame is taken. The size is checked in the header before anything is decoded; a JPEG
    much larger than needed is decoded at reduced scale.

    Args:
        content: bytes of the file.
        width, height: pixels of the result; the picture is stretched to them (its aspect ratio is not kept).
        keep: "all", or "top": the lower half, where a poster has its title, is painted grey.
        most_pixels: refuse larger pictures.

    Returns:
        [H, W, 3] uint8.

    Raises:
        Undecodable: with the reason.
    """
    if not content:
        raise Undecodable("0 bytes")
    if len(content) > MOST_BYTES:
        raise Undecodable(f"{len(content):,} bytes, more than {MOST_BYTES:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PIL warns of large sizes (checked here) and of odd EXIF data
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                pixels = picture.width * picture.height
                if pixels > most_pixels:
                    raise Undecodable(f"{picture.width:,} × {picture.height:,} pixels, too many to decode")
                picture.draft("RGB", (2 * max(width, height),) * 2)  # only JPEG; keeps CMYK as it is
                picture.load()
                upright = ImageOps.exif_transpose(picture)
                rgb = _rgb(upright)
    except Undecodable:
        raise
    except Image.DecompressionBombError as error:
        raise Undecodable(f"too many pixels to decode ({error})") from None
    # on a damaged file PIL's readers may raise any exception
    except Exception as error:
        raise Undecodable(_reason(error)) from None
    if min(rgb.size) < LEAST_SIDE:
        raise Undecodable(f"{rgb.width} × {rgb.height} pixels are no picture")
    array = np.array(rgb.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))
    if keep == "top":
        array[height // 2 :] = 127
    return array


def decode_in_shape(content: bytes, side: int) -> np.ndarray:
    """A picture as `decode_picture` gives it, not stretched: about side × side pixels in its own shape.

    Sides are multiples of STEP; what is more than MOST_RATIO times as long as wide is taken for just that.

    Returns:
        [H, W, 3] uint8.

    Raises:
        Undecodable: with the reason.
    """
    width, height = _size(content)
    ratio = min(max(width / height, 1 / MOST_RATIO), MOST_RATIO)
    sides = [max(STEP, round(side * part / STEP) * STEP) for part in (ratio**0.5, ratio**-0.5)]
    return decode_picture(content, *sides)


def _size(content: bytes) -> tuple[int, int]:
    """Width and height as the eye sees it, by the header; a square where `decode_picture` will refuse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                size = picture.size
                turned = picture.getexif().get(ORIENTATION, 1) >= 5
    except Exception:  # whatever it is, decoding meets it again and says so
        return 1, 1
    return size[::-1] if turned else size


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":  # PIL would clip 16 bits at 255
        grey = np.asarray(picture, dtype=np.float64)
        top = 65535.0 if grey.max(initial=0) > 255 else 255.0
        return Image.fromarray((grey * (255.0 / top)).clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return picture.convert("RGB")


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "no picture of a known format"
    text = " ".join(str(error).split())
    return f"damaged: {text[:120] or type(error).__name__}"
