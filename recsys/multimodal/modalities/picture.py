"""Pictures: each item's photo through a frozen image network, averaged over positions (mean pooling).

n: items.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.data.files.locations import sha256_now
from recsys.encoders.model_folders import model_folder
from recsys.encoders.packaged.registry import PACKAGED
from recsys.multimodal.features import Features
from recsys.multimodal.file_vectors import Encode, FileEncoder, file_vectors

SIDE = 128  # pixels; photos of 60 × 80 classify better scaled up to it than at their own size


def encode(
    table: pd.DataFrame,
    known: np.ndarray,
    network: str = "efficientnet-lite0",
    side: int = SIDE,
    column: str = "picture",
    workers: int | None = None,
) -> Features:
    """The modality "picture" of a table with paths in `column`.

    Args:
        table: n rows. known: not used, the network is frozen.
        network: as `recsys.encoders.image.load_image_encoder` takes it: packaged, a folder, or a Hugging Face
            name (CLIP, ViT) if its weights can be downloaded.
        side: pixels that a picture is scaled to, for networks of variable input size.
        column: with paths. workers: decoding processes.

    Raises:
        BackboneError: the network cannot be loaded.
    """
    return file_vectors("picture", list(table[column]), picture_encoder(network, side), workers)


def encode_top(table: pd.DataFrame, known: np.ndarray, workers: int | None = None) -> Features:
    """The modality "picture_top": as "picture", with the lower half, where a poster has its title, greyed
    out."""
    encoder = picture_encoder("efficientnet-lite0", SIDE, keep="top")
    return file_vectors("picture_top", list(table["picture"]), encoder, workers)


def picture_encoder(network: str, side: int, keep: str = "all") -> FileEncoder:
    """A `FileEncoder` of an image network; the network is loaded only when a picture has to be encoded."""
    width, parameters, weights = _facts(network)

    def load() -> Encode:
        return image_network(network)

    return FileEncoder(
        name=network,
        width=width,
        parameters=parameters,
        decoder="recsys.multimodal.decoding.pictures:decode_picture",
        options={"width": side, "height": side, "keep": keep},
        load=load,
        weights=weights,
        code=("recsys.multimodal.modalities.picture:image_network",),
    )


def image_network(network: str) -> Encode:
    """A function from decoded pictures (list of [H, W, 3]) to vectors [B, D] float32."""
    from PIL import Image

    from recsys.encoders.image import embed_images, load_image_encoder

    encoder = load_image_encoder(network)

    def encode_pictures(arrays: Sequence[np.ndarray]) -> np.ndarray:
        return embed_images(encoder, [Image.fromarray(array) for array in arrays])

    return encode_pictures


def _facts(network: str) -> tuple[int, int, str]:
    """Width, number of parameters and a name of the weights, without loading a packaged network."""
    if network in PACKAGED:
        model = PACKAGED.load(network)
        return model.width, model.parameters, model.files[0].sha256
    from recsys.encoders.image import load_image_encoder

    loaded = load_image_encoder(network)
    parameters = sum(parameter.numel() for parameter in loaded.parameters())
    if network == "random-efficientnet-lite0":
        return loaded.width, parameters, "random, seed 0"
    folder = model_folder(network, weights=True)
    files = sorted(folder.glob("*.safetensors"))
    return loaded.width, parameters, " ".join(sha256_now(path) for path in files)
