"""Draws the 64 x 64 product pictures: one emblem a product, in its shape, colour and pattern.

Drawn with arrays only (no fonts, no files). Place, size, turn, light, hue, contrast and pattern width vary
from picture to picture, so that an attribute is not a fixed pixel.
"""

import numpy as np

from recsys.data.demo_store.appearance import draw_appearance
from recsys.data.demo_store.constants import SIZES
from recsys.data.demo_store.seeds import generator
from recsys.data.demo_store.texts import source_codes
from recsys.data.demo_store.vocabulary import PATTERNS, SHAPES
from recsys.data.tables import Dataset

SIDE = 64  # pixels
HUES = (0.0, 28.0, 52.0, 115.0, 172.0, 218.0, 272.0, 325.0)  # degrees, in the order of COLOURS
HUE_JITTER = 7.0  # degrees, either way
NOISE = 6.0  # standard deviation of the sensor noise, in levels of 0..255


def pictures(dataset: Dataset, seed: int = 0) -> np.ndarray:
    """The pictures of all products of a demo store, uint8 [M, 64, 64, 3], RGB, row number = item code.

    Args:
        dataset: from `load`.
        seed: the one that `load` was given.

    Raises:
        ValueError: the data set is not the demo store of that seed.
    """
    n_items = dataset.n_items
    size = next((name for name, (_, items) in SIZES.items() if items == n_items), None)
    if (
        size is None
        or "source_id" not in dataset.items
        or list(dataset.items["source_id"]) != source_codes(seed, size, n_items)
    ):
        raise ValueError(
            f"The data set {dataset.name!r} with {n_items} items is not the demo store of seed {seed}; "
            "pass the whole data set from load() and the seed that it was loaded with."
        )
    look = draw_appearance(seed, size, n_items)
    random = generator(seed, size, "pixels")
    knobs = random.random((n_items, 16), dtype=np.float32)
    result = np.empty((n_items, SIDE, SIDE, 3), dtype=np.uint8)
    for shape in range(len(SHAPES)):
        rows = np.flatnonzero(look.shape == shape)
        noise = random.standard_normal((len(rows), SIDE, SIDE, 1), dtype=np.float32) * NOISE
        drawn = _draw(SHAPES[shape], look.colour[rows], look.pattern[rows], knobs[rows])
        result[rows] = np.clip(drawn + noise, 0, 255).astype(np.uint8)
    return result


def _draw(shape: str, colour: np.ndarray, pattern: np.ndarray, knobs: np.ndarray) -> np.ndarray:
    """[n, 64, 64, 3] float32 levels for n products of one shape; knobs: [n, 16] in [0, 1)."""
    k = knobs[:, :, None, None]  # [n, 16, 1, 1]
    grid = ((np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE * 2 - 1)[None, :]
    x, y = np.broadcast_arrays(grid[:, None, :], -grid[:, :, None])
    scale = 0.62 + 0.24 * k[:, 0]
    u, v = _turned(x - 0.16 * (k[:, 1] - 0.5), y - 0.16 * (k[:, 2] - 0.5), 0.4 * (k[:, 3] - 0.5))
    u, v = u / scale, v / scale
    inside = _soft(_outline(shape, u, v))
    shadow = _soft(_outline(shape, u - 0.09, v + 0.11), 0.12)
    paint = _pattern_field(pattern, u, v, knobs)[..., None]
    main = _rgb(np.array(HUES, dtype=np.float32)[colour] + HUE_JITTER * (2 * knobs[:, 4] - 1), knobs)
    # The second tone is the main one towards white or black, so that the hue stays the product's colour.
    tone = np.where(knobs[:, 7:8] < 0.6, 255.0, 25.0).astype(np.float32)
    second = main + (0.55 + 0.25 * knobs[:, 8:9]) * (tone - main)
    body = main[:, None, None, :] * (1 - paint) + second[:, None, None, :] * paint
    light = 1 + 0.16 * ((k[:, 9] - 0.5) * x + (k[:, 10] - 0.5) * y)
    body = body * (light + 0.10 * (0.4 * v - 0.3 * u) * (np.abs(u) < 2))[..., None]
    warm = np.array([4.0, 0.0, -4.0], dtype=np.float32) * (2 * knobs[:, 11:12] - 1)
    ground = (205 + 40 * k[:, 12] + 10 * y)[..., None] + warm[:, None, None, :]
    ground = ground * (1 - 0.28 * shadow[..., None])
    inside = inside[..., None]
    return ground * (1 - inside) + body * inside


def _turned(x: np.ndarray, y: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def _soft(outline: np.ndarray, width: float = 0.05) -> np.ndarray:
    """1 inside (outline < 0), 0 outside, a ramp of the given width in between."""
    return np.clip(0.5 - outline / width, 0, 1)


def _outline(shape: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance, roughly, to the edge of a shape about as wide as the unit circle; negative inside."""
    ax, ay = np.abs(x), np.abs(y)
    if shape == "circle":
        return np.hypot(x, y) - 0.95
    if shape == "square":
        return np.maximum(ax, ay) - 0.82
    if shape == "triangle":
        return np.maximum(0.866 * ax + 0.5 * y, -y) - 0.52
    if shape == "diamond":
        return 0.82 * ax + 0.57 * ay - 0.62
    if shape == "star":
        fifth = np.float32(2 * np.pi / 5)
        angle = np.arctan2(x, y)
        angle = np.abs(angle - fifth * np.round(angle / fifth))  # from the nearest tip, 0..36 degrees
        # The straight edge from a tip at radius 1.05 to a notch at radius .45.
        return np.hypot(x, y) * (0.360 * np.cos(angle) + 0.933 * np.sin(angle)) - 0.360 * 1.05
    if shape == "hexagon":
        return np.maximum(0.866 * ax + 0.5 * ay, ay) - 0.86
    if shape == "heart":
        return 0.5 * (np.hypot(x, 1.15 * (y + 0.12) - 0.75 * np.sqrt(ax + 1e-3) + 0.15) - 0.85)
    arm = 0.33
    return np.minimum(np.maximum(ax - 0.95, ay - arm), np.maximum(ay - 0.95, ax - arm))


def _pattern_field(pattern: np.ndarray, u: np.ndarray, v: np.ndarray, knobs: np.ndarray) -> np.ndarray:
    """[n, 64, 64] share of the second tone, 0..1."""
    field = np.zeros(u.shape, dtype=np.float32)
    for code, name in enumerate(PATTERNS):
        rows = np.flatnonzero(pattern == code)
        if name == "plain" or not len(rows):
            continue
        k = knobs[rows][:, :, None, None]
        turn = np.float32(np.pi) * k[:, 13] if name == "striped" else 0.5 * (k[:, 13] - 0.5)
        p, q = _turned(u[rows], v[rows], turn)
        wave = 1.7 + 0.9 * k[:, 14]  # periods a unit of length
        p, q = p * wave + k[:, 15], q * wave + k[:, 5]
        field[rows] = _soft(_second_tone(name, p, q), 0.25)
    return field


def _second_tone(name: str, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Negative where the second tone is; p, q in periods."""
    if name == "striped":
        return _zigzag(p) - 0.25
    if name == "checked":
        return 4 * (_zigzag(p) - 0.25) * (0.25 - _zigzag(q))
    if name == "dotted":
        return np.hypot(p - np.round(p), q - np.round(q)) - 0.3
    return _zigzag(q + 1.2 * _zigzag(p)) - 0.25


def _zigzag(x: np.ndarray) -> np.ndarray:
    """Triangle wave of period 1 between 0 and .5."""
    return np.abs(x - np.round(x))


def _rgb(hue: np.ndarray, knobs: np.ndarray) -> np.ndarray:
    """[n, 3] levels 0..255 for hues in degrees; saturation and value come from two knobs."""
    saturation, value = 0.68 + 0.27 * knobs[:, 5:6], 0.72 + 0.23 * knobs[:, 6:7]
    wheel = (hue[:, None] / 60 + np.array([5.0, 3.0, 1.0], dtype=np.float32)) % 6
    distance = np.clip(np.minimum(wheel, 4 - wheel), 0, 1)
    return (255 * value * (1 - saturation * distance)).astype(np.float32)
