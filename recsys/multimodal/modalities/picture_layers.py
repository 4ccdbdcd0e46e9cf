"""Pictures read at several depths of the frozen network, larger than in `picture`: for classes much alike.

n: items.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.encoders.packaged.registry import PACKAGED
from recsys.multimodal.features import Features
from recsys.multimodal.file_vectors import Encode, FileEncoder, file_vectors

NETWORK = "efficientnet-lite0"
SIDE = 320  # pixels: photos of 128 scaled up to it tell more than at the 224 that the network was trained at


def encode(
    table: pd.DataFrame,
    known: np.ndarray,
    side: int = SIDE,
    column: str = "picture",
    workers: int | None = None,
) -> Features:
    """The modality "picture_layers" of a table with paths in `column`: [n, 1944].

    Args:
        table: n rows. known: not used, the network is frozen.
        side: root of the number of pixels that a picture is scaled to, in its own shape.

    Raises:
        BackboneError: the network cannot be had.
    """
    model = PACKAGED.load(NETWORK)
    encoder = FileEncoder(
        name=f"{NETWORK} layers",
        width=width(),
        parameters=model.parameters,
        decoder="recsys.multimodal.decoding.pictures:decode_in_shape",
        options={"side": side},
        load=layer_network,
        weights=model.files[0].sha256,
        code=("recsys.multimodal.modalities.picture_layers:layer_network",),
    )
    return file_vectors("picture_layers", list(table[column]), encoder, workers)


def width() -> int:
    """Of the vectors."""
    from recsys.encoders.image_layers import WIDTH

    return WIDTH


def layer_network() -> Encode:
    """Function of decoded pictures [H, W, 3] to vectors [B, D] float32."""
    from PIL import Image

    from recsys.encoders.image import embed_images
    from recsys.encoders.image_layers import load_layer_encoder

    encoder = load_layer_encoder(NETWORK)

    def encode_pictures(arrays: Sequence[np.ndarray]) -> np.ndarray:
        return embed_images(encoder, [Image.fromarray(array) for array in arrays])

    return encode_pictures
