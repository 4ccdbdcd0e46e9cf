"""A trained task as a folder: the backbone's adapter and the head, without the backbone."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from recsys.encoders.peft.adapter_files import load_adapter, save_adapter
from recsys.training.optimisers import BACKBONE

HEAD = "head.safetensors"


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
    save_file({name: tensor.contiguous().cpu() for name, tensor in _head(network).items()}, path)
    return adapter + path.stat().st_size


def load_task(network: nn.Module, folder: str | Path) -> nn.Module:
    """Load a saved task into a network with a bare backbone, in place; its predictions are bit-equal.

    Raises:
        ValueError: no task there, another head, or see `load_adapter`.
    """
    path = Path(folder) / HEAD
    if not path.is_file():
        raise ValueError(f"{folder} holds no task: {HEAD} is not there")
    try:
        saved, head = load_file(path), _head(network)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} is damaged ({error}): save the task anew") from None
    there, here = ({name: tuple(t.shape) for name, t in part.items()} for part in (saved, head))
    if there != here:
        raise ValueError(f"{folder} is another task's: its head is {there}, here it is {here}")
    load_adapter(network.backbone, folder)
    for name, tensor in head.items():
        tensor.copy_(saved[name])
    return network


def _head(network: nn.Module) -> dict[str, Tensor]:
    return {n: t.detach() for n, t in network.state_dict().items() if not n.startswith(BACKBONE)}
