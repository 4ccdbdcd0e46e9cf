"""The accelerator of a run (devices, precision, processes, trackers) and the seeds of its random numbers."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs, GradientAccumulationPlugin

from recsys.encoders.processor_precision import avoid_slow_bfloat16
from recsys.training.settings import TrainingSettings

avoid_slow_bfloat16()

NEEDS_FOLDER = ("tensorboard", "mlflow")


def build_accelerator(settings: TrainingSettings, folder: Path | None) -> Accelerator:
    """A new accelerator for these settings, also where this process had another one before.

    Start several processes on the CPU by `accelerate launch --multi_gpu --num_processes 2 …` or by
    `python -m torch.distributed.run`, not by `accelerate launch --cpu --num_processes 2`: without MPI that
    silently starts a single process.

    Raises:
        ImportError: the tracker is not installed; names the command that installs it.
        ValueError: the tracker writes files, but there is no folder; or fp16 without a GPU.
        RuntimeError: a launcher started several processes, and accelerate does not join them.
    """
    _check_tracker(settings.tracker, folder)
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != settings.mixed_precision:
        # accelerate holds the precision once per process; a notebook trains one model after another
        AcceleratorState._reset_state()
    accelerator = Accelerator(
        # set explicitly: by default accelerate joins the processes of torch.distributed.run on GPUs only,
        # and without one each would train a model of its own
        cpu=not torch.accelerator.is_available(),
        mixed_precision=settings.mixed_precision,
        # given, so that no environment variable of a launcher divides the loss a second time
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        log_with=settings.tracker,
        project_dir=folder,
        # a pretrained backbone often has a pooler that no loss uses; DDP would wait for its gradient
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if launched != accelerator.num_processes:
        raise RuntimeError(
            f"the launcher started {launched} processes, but accelerate joined {accelerator.num_processes}: "
            "an Accelerator or PartialState was made before train, on other terms"
        )
    if settings.mixed_precision == "fp16" and accelerator.device.type == "cpu":
        raise ValueError("mixed_precision='fp16' needs a GPU, and this runs on the CPU: use 'bf16' or 'no'")
    return accelerator


def _check_tracker(tracker: str | None, folder: Path | None) -> None:
    if tracker is None:
        return
    if find_spec(tracker) is None:
        raise ImportError(f"tracker={tracker!r} is not installed: pip install {tracker}, or tracker=None")
    if tracker in NEEDS_FOLDER and folder is None:
        raise ValueError(f"tracker={tracker!r} writes files: give train a folder")


def widest(device: torch.device) -> torch.dtype:
    """The floating-point type for sums: float64 where the device supports it, else float32."""
    return torch.float32 if device.type == "mps" else torch.float64


def reseed(device: torch.device, *key: int) -> None:
    """Seed torch's generators of the CPU and of this device from a key of whole numbers ≥ 0.

    Not `torch.manual_seed`: it formats a stack trace for every GPU that is not there, which costs more than
    a small model's step.
    """
    value = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.default_generators[torch.cuda.current_device()].manual_seed(value)
