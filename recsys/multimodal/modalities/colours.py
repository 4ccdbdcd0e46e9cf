"""Colour histograms of a picture's horizontal thirds: the baseline without a network for picture encoders.

n: items.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.multimodal.features import Features
from recsys.multimodal.file_vectors import Encode, FileEncoder, file_vectors

LEVELS = 4  # quantisation levels per colour channel: 4³ = 64 colours
BANDS = 3  # horizontal stripes, top to bottom
SIDE = 48


def encode(
    table: pd.DataFrame, known: np.ndarray, column: str = "picture", workers: int | None = None
) -> Features:
    """The modality "colours": [n, 192], square roots of the shares of 64 colours in three stripes.

    Args:
        table: n rows. known: not used, nothing is fitted. column: with paths of pictures.
        workers: decoding processes (`recsys.multimodal.decoding.workers.decode_files`).
    """
    encoder = FileEncoder(
        name="colours",
        width=BANDS * LEVELS**3,
        parameters=0,
        decoder="recsys.multimodal.decoding.pictures:decode_picture",
        options={"width": SIDE, "height": SIDE},
        load=_histograms,
        weights="none",
        code=("recsys.multimodal.modalities.colours:colour_shares",),
    )
    return file_vectors("colours", list(table[column]), encoder, workers)


def _histograms() -> Encode:
    return lambda arrays: np.stack([colour_shares(array) for array in arrays])


def colour_shares(pixels: np.ndarray) -> np.ndarray:
    """[192] float32 of a picture [H, W, 3] uint8; the squares of each stripe's 64 entries sum to 1."""
    level = pixels.astype(np.int64) * LEVELS // 256
    code = (level[..., 0] * LEVELS + level[..., 1]) * LEVELS + level[..., 2]
    stripes = np.array_split(code, BANDS)
    counts = [np.bincount(stripe.reshape(-1), minlength=LEVELS**3) / stripe.size for stripe in stripes]
    return np.sqrt(np.concatenate(counts)).astype(np.float32)
