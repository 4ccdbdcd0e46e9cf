"""Memory of one training step, counted tensor by tensor.

The resident size of a process includes what the allocator kept from earlier work; this count is the same on
every machine. Work space inside an operation is not counted.
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
    """Bytes of one step on this batch, by kind; the model is copied and does not change.

    Not all of them are allocated at the same time (gradients replace activations): for the peak see
    `recsys.training.peak_memory`. Of the settings, optimiser, precision and gradient checkpointing matter; a
    step of several micro-batches keeps the activations of one of them, so pass one.

    Returns:
        weights: all parameters and buffers. gradients: of the parameters that learn. optimizer: its state.
        activations: what the forward pass keeps for the backward pass, without the weights themselves. With
            gradient checkpointing: what it keeps, including the segments' inputs, plus the activations of
            the largest segment, which are recomputed in the backward pass.

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
        # inside checkpointing's own hooks, so that the activations that it would drop are counted
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
    """Collect the storages saved for the backward pass, unless an inner context handles them first."""

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
