"""Minimum operations of a training step, and this machine's rate for matrix products of its shapes."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn

from recsys.training.clocks import clocks

TABLES = (nn.Embedding, nn.EmbeddingBag)
GEMM_SECONDS = 0.3  # duration of each measurement of the limit


def useful_flops(model: nn.Module, lengths: np.ndarray) -> int:
    """Floating-point operations of a forward and backward pass over texts of these lengths, unpadded.

    3 · (2 · matrix weights for each token + 4 · layers · width · length for each token, for q·k and the
    weighted sum of v). Embedding tables are looked up, not multiplied. Norms, softmax, GELU, dropout and the
    optimiser are not counted, so the share of the limit stays below 1.
    """
    weights = sum(weight.numel() for weight in _matrices(model))
    config = getattr(model, "model", model).config
    lengths = np.asarray(lengths, dtype=np.int64)
    attention = 4 * config.num_hidden_layers * config.hidden_size * int((lengths**2).sum())
    return 3 * (2 * weights * int(lengths.sum()) + attention)


def gemm_rate(model: nn.Module, rows: int, dtype: torch.dtype, seconds: float | None = None) -> float:
    """Best rate, in operations a second, of the products X Wᵀ, dY W and dYᵀ X for the model's weights W.

    X and dY have `rows` rows. Each shape counts as often as it occurs in the model.

    Args:
        seconds: duration of the measurement; None: `GEMM_SECONDS`.
    """
    seconds = GEMM_SECONDS if seconds is None else seconds
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device, generator=generator).to(dtype)

    shapes: dict[tuple[int, int], int] = {}
    for weight in _matrices(model):
        shapes[tuple(weight.shape)] = shapes.get(tuple(weight.shape), 0) + 1
    total, work = 0.0, 0
    for (wide, deep), count in shapes.items():
        weight, x, dy = random(wide, deep), random(rows, deep), random(rows, wide)
        fastest, until = float("inf"), time.perf_counter() + seconds / len(shapes)
        while time.perf_counter() < until or fastest == float("inf"):
            start = clocks()[0]
            torch.mm(x, weight.t())
            torch.mm(dy, weight)
            torch.mm(dy.t(), x)
            fastest = min(fastest, clocks()[0] - start)
        total, work = total + count * fastest, work + count * 6 * rows * wide * deep
    return work / total


def _matrices(model: nn.Module) -> list[nn.Parameter]:
    tables = {id(module.weight) for module in model.modules() if isinstance(module, TABLES)}
    return [p for p in model.parameters() if p.ndim == 2 and id(p) not in tables]
