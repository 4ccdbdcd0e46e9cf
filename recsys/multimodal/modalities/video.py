"""Video: a few frames per clip through the picture encoder; their mean and standard deviation.

D: width of the picture encoder.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.encoders.packaged.registry import PACKAGED
from recsys.multimodal.features import Features
from recsys.multimodal.file_vectors import Encode, FileEncoder, file_vectors
from recsys.multimodal.modalities.picture import SIDE, image_network

FRAMES = 8


def encode(
    table: pd.DataFrame, known: np.ndarray, frames: int = FRAMES, workers: int | None = None
) -> Features:
    """The modality "video" of a table with paths in the column `video`: [n, 2·D].

    The second half is the standard deviation over frames, which measures how much the clip changes.

    Raises:
        PackagedError: the picture encoder's weights are not installed.
    """
    model = PACKAGED.load("efficientnet-lite0")
    encoder = FileEncoder(
        name=model.name,
        width=2 * model.width,
        parameters=model.parameters,
        decoder="recsys.multimodal.decoding.video:decode_video",
        options={"width": SIDE, "height": SIDE, "frames": frames},
        load=frame_network,
        weights=model.files[0].sha256,
        code=("recsys.multimodal.modalities.video:frame_network",),
    )
    return file_vectors("video", list(table["video"]), encoder, workers)


def frame_network() -> Encode:
    """Function of decoded clips [F, H, W, 3] to vectors [B, 2·D]."""
    encode_pictures = image_network("efficientnet-lite0")

    def encode_clips(clips: list[np.ndarray]) -> np.ndarray:
        found = encode_pictures([frame for clip in clips for frame in clip])
        ends = np.cumsum([len(clip) for clip in clips])[:-1]
        by_clip = np.split(found, ends)
        return np.stack([np.concatenate([frames.mean(axis=0), frames.std(axis=0)]) for frames in by_clip])

    return encode_clips
