"""The backbone on a GPU: bfloat16 with fused attention, optionally compiled with CUDA graphs.

A captured CUDA graph works for one shape. So batches are padded to powers of two in both directions: a query
of 9 tokens and one of 14 use the same graph.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from recsys.encoders.backbone import load_backbone
from recsys.speed.encoder import Engine
from recsys.speed.engines.torch_graphs import FOLDER
from recsys.speed.onnx_export import PooledGraph
from recsys.speed.word_pieces import WordPieces


class NoGpu(RuntimeError):
    """There is no CUDA device here."""


def bf16(folder: Path, words: WordPieces) -> Engine:
    """Eager execution, products in bfloat16."""
    return on_device(load_backbone(str(folder / FOLDER)), words, _gpu())


def graphs(folder: Path, words: WordPieces) -> Engine:
    """torch.compile's kernels, launched as CUDA graphs. It compiles at the first batch of a shape."""
    device = _gpu()
    graph = PooledGraph(load_backbone(str(folder / FOLDER))).eval().to(device)
    return on_device(torch.compile(graph, mode="reduce-overhead", dynamic=False), words, device, rounded=True)


def on_device(graph: nn.Module, words: WordPieces, device: torch.device, rounded: bool = False) -> Engine:
    """An engine of a module on a device, in bfloat16.

    Args:
        graph: ids and mask [B, T] -> vectors [B, D].
        rounded: pad to powers of two.
    """
    graph = graph.to(device)
    lock = threading.Lock()  # a captured graph writes into memory of its own

    def engine(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        padded: tuple[Tensor, ...] = tuple(map(torch.from_numpy, words.pad(ids, lengths)))
        if rounded:
            padded = to_powers_of_two(*padded, longest=words.max_tokens, left=words.pad_left)
        with lock, torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16):
            vectors = graph(*(part.to(device) for part in padded))
            return vectors[: len(lengths)].float().cpu().numpy()

    return engine


def to_powers_of_two(ids: Tensor, mask: Tensor, longest: int, left: bool = False) -> tuple[Tensor, Tensor]:
    """Pad [B, T] ids and mask to powers of two; an added row has one token, so that its mean exists.

    Args:
        longest: most tokens of a row. left: pad on the left.
    """
    rows, columns = ids.shape
    more = min(_next_power(columns), longest) - columns
    sides = (more, 0) if left else (0, more)
    added = _next_power(rows) - rows
    ids, mask = (pad(part, (*sides, 0, added)) for part in (ids, mask))
    mask[rows:, -1 if left else 0] = 1
    return ids, mask


def _next_power(number: int) -> int:
    return 1 << (number - 1).bit_length()


def _gpu() -> torch.device:
    if not torch.cuda.is_available():
        raise NoGpu("no CUDA device here: see README for a GPU build of torch")
    return torch.device("cuda")
