"""Pictures through a small network trained from scratch: measures what ImageNet pretraining is worth.

It is trained to predict a label on the known rows; its last hidden states are the vectors. A training row's
vector has therefore seen its own label and a test row's has not: use this modality alone, since a fused
model would trust it too much.

n: pictures. B: pictures of a batch. C: classes.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample

from recsys.multimodal.decoding.workers import decode_files
from recsys.multimodal.features import FeatureError, Features

CHANNELS = (32, 64, 128, 256)
LEAST_SEEN = 0.6  # of a training picture's height and width, at random; the rest is cut off
SMOOTHED = 0.1  # of a label's probability, spread over all classes
SHADES = 0.2  # by which a training picture is brightened or darkened at most
DECODER = "recsys.multimodal.decoding.pictures:decode_picture"


class SmallNetwork(nn.Module):
    """Four blocks of convolution, batch norm, ReLU and 2× downsampling; global mean pooling; a linear
    layer."""

    def __init__(self, classes: int):
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((3, *CHANNELS), CHANNELS, strict=False):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers)
        self.out = nn.Linear(CHANNELS[-1], classes)

    def vectors(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] values 0 to 255 -> [B, 256]."""
        return self.body(pixels.float() / 127.5 - 1).mean(dim=(2, 3))

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, C] logits."""
        return self.out(self.vectors(pixels))


def encode(
    table: pd.DataFrame,
    known: np.ndarray,
    label: str = "",
    side: int = 64,
    minutes: float = 20.0,
    epochs: int = 60,
    batch: int = 64,
    seed: int = 0,
    workers: int | None = None,
) -> Features:
    """The modality "picture_scratch" of a table with paths in `picture` and classes in the column `label`.

    Args:
        known: rows that are trained on; those without a picture or a label are left out.
        side: pixels. epochs: of training; minutes: of processor time, at most, so that the load of the
            machine changes nothing. Training pictures are cut, mirrored and brightened at random.

    Raises:
        FeatureError: no such label column, or fewer than two classes among the known rows.
    """
    if label not in table:
        raise FeatureError(f"picture_scratch learns a label: there is no column {label!r}")
    started = time.perf_counter()
    pixels, present, faults = _pixels(list(table["picture"]), side, workers)
    codes, names = pd.factorize(table[label])
    rows = known[present[known] & (codes[known] >= 0)]
    if len(np.unique(codes[rows])) < 2:
        raise FeatureError(f"picture_scratch: the known rows hold fewer than two classes of {label!r}")
    network = _trained(pixels, codes, rows, len(names), minutes, epochs, batch, seed)
    vectors = np.zeros((len(table), CHANNELS[-1]), dtype=np.float32)
    there = np.flatnonzero(present)
    with torch.inference_mode():
        for start in range(0, len(there), 256):
            some = there[start : start + 256]
            vectors[some] = network.vectors(_batch(pixels, some)).numpy()
    costs = {
        "files": float(len(there)),
        "decoded": float(len(there)),
        "encoded": float(len(there)),
        "seconds": time.perf_counter() - started,
        "megabytes": vectors.nbytes / 1e6,
        "parameters": float(sum(p.numel() for p in network.parameters())),
    }
    return Features("picture_scratch", vectors, present, faults, costs)


def _pixels(paths: list[str | None], side: int, workers: int | None):
    """[n, side, side, 3] uint8, a mask of rows that have a picture, and the list of faults."""
    pixels = np.zeros((len(paths), side, side, 3), dtype=np.uint8)
    there = [row for row, path in enumerate(paths) if path is not None]
    present, faults = np.zeros(len(paths), dtype=bool), []
    options = {"width": side, "height": side}
    for place, found in decode_files([paths[row] for row in there], DECODER, options, workers):
        row = there[place]
        if isinstance(found, str):
            faults.append((row, paths[row], found))
        else:
            pixels[row], present[row] = found, True
    return pixels, present, pd.DataFrame(faults, columns=["row", "file", "reason"])


def _trained(pixels, codes, rows, classes: int, minutes: float, epochs: int, batch: int, seed: int):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = SmallNetwork(classes)
    draws = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.05)
    steps = -(-len(rows) // batch)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps * epochs)
    end = time.process_time() + 60 * minutes
    network.train()
    for _ in range(epochs):
        for some in np.array_split(draws.permutation(rows), steps):
            seen = varied(_batch(pixels, some), draws)
            loss = cross_entropy(network(seen), torch.from_numpy(codes[some]), label_smoothing=SMOOTHED)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            cosine.step()
            if time.process_time() > end:
                return network.eval()
    return network.eval()


def varied(pixels: Tensor, draws: np.random.Generator) -> Tensor:
    """[B, 3, H, W] -> the same shape: each cut (LEAST_SEEN), mirrored or not, and brightened (SHADES)."""
    count = len(pixels)
    seen = draws.uniform(LEAST_SEEN, 1, count)
    shift = draws.uniform(-1, 1, (count, 2)) * (1 - seen)[:, None]
    way = np.where(draws.random(count) < 0.5, -1.0, 1.0)
    maps = np.zeros((count, 2, 3), dtype=np.float32)
    maps[:, 0, 0], maps[:, 1, 1], maps[:, :, 2] = seen * way, seen, shift
    grid = affine_grid(torch.from_numpy(maps), list(pixels.shape), align_corners=False)
    cut = grid_sample(pixels.float(), grid, padding_mode="reflection", align_corners=False)
    shade = torch.from_numpy(draws.uniform(1 - SHADES, 1 + SHADES, (count, 1, 1, 1)).astype(np.float32))
    return (cut * shade).clamp(0, 255)


def _batch(pixels: np.ndarray, rows: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels[rows]).permute(0, 3, 1, 2).contiguous()
