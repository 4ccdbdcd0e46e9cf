"""Sound: recordings (or the sound tracks of clips) through Google's speech embedding, averaged over windows.

The embedding was trained on speech; for music it is a stopgap, and results with it say so.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.encoders.packaged.registry import PACKAGED
from recsys.multimodal.features import Features
from recsys.multimodal.file_vectors import Encode, FileEncoder, file_vectors

MOST_SECONDS = 30.0


def encode(table: pd.DataFrame, known: np.ndarray, workers: int | None = None) -> Features:
    """The modality "sound" of a table with paths in the column `sound`.

    Raises:
        PackagedError: the embedding's weights are not installed.
    """
    model = PACKAGED.load("speech-embedding")
    encoder = FileEncoder(
        name=model.name,
        width=model.width,
        parameters=model.parameters,
        decoder="recsys.multimodal.decoding.sound:decode_sound",
        options={"most_seconds": MOST_SECONDS},
        load=speech_network,
        weights=" ".join(file.sha256 for file in model.files),
        code=("recsys.multimodal.modalities.sound:speech_network",),
    )
    return file_vectors("sound", list(table["sound"]), encoder, workers)


def speech_network() -> Encode:
    """Function of samples [T] at 16 kHz to vectors [B, 96]."""
    from recsys.encoders.audio import RATE, embed_audio, load_audio_encoder

    encoder = load_audio_encoder()

    def encode_sounds(arrays: list[np.ndarray]) -> np.ndarray:
        return embed_audio(encoder, arrays, RATE)

    return encode_sounds
