"""Roofline model: operations and bytes of a backbone, peaks of this machine, least possible time.

Williams et al. 2009: a computation takes at least its operations ÷ peak rate, and at least its bytes ÷ memory
bandwidth. Bytes dominate for a single query, which reads every weight for a few tokens; a batch reads them
once for thousands of tokens.

B: texts. L: tokens of a text.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from recsys.benchmarks.timing import thread_count
from recsys.encoders.backbone import Backbone, transformer_layers

BYTES = {"fp32": 4, "bf16": 2, "int8": 1}
LARGE = (1024, 1536, 1536)  # rows, inputs, outputs: operands larger than a core's cache
SKINNY_ROWS = 8  # tokens of a query
SECONDS = 0.2  # duration of each measurement
COPY_BYTES = 256 << 20  # larger than the caches


@dataclass(frozen=True)
class Cost:
    """Operations and sizes of one backbone.

    weights: parameters of the layers' matrix products, read for every batch, whatever its size.
    flops_per_token: of these products, 2 per parameter.
    attention: operations of attention (scores and weighted sum, 2 × 2 × width × layers): a token in a text
        of L tokens costs attention × L.
    row: width of one row of the embedding table.
    """

    weights: int
    flops_per_token: int
    attention: int
    row: int

    def flops(self, lengths: list[int]) -> float:
        """Operations for texts with these numbers of tokens, without padding."""
        return float(sum(length * (self.flops_per_token + self.attention * length) for length in lengths))

    def bytes(self, lengths: list[int], precision: str) -> float:
        """Bytes that one batch of these texts must read: all layers' weights, and the embedding rows."""
        return float(BYTES[precision] * (self.weights + self.row * sum(lengths)))


@dataclass(frozen=True)
class Peaks:
    """Measured peaks of this machine with some number of threads.

    large, skinny: precision -> operations a second of matrix products with many rows, and with a query's 8
        rows; a precision that torch does not support here is absent. memory: bandwidth of a copy in bytes a
        second, reads and writes together.
    """

    threads: int
    large: dict[str, float]
    skinny: dict[str, float]
    memory: float


def cost_of(backbone: Backbone) -> Cost:
    """Cost of a backbone, counted over every linear map inside its transformer layers.

    Raises:
        BackboneError: an architecture whose layers cannot be found.
    """
    _, layers = transformer_layers(backbone.model)
    maps = [m for m in layers.modules() if isinstance(m, (nn.Linear, Conv1D))]
    weights = sum(m.weight.numel() for m in maps)
    return Cost(weights, 2 * weights, 4 * backbone.width * len(layers), backbone.model.config.hidden_size)


def measure_peaks(threads: int = 1, seconds: float = SECONDS) -> Peaks:
    """Measure the peaks, for about 9 × `seconds`; a peak is the best of the repetitions."""
    large, skinny = {}, {}
    with thread_count(threads), torch.inference_mode():
        for precision in BYTES:
            for rates, rows in ((large, LARGE[0]), (skinny, SKINNY_ROWS)):
                if products := _products(precision, rows):
                    fastest = min(_least(product, seconds) for product in products)
                    rates[precision] = 2 * rows * LARGE[1] * LARGE[2] / fastest
        source = torch.ones(COPY_BYTES // 4)
        target = torch.empty_like(source)
        memory = 2 * COPY_BYTES / _least(lambda: target.copy_(source), seconds)  # read and written
    return Peaks(threads, large, skinny, memory)


def least_seconds(cost: Cost, peaks: Peaks, lengths: list[int], precision: str) -> float:
    """Lower bound on the seconds in which any variant of that precision encodes these texts in one batch.

    Args:
        lengths: tokens of each text.
        precision: a key of `peaks.large`.

    Raises:
        KeyError: no such precision.
    """
    work = cost.flops(lengths) / peaks.large[precision]
    return max(work, cost.bytes(lengths, precision) / peaks.memory)


def share_of_limit(cost: Cost, peaks: Peaks, lengths: list[int], precision: str, seconds: float) -> float:
    """Least possible ÷ measured seconds for these texts, in (0, 1]: 1 is the hardware limit."""
    return least_seconds(cost, peaks, lengths, precision) / seconds


def limit_table(cost: Cost, peaks: Peaks, query_tokens: int, lengths: list[int]) -> pd.DataFrame:
    """The limits of this machine, one row per precision that torch supports here.

    Args:
        query_tokens: of one query. lengths: tokens of each title of a batch.

    Returns:
        Index precision; gflops (peak, 1e9 operations a second), query_ms (lower bound of a query's
        milliseconds), titles_per_second (upper bound).
    """
    rows = {
        precision: {
            "gflops": peaks.large[precision] / 1e9,
            "query_ms": 1e3 * least_seconds(cost, peaks, [query_tokens], precision),
            "titles_per_second": len(lengths) / least_seconds(cost, peaks, lengths, precision),
        }
        for precision in peaks.large
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("precision")


def _products(precision: str, rows: int) -> list[Callable[[], Tensor]]:
    """Implementations of a matrix product in that precision; [] where torch has none here."""
    _, inputs, outputs = LARGE
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.int8}[precision]
    left, right = torch.ones(rows, inputs).to(kind), torch.ones(inputs, outputs).to(kind)
    multiply = torch._int_mm if precision == "int8" else torch.mm
    try:
        multiply(left[:SKINNY_ROWS], right)
    except RuntimeError:
        return []
    products = [lambda: multiply(left, right)]
    if precision == "fp32" and torch.backends.mkldnn.is_available():
        # torch calls MKL for it, which on an AMD processor reaches half of oneDNN's peak
        laid_out = torch.ops.mkldnn._reorder_linear_weight(right.T.contiguous(), rows)
        multiply_so = torch.ops.mkldnn._linear_pointwise
        products.append(lambda: multiply_so(left, laid_out, None, "none", [], "none"))
    return products


def _least(function: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest call within a time; the first two calls warm up.

    A call that takes longer than that time is not repeated: a precision for which the processor has no
    instructions takes seconds, whose spread matters to nobody.
    """
    if (first := _once(function)) > seconds:
        return first
    function()
    found, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(found) < 3:
        found.append(_once(function))
    return min(found)


def _once(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
