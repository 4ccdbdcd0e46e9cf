"""Weight files in several formats: fewer bits per weight, or only the non-zero weights (004 Q2).

Weights are float32 again after reading, so the formats save disk space and reading time, not computation. All
are safetensors; nothing is pickled.

A matrix with zeros is stored in the smaller of two forms: a bitmap and the non-zero values, or compressed
sparse rows (scipy's CSR), with 16-bit column numbers where they fit. The bitmap is smaller until fifteen of
sixteen weights are zero.

R: rows. C: columns. k: weights that are not zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy.sparse import csr_array
from torch import Tensor

from recsys.speed.rounding.weights import LARGEST

NARROW = 1 << 16  # most columns that 16 bits can number
ROOM = 0.95  # a sparse form is used only if it takes less than this share of the dense bytes
PART = "|"  # separates a tensor's name and the name of a part; no module's name contains it

Parts = dict[str, Tensor]


@dataclass(frozen=True)
class WeightFormat:
    """A format. encode: a float tensor -> its parts. decode: its parts -> a float32 tensor."""

    encode: Callable[[Tensor], Parts]
    decode: Callable[[Parts], Tensor]


def save_weights(weights: Mapping[str, Tensor], file: str | Path, form: str) -> int:
    """Write a state dict of float tensors.

    Args:
        form: of `FORMATS`. "float32" and "sparse" are exact; "float16" and "int8" round.

    Returns:
        Size of the file in bytes.

    Raises:
        ValueError: no such form; a tensor that is not floating point or not finite.
    """
    chosen, parts = _format(form), {}
    for name, tensor in weights.items():
        if not tensor.is_floating_point() or not torch.isfinite(tensor).all():
            raise ValueError(f"{name} must be finite floating-point numbers, not {tensor.dtype}")
        found = chosen.encode(tensor.detach().float().contiguous())
        parts |= {f"{name}{PART}{part}": value.contiguous() for part, value in found.items()}
    save_file(parts, file)
    return Path(file).stat().st_size


def load_weights(file: str | Path, form: str) -> dict[str, Tensor]:
    """Read a state dict that `save_weights` wrote, as float32.

    Raises:
        ValueError: no such form. SafetensorError: a file that is not safetensors.
    """
    chosen = _format(form)
    tensors: dict[str, Parts] = {}
    for key, value in load_file(file).items():
        name, _, part = key.rpartition(PART)
        tensors.setdefault(name, {})[part] = value
    return {name: chosen.decode(parts) for name, parts in tensors.items()}


def _format(form: str) -> WeightFormat:
    if form not in FORMATS:
        raise ValueError(f"no such form of weights: {form!r}; there are {', '.join(FORMATS)}")
    return FORMATS[form]


def _whole(tensor: Tensor) -> Parts:
    return {"whole": tensor}


def _half(tensor: Tensor) -> Parts:
    # values beyond float16's range would become infinite
    return {"whole": tensor.to(torch.float16) if tensor.abs().max() <= 65504 else tensor}


def _rounded(tensor: Tensor) -> Parts:
    """[R, …] in int8 with a scale per row; vectors (biases, norms), which are few, are kept."""
    if tensor.ndim < 2:
        return _whole(tensor)
    step = tensor.abs().flatten(1).amax(dim=1) / LARGEST
    step[step == 0] = 1.0
    shaped = step.view(-1, *[1] * (tensor.ndim - 1))
    return {"int8": (tensor / shaped).round().clamp(-LARGEST, LARGEST).to(torch.int8), "step": step}


def _unrounded(parts: Parts) -> Tensor:
    if "int8" not in parts:
        return parts["whole"].float()
    step = parts["step"]
    return parts["int8"].float().mul_(step.view(-1, *[1] * (parts["int8"].ndim - 1)))


def _sparse(tensor: Tensor) -> Parts:
    if tensor.ndim != 2:
        return _whole(tensor)
    dense = tensor.numpy()
    forms = [_bits(dense), _rows(dense)]
    smallest = min(forms, key=_bytes)
    return smallest if _bytes(smallest) < ROOM * tensor.nbytes else _whole(tensor)


def _bits(dense: np.ndarray) -> Parts:
    """A bitmap of the non-zero weights, row by row, and their [k] values."""
    there = dense != 0
    parts = {"bits": np.packbits(there), "values": dense[there], "shape": np.array(dense.shape)}
    return {name: torch.from_numpy(part) for name, part in parts.items()}


def _rows(dense: np.ndarray) -> Parts:
    """[k] values, [k] column numbers, [R + 1] where rows begin."""
    there = dense != 0
    columns = np.nonzero(there)[1].astype(np.uint16 if dense.shape[1] <= NARROW else np.int32)
    starts = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
    parts = {"values": dense[there], "columns": columns, "starts": starts, "shape": np.array(dense.shape)}
    return {name: torch.from_numpy(part) for name, part in parts.items()}


def _filled(parts: Parts) -> Tensor:
    if "whole" in parts:
        return parts["whole"]
    found = {name: part.numpy() for name, part in parts.items()}
    shape = tuple(found["shape"].tolist())
    if "columns" in found:
        rows = csr_array((found["values"], found["columns"].astype(np.int32), found["starts"]), shape=shape)
        return torch.from_numpy(rows.toarray())
    dense = np.zeros(math.prod(shape), np.float32)
    places = np.flatnonzero(
        np.unpackbits(found["bits"], count=len(dense)).view(bool)
    )  # twice as fast as a mask
    dense[places] = found["values"]
    return torch.from_numpy(dense.reshape(shape))


def _bytes(parts: Parts) -> int:
    return sum(part.nbytes for part in parts.values())


FORMATS: dict[str, WeightFormat] = {
    "float32": WeightFormat(_whole, lambda parts: parts["whole"]),
    "float16": WeightFormat(_half, lambda parts: parts["whole"].float()),
    "int8": WeightFormat(_rounded, _unrounded),
    "sparse": WeightFormat(_sparse, _filled),
}
