"""A packaged image network read at several depths, each picture and its mirror image together.

The last layer of a network trained on ImageNet tells kinds of things; colours and textures, by which one
apple differs from another, are clearer before. Reading the mean over places of earlier stages too is as old
as transfer from such networks (Zeiler & Fergus 2014, arXiv:1311.2901, §5), and costs nothing: they are
computed anyway.

B: pictures. H, W: rows and columns of pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import relu6

from recsys.encoders.image import ImageEncoder, load_image_encoder
from recsys.encoders.packaged.efficientnet import STAGES, EfficientNetLite0
from recsys.encoders.packaged.efficientnet import WIDTH as HEAD

READ = (2, 4, 5, 6)  # stages, counted from 0: 40, 112, 192 and 320 channels
WIDTH = sum(STAGES[stage][4] for stage in READ) + HEAD


def load_layer_encoder(name: str = "efficientnet-lite0") -> ImageEncoder:
    """Like `load_image_encoder` of a packaged network, with vectors of WIDTH from all stages in READ.

    Raises:
        BackboneError: the network cannot be had, or is none of this architecture.
    """
    plain = load_image_encoder(name)
    if not isinstance(plain.network, EfficientNetLite0):
        raise ValueError(f"{name!r} is no EfficientNet-Lite0: its layers are not known")
    mean, deviation = plain.mean.flatten().tolist(), plain.deviation.flatten().tolist()
    return ImageEncoder(plain.network, both_ways, f"{name} layers", WIDTH, mean, deviation)


def both_ways(network: EfficientNetLite0, pixels: Tensor) -> Tensor:
    """[B, 3, H, W] scaled -> [B, WIDTH]: the mean of a picture's vector and its mirror image's."""
    return (layer_means(network, pixels) + layer_means(network, pixels.flip(-1))) / 2


def layer_means(network: EfficientNetLite0, pixels: Tensor) -> Tensor:
    """[B, 3, H, W] scaled -> [B, WIDTH] float32: means over places of the stages in READ and of the head."""
    x = relu6(network.bn0(network.conv_stem(pixels)))
    found, place = [], 0
    for stage, (repeats, *_) in enumerate(STAGES):
        for block in network.blocks[place : place + repeats]:
            x = block(x)
        place += repeats
        if stage in READ:
            found.append(x.mean(dim=(2, 3), dtype=torch.float32))
    last = relu6(network.bn1(network.conv_head(x)))
    return torch.cat([*found, last.mean(dim=(2, 3), dtype=torch.float32)], dim=1)
