"""Peak memory of one optimiser step: the most bytes of tensors that are alive at the same time.

`recsys.training.memory` counts bytes by kind; this gives their peak. Activations are freed while gradients
are computed, so a plain step never holds all of both; with accumulation, gradients are kept beside the next
micro-batch's activations. What a memory-saving technique really saves is the difference of the peaks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.distributed._tools.mem_tracker import MemTracker
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from recsys.training.gradient_checkpointing import enable_gradient_checkpointing
from recsys.training.optimisers import build_optimizer
from recsys.training.settings import TrainingSettings
from recsys.training.step import Batch, Loss

EVERYTHING = "Total"  # key of the sum over all kinds of tensors in torch's memory tracker


def peak_memory(
    model: nn.Module, loss: Loss, micro_batches: Sequence[Batch], settings: TrainingSettings
) -> int:
    """Bytes of all tensors at the peak of one step; the model is copied and does not change.

    Checked after every operation of torch: weights, gradients, optimiser state, activations, and temporary
    tensors of the backward pass. Not counted: the batches, and work space inside an operation. The second
    step is measured, because the optimiser's state exists from its start.

    Args:
        micro_batches: of the step, on the model's device; their number replaces the settings'
            `accumulation`.

    Raises:
        ValueError: no micro-batch; gradient checkpointing, and the model has none.
    """
    if not micro_batches:
        raise ValueError("a step has at least one micro-batch")
    model = copy.deepcopy(model).train()
    if settings.gradient_checkpointing:
        enable_gradient_checkpointing(model)
    optimizer, device = build_optimizer(model, settings), next(model.parameters()).device
    first = {name: tensor[:1] for name, tensor in micro_batches[0].items()}
    tracker = MemTracker()
    with torch.random.fork_rng(devices=[]):
        _step(model, loss, [first], settings, optimizer, lambda: None)
        tracker.track_external(model, optimizer)
        with tracker:
            # it keeps a table of modules as well, which holds one forward pass only
            _step(model, loss, micro_batches, settings, optimizer, tracker.reset_mod_stats)
    return tracker.get_tracker_snapshot("peak")[device][EVERYTHING]


def _step(
    model: nn.Module,
    loss: Loss,
    micro_batches: Sequence[Batch],
    settings: TrainingSettings,
    optimizer: Optimizer,
    after_each: Callable[[], None],
) -> None:
    device, rows = next(model.parameters()).device, sum(len(next(iter(b.values()))) for b in micro_batches)
    bf16 = settings.mixed_precision == "bf16"
    for batch in micro_batches:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            total, _ = loss(model, batch)
        (total / rows).backward()
        after_each()
    if settings.clip_norm is not None:
        clip_grad_norm_(model.parameters(), settings.clip_norm)
    optimizer.step()
    optimizer.zero_grad()
