"""Pictures as vectors: frozen image encoders, the sibling of `load_backbone` for PIL pictures.

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
LEAST_PIXELS = 8  # a side; below that nothing of a picture is left after the first layers


class ImageEncoder(nn.Module):
    """Use `load_image_encoder`. Frozen, in eval mode.

    name: as asked for. width: of the vectors. size: (width, height) that every picture is brought to, or None
    where the network takes any size.
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
    """An image encoder by name, float32, on the CPU, frozen.

    Args:
        name: "efficientnet-lite0" (packaged, checksum verified), "random-efficientnet-lite0" (random weights,
            no package needed), a local folder or a hub name of a vision Transformer or of CLIP (its picture
            half), safetensors only.
        pretrained: False draws the weights from `seed`: the control experiment.

    Raises:
        BackboneError: the model cannot be had; one line that says what to install or to use instead.

    Example:
        >>> encoder = load_image_encoder()
        >>> embed_images(encoder, [Image.open("shirt.jpg")]).shape
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
        pictures: n PIL pictures of any mode; transparency is laid on white.
        size: (width, height) to bring every picture to (bilinear); None keeps what the encoder asks for, else
            each picture's own size, and pictures of one size share batches. Small is enough for product
            photos: 60 × 80 is used in this kit.
        precision: "bf16" for convolutions in bfloat16.
        batch: pictures at once.
        normalise: vectors of length 1.

    Returns:
        [n, width] float32, in the order of `pictures`.

    Raises:
        ValueError: something else than a picture, naming its row; one below 8 × 8 pixels; another precision.
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
    """The first place ([CLS]) of the last states: a pooler may be missing, or random where not published."""
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
