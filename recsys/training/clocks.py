"""Wall and processor time, read once an accelerator has finished the work given to it."""

from __future__ import annotations

import time

import numpy as np
import torch


def clocks() -> np.ndarray:
    """[2] seconds of the wall clock and of processor time, once the accelerator has finished."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return np.array([time.perf_counter(), time.process_time()])
