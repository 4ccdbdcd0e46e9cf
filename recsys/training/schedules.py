"""Learning-rate schedules: those of transformers, with the warm-up as a share of all optimiser steps."""

from __future__ import annotations

import math

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers.optimization import get_scheduler

from recsys.training.settings import TrainingSettings


def total_steps(settings: TrainingSettings, batches_of_first_epoch: int) -> int:
    """Optimiser steps of the whole training, ≥ 1."""
    steps_per_epoch = -(-batches_of_first_epoch // settings.accumulation)
    # floating point makes 0.3 × 10 a little more than 3: that must not add a step
    wanted = max(1, math.ceil(settings.epochs * steps_per_epoch - 1e-6))
    return wanted if settings.max_steps is None else min(wanted, settings.max_steps)


def scheduler(optimizer: Optimizer, settings: TrainingSettings, steps: int) -> LambdaLR:
    """A scheduler to be stepped after each optimiser step; it scales each group's own peak rate.

    Args:
        steps: optimiser steps of the whole training.
    """
    warmup = math.ceil(settings.warmup_share * steps)
    name = "constant_with_warmup" if settings.schedule == "constant" else settings.schedule
    return get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=steps)
