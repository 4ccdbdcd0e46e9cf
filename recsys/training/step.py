"""One optimiser step: gradients of the sum over all its samples, divided by their number."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from torch import Tensor, nn

from recsys.training.processes import reseed, widest
from recsys.training.samples import Samples, share
from recsys.training.settings import TrainingSettings

Batch = dict[str, Tensor]
Loss = Callable[[nn.Module, Batch], tuple[Tensor, int]]


@dataclass(frozen=True)
class StepSums:
    """Sums over all micro-batches and processes of a step.

    Attributes:
        loss: sum over samples, not the mean. samples, tokens: how many.
        interrupted: whether any process was asked to stop.
    """

    loss: float
    samples: int
    tokens: int
    interrupted: bool


class LossOfModel(nn.Module):
    """Model and loss as one module, so that DDP and autocast wrap the whole computation.

    The loss gets the unwrapped model: it may call any of its methods, not `forward` alone, and nothing has to
    be unwrapped at the end.
    """

    def __init__(self, model: nn.Module, loss: Loss):
        super().__init__()
        self.model = model
        self.loss = loss

    def forward(self, batch: Batch) -> tuple[Tensor, int]:
        total, count = self.loss(self.model, batch)
        if total.ndim:
            raise ValueError(
                f"the loss must return a 0-d sum over its samples, got shape {tuple(total.shape)}"
            )
        return total, int(count)


class GradientSum:
    """Accumulates the gradient of one optimiser step.

    A process takes its slice of each micro-batch, so that the samples of a step are the same whatever the
    number of processes. DDP averages over processes: the loss is multiplied by their number.
    """

    def __init__(
        self,
        model: nn.Module,
        samples: Samples,
        loss: Loss,
        settings: TrainingSettings,
        accelerator: Accelerator,
    ):
        self.samples, self.settings, self.accelerator = samples, settings, accelerator
        self.module = accelerator.prepare_model(LossOfModel(model, loss))
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.lengths = None if samples.lengths is None else np.asarray(samples.lengths)

    def gather(
        self, step: int, micro_batches: Sequence[np.ndarray], interrupted: Callable[[], bool]
    ) -> StepSums:
        """Fill `.grad` with the gradient of the mean loss over the samples of all micro-batches.

        Raises:
            ValueError: the loss counted no sample at all.
        """
        expected = sum(map(len, micro_batches))
        scale = self.accelerator.num_processes / expected
        loss, count, tokens = 0.0, 0, 0
        for number, indices in enumerate(micro_batches):
            is_last = number == len(micro_batches) - 1
            with contextlib.nullcontext() if is_last else self.accelerator.no_sync(self.module):
                total, n, real = self._backward(step, number, indices, scale)
            loss, count, tokens = loss + total, count + n, tokens + real
        sums = self._over_processes(loss, count, tokens, interrupted)
        if sums.samples < 1:
            raise ValueError(f"the loss counted no sample in step {step}, of {expected} positions")
        if sums.samples != expected:
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            torch._foreach_mul_(gradients, expected / sums.samples)
        return sums

    def _backward(self, step: int, number: int, indices: np.ndarray, scale: float) -> tuple[Tensor, int, int]:
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        mine, weight = share(indices, rank, processes), 1
        if not len(mine):
            # fewer samples than processes: DDP waits for all, so this one computes with weight 0
            mine, weight = indices[:1], 0
        device = self.accelerator.device
        reseed(device, self.settings.seed, step, number, rank)
        batch = self.samples.collate(mine)
        tokens = self._tokens(batch, mine)
        if device.type != "cpu":
            batch = send_to_device(batch, device, non_blocking=True)
        total, count = self.module(batch)
        self.accelerator.backward(total * (scale * weight))
        # kept on the device: reading it here would wait for the GPU at every micro-batch
        return total.detach().to(widest(device)) * weight, count * weight, tokens * weight

    def _tokens(self, batch: Batch, indices: np.ndarray) -> int:
        masks = [int(value.sum()) for name, value in batch.items() if name.endswith("_mask")]
        if masks:  # of both texts, where a sample is a pair
            return sum(masks)
        return len(indices) if self.lengths is None else int(self.lengths[indices].sum())

    def _over_processes(self, loss: Tensor, count: int, tokens: int, asked: Callable[[], bool]) -> StepSums:
        if self.accelerator.num_processes == 1:
            return StepSums(float(loss), count, tokens, asked())
        mine = torch.tensor([0, count, tokens, asked()], dtype=loss.dtype, device=loss.device)
        mine[0] = loss
        loss, count, tokens, interrupted = self.accelerator.reduce(mine, "sum").tolist()
        return StepSums(loss, round(count), round(tokens), interrupted > 0)
