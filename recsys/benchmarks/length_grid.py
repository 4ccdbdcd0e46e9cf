"""Throughput in tokens a second by text length, batch size and threads, for each variant."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from recsys.benchmarks.timing import interleave
from recsys.speed.encoder import Encoder


def length_grid(
    encoders: Mapping[str, Encoder],
    lengths: Sequence[int] = (8, 32, 128),
    batches: Sequence[int] = (1, 8, 64),
    threads: int = 1,
    rounds: int = 3,
    names: Sequence[str] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """Time the engines on random word pieces, since the cost does not depend on which they are.

    Args:
        encoders: name -> encoder.
        lengths: tokens of every text, at least 1 and at most what the encoders take.
        batches: texts of a batch.
        threads: of matrix products. Engines use one thread a call, except those where torch chooses.
        rounds: measurements of each, interleaved over the encoders.
        names: only these, if any of them is among the encoders; otherwise all.

    Returns:
        variant, tokens, batch, threads, seconds (median of one batch), tokens_per_second.

    Raises:
        ValueError: a length out of range, no encoder.
    """
    if not encoders:
        raise ValueError("there is no encoder to time: none of the variants works here")
    encoders = {name: encoder for name, encoder in encoders.items() if name in names} or encoders
    longest = min(encoder.max_seq_length for encoder in encoders.values())
    if min(lengths) < 1 or max(lengths) > longest:
        raise ValueError(f"lengths must be from 1 to {longest} tokens, got {list(lengths)}")
    generator = np.random.default_rng(seed)
    rows = []
    for tokens, batch in itertools.product(lengths, batches):
        filler = next(iter(encoders.values())).words.filler
        ids = generator.integers(filler, filler + 100, tokens * batch)
        each = np.full(batch, tokens, dtype=np.int64)
        calls = {n: (lambda e=e, i=ids, k=each: e.engine(i, k)) for n, e in encoders.items()}
        seconds = interleave(calls, rounds=rounds, threads=threads).wall.median()
        rows += [(name, tokens, batch, threads, value) for name, value in seconds.items()]
    found = pd.DataFrame(rows, columns=["variant", "tokens", "batch", "threads", "seconds"])
    return found.assign(tokens_per_second=found["tokens"] * found["batch"] / found["seconds"])
