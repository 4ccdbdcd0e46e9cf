"""What one training step has to keep in memory, counted tensor by tensor.

The resident size of a process says what the allocator kept from earlier work, too; this is the same on every
machine. Work space inside an operation is not counted.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from recsys.training.optimisers import build_optimizer
from recsys.training.settings import TrainingSettings
from recsys.training.step import Loss


def training_memory(
    model: nn.Module, loss: Loss, batch: dict[str, Tensor], settings: TrainingSettings
) -> dict[str, int]:
    """Bytes of one step on this batch; the model is copied and left as it was.

    Returns:
        weights: all parameters and buffers. gradients: of the parameters that learn. optimizer: its state.
        activations: what the forward pass keeps for the backward pass, beside the weights themselves.
    """
    model = copy.deepcopy(model).train()
    optimizer = build_optimizer(model, settings)
    weights = {*_storages(model.parameters()), *_storages(model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept.update(_storages([tensor]))
        return tensor

    device = next(model.parameters()).device
    bf16 = settings.mixed_precision == "bf16"
    with (
        torch.random.fork_rng(devices=[]),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16),
        saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        total, _ = loss(model, {name: tensor.to(device) for name, tensor in batch.items()})
    # while the graph lives no storage is freed, so that no address counts twice
    activations = sum(size for address, size in kept.items() if address not in weights)
    total.backward()
    optimizer.step()
    state = [value for values in optimizer.state.values() for value in values.values()]
    return {
        "weights": sum({**_storages(model.parameters()), **_storages(model.buffers())}.values()),
        "gradients": sum(p.grad.nbytes for p in model.parameters() if p.grad is not None),
        "optimizer": sum(_storages(value for value in state if isinstance(value, Tensor)).values()),
        "activations": activations,
    }


def _storages(tensors: Iterable[Tensor]) -> dict[int, int]:
    """Address -> bytes of the storages behind the tensors: views of one storage are counted once."""
    found = (tensor.untyped_storage() for tensor in tensors)
    return {storage.data_ptr(): storage.nbytes() for storage in found}
