"""Vectors of pictures: frozen image encoders (as `load_backbone` for texts).

n: pictures. B: pictures of a batch. H, W: rows and columns of pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import AutoConfig, AutoImageProcessor, AutoModel

from recsys.encoders.backbone import quiet
from recsys.encoders.model_folders import BackboneError, first_line, model_folder
from recsys.encoders.packaged import efficientnet_lite0

PACKAGED_PICTURES = ("efficientnet-lite0",)
RANDOM_PICTURES = "random-efficientnet-lite0"
LEAST_PIXELS = 8  # a side; smaller pictures vanish after the first strided layers


class ImageEncoder(nn.Module):
    """A frozen image encoder in eval mode; create it by `load_image_encoder`.

    Attributes:
        name: as given to `load_image_encoder`. width: of the vectors.
        size: (width, height) that every picture is resized to; None where the network takes any size.
    """

    def __init__(
        self,
        network: nn.Module,
        features: Callable[[nn.Module, Tensor], Tensor],
        name: str,
        width: int,
        mean: Sequence[float],
        deviation: Sequence[float],
        size: tuple[int, int] | None = None,
    ):
        super().__init__()
        self.network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self._features = features
        self.name, self.width, self.size = name, width, size
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] RGB values 0 to 255, any real type -> [B, width] float32, not normalised."""
        scaled = (pixels.float() - self.mean) / self.deviation
        return self._features(self.network, scaled.contiguous(memory_format=torch.channels_last)).float()


def load_image_encoder(
    name: str = "efficientnet-lite0", *, pretrained: bool = True, seed: int = 0
) -> ImageEncoder:
    """Load an image encoder by name: float32, on the CPU, frozen.

    Args:
        name: "efficientnet-lite0" (packaged, checksum verified), "random-efficientnet-lite0" (random weights,
            no package needed), a local folder or a hub name of a vision Transformer or of CLIP (its vision
            tower), safetensors only.
        pretrained: False draws random weights from `seed`: the control experiment.
        seed: of random weights.

    Raises:
        BackboneError: the model cannot be loaded; one line says what to install or to use instead.

    Example:
        >>> encoder = load_image_encoder("random-efficientnet-lite0")
        >>> embed_images(encoder, [Image.new("RGB", (64, 64), "red")]).shape
        (1, 1280)
    """
    if name in (*PACKAGED_PICTURES, RANDOM_PICTURES):
        network = efficientnet_lite0.load(pretrained and name != RANDOM_PICTURES, seed)
        # the published scaling: (value - 127) / 128
        return ImageEncoder(network, _plain, name, efficientnet_lite0.MODEL.width, [127.0] * 3, [128.0] * 3)
    return _from_folder(name, pretrained, seed)


def embed_images(
    encoder: ImageEncoder,
    pictures: Sequence[Image.Image],
    *,
    size: tuple[int, int] | None = None,
    precision: Literal["bf16", "fp32"] = "bf16",
    batch: int = 64,
    normalise: bool = False,
) -> np.ndarray:
    """Encode pictures on the encoder's device; no gradients.

    Args:
        pictures: n PIL pictures of any mode; transparent pixels become white.
        size: (width, height) to resize every picture to (bilinear); None takes the encoder's size, else each
            picture's own size, and pictures of one size share batches. Enlarging photos of 60 × 80 pixels
            to 120 × 160 costs four times the time; a linear probe of the twelve most frequent fashion
            subcategories then has accuracy .956 instead of .945 on products with unseen names.
        precision: "bf16" for convolutions in bfloat16.
        batch: pictures at once.
        normalise: scale the vectors to length 1.

    Returns:
        [n, width] float32, in the order of `pictures`.

    Raises:
        ValueError: an entry that is no picture or is below 8 × 8 pixels (the message names its row); another
            precision.
    """
    if precision not in ("bf16", "fp32"):
        raise ValueError(f"precision must be 'bf16' or 'fp32', not {precision!r}")
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    rgb = [as_rgb(picture, encoder.size or size, row) for row, picture in enumerate(pictures)]
    vectors = np.empty((len(rgb), encoder.width), dtype=np.float32)
    order = sorted(range(len(rgb)), key=lambda row: rgb[row].shape)
    device = encoder.mean.device
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"),
    ):
        for rows in _batches(order, [image.shape for image in rgb], batch):
            pixels = torch.from_numpy(np.stack([rgb[row] for row in rows])).permute(0, 3, 1, 2)
            found = encoder(pixels.to(device))
            vectors[rows] = (normalize(found, dim=1) if normalise else found).cpu().numpy()
    return vectors


def as_rgb(picture: Image.Image, size: tuple[int, int] | None, row: int = 0) -> np.ndarray:
    """[H, W, 3] uint8 of a PIL picture. Raises ValueError as `embed_images`."""
    if not isinstance(picture, Image.Image):
        raise ValueError(f"picture {row} is a {type(picture).__name__}, not a PIL picture")
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    picture = picture.convert("RGB")
    if size is not None and picture.size != tuple(size):
        picture = picture.resize(tuple(size), Image.Resampling.BILINEAR)
    if min(picture.size) < LEAST_PIXELS:
        raise ValueError(
            f"picture {row} is {picture.width} × {picture.height} pixels; a side needs {LEAST_PIXELS}"
        )
    return np.asarray(picture)


def _batches(order: list[int], shapes: list[tuple], batch: int) -> list[list[int]]:
    """Rows in runs of equal shape, at most `batch` long."""
    runs: list[list[int]] = []
    for row in order:
        if runs and len(runs[-1]) < batch and shapes[runs[-1][0]] == shapes[row]:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _plain(network: nn.Module, pixels: Tensor) -> Tensor:
    return network(pixels)


def _clip(network: nn.Module, pixels: Tensor) -> Tensor:
    found = network.get_image_features(pixel_values=pixels)
    return getattr(found, "pooler_output", found)


def _vision(network: nn.Module, pixels: Tensor) -> Tensor:
    """The [CLS] state of the last layer; not the pooler, which may be missing or untrained."""
    return network(pixel_values=pixels).last_hidden_state[:, 0]


def _from_folder(name: str, pretrained: bool, seed: int) -> ImageEncoder:
    folder = model_folder(name, weights=pretrained)
    try:
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
            if pretrained:
                network, report = AutoModel.from_pretrained(
                    folder,
                    config=config,
                    dtype=torch.float32,
                    use_safetensors=True,
                    trust_remote_code=False,
                    output_loading_info=True,
                )
            else:
                network, report = AutoModel.from_config(config), {"missing_keys": []}
            # transformers' fast processors need torchvision
            scaling = AutoImageProcessor.from_pretrained(folder, use_fast=False, trust_remote_code=False)
        clip = hasattr(network, "get_image_features")
        width = config.projection_dim if clip else config.hidden_size
        size = _size_of(scaling)
        absent = [key for key in report["missing_keys"] if "pooler" not in key]
        factor = scaling.rescale_factor
        mean = [value / factor for value in scaling.image_mean]
        deviation = [value / factor for value in scaling.image_std]
    # a foreign folder can be wrong in any way, and each library in between has its own exception for it
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise BackboneError(
            f"{name!r} ({folder}) could not be loaded as an image encoder ({reason}): "
            "use 'efficientnet-lite0', or a folder or hub name of a ViT or of CLIP"
        ) from None
    if absent:
        raise BackboneError(
            f"{name!r}: {len(absent)} parameters are not in the file, first {sorted(absent)[0]}"
        )
    return ImageEncoder(network, _clip if clip else _vision, name, width, mean, deviation, size)


def _size_of(scaling) -> tuple[int, int]:
    size = scaling.crop_size if getattr(scaling, "do_center_crop", False) else scaling.size
    if "height" in size:
        return int(size["width"]), int(size["height"])
    return int(size["shortest_edge"]), int(size["shortest_edge"])
