"""Time spent, where an accelerator may still be computing when a call returns."""

from __future__ import annotations

import time

import numpy as np
import torch


def clocks() -> np.ndarray:
    """[2] seconds on the wall's clock and on the processor's, once the accelerator is done."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return np.array([time.perf_counter(), time.process_time()])
