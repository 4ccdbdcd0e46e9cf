"""A trained task as a folder: the backbone's adapter and the head, without the backbone.

The head's file names the adapter that it was trained with, by checksum: a kill between the two files, or a
folder copied together from two tasks, never pairs one task's adapter with another's head.
"""

from __future__ import annotations

import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recsys.encoders.peft.adapter_files import load_adapter, save_adapter
from recsys.encoders.peft.adapter_folder import read_adapter
from recsys.training.optimisers import BACKBONE

HEAD, ADAPTER = "head.safetensors", "adapter"  # file, and what its metadata call the adapter's sha256


def save_task(network: nn.Module, folder: str | Path) -> int:
    """Save the adapter and the head of a trained network; replaces a task in that folder.

    Args:
        network: with a method applied to its `backbone`; all its other parameters are the head.

    Returns:
        Size on disk in bytes.

    Raises:
        ValueError: no method applied.
    """
    adapter, path = save_adapter(network.backbone, folder), Path(folder) / HEAD
    part = path.with_name(f".{HEAD}.part")
    head = {name: tensor.contiguous().cpu() for name, tensor in _head(network).items()}
    save_file(head, part, metadata={ADAPTER: read_adapter(folder)[0]["weights"]})
    os.replace(part, path)
    return adapter + path.stat().st_size


def load_task(network: nn.Module, folder: str | Path) -> nn.Module:
    """Load a saved task into a network with a bare backbone, in place; its predictions are bit-equal.

    Raises:
        ValueError: no task there, another head, one of another adapter, or see `load_adapter`.
    """
    path = Path(folder) / HEAD
    if not path.is_file():
        raise ValueError(f"{folder} holds no task: {HEAD} is not there")
    try:
        saved, head = load_file(path), _head(network)
        with safe_open(path, "pt") as file:
            adapter = (file.metadata() or {}).get(ADAPTER)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} is damaged ({error}): save the task anew") from None
    there, here = ({name: tuple(t.shape) for name, t in part.items()} for part in (saved, head))
    if there != here:
        raise ValueError(f"{folder} is another task's: its head is {there}, here it is {here}")
    if adapter != read_adapter(folder)[0]["weights"]:
        raise ValueError(f"{path} was not saved with the adapter beside it: save the task anew")
    load_adapter(network.backbone, folder)
    for name, tensor in head.items():
        tensor.copy_(saved[name])
    return network


def _head(network: nn.Module) -> dict[str, Tensor]:
    return {n: t.detach() for n, t in network.state_dict().items() if not n.startswith(BACKBONE)}
