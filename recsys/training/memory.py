"""What one training step has to keep in memory, counted tensor by tensor.

The resident size of a process says what the allocator kept from earlier work, too; this is the same on every
machine. Work space inside an operation is not counted.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from recsys.training.gradient_checkpointing import enable_gradient_checkpointing
from recsys.training.optimisers import build_optimizer
from recsys.training.settings import TrainingSettings
from recsys.training.step import Loss


def training_memory(
    model: nn.Module, loss: Loss, batch: dict[str, Tensor], settings: TrainingSettings
) -> dict[str, int]:
    """Bytes of one step on this batch; the model is copied and left as it was.

    They are not all there at once (gradients come as activations go): for that see
    `recsys.training.peak_memory`. Of the settings, optimiser, precision and gradient checkpointing count; a
    step of several micro-batches keeps the activations of one of them: give one.

    Returns:
        weights: all parameters and buffers. gradients: of the parameters that learn. optimizer: its state.
        activations: what the forward pass keeps for the backward pass, beside the weights themselves. With
            gradient checkpointing: what it keeps, the inputs of the segments among it, and the largest
            segment, whose activations are there again while its gradients are computed.

    Raises:
        ValueError: gradient checkpointing, and the model has none.
    """
    model = copy.deepcopy(model).train()
    optimizer = build_optimizer(model, settings)
    weights = {*_storages(model.parameters()), *_storages(model.buffers())}
    kept: dict[int, int] = {}
    segments: list[dict[int, int]] = []

    def forward_and_recomputation() -> tuple[AbstractContextManager, AbstractContextManager]:
        segments.append({})
        return _seen(segments[-1]), nullcontext()

    if settings.gradient_checkpointing:
        # its contexts lie within checkpointing's own: what it would drop is kept, for once, and counted
        enable_gradient_checkpointing(model, context_fn=forward_and_recomputation)
    device = next(model.parameters()).device
    bf16 = settings.mixed_precision == "bf16"
    with (
        torch.random.fork_rng(devices=[]),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16),
        _seen(kept),
    ):
        total, _ = loss(model, {name: tensor.to(device) for name, tensor in batch.items()})
    # while the graph lives no storage is freed, so that no address counts twice
    activations = _beside(kept, weights)
    activations += max((_beside(segment, weights | kept.keys()) for segment in segments), default=0)
    total.backward()
    optimizer.step()
    state = [value for values in optimizer.state.values() for value in values.values()]
    return {
        "weights": sum({**_storages(model.parameters()), **_storages(model.buffers())}.values()),
        "gradients": sum(p.grad.nbytes for p in model.parameters() if p.grad is not None),
        "optimizer": sum(_storages(value for value in state if isinstance(value, Tensor)).values()),
        "activations": activations,
    }


@contextmanager
def _seen(found: dict[int, int]) -> Iterator[None]:
    """Within, the storages that are kept for the backward pass, unless a context within sees them first."""

    def keep(tensor: Tensor) -> Tensor:
        found.update(_storages([tensor]))
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        yield


def _beside(found: dict[int, int], counted: set[int]) -> int:
    return sum(size for address, size in found.items() if address not in counted)


def _storages(tensors: Iterable[Tensor]) -> dict[int, int]:
    """Address -> bytes of the storages behind the tensors: views of one storage are counted once."""
    found = (tensor.untyped_storage() for tensor in tensors)
    return {storage.data_ptr(): storage.nbytes() for storage in found}
