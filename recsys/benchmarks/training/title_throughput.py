"""The throughput comparison of `recsys.benchmarks.training.throughput` on a shop's own titles."""

from __future__ import annotations

import pandas as pd
import torch

from recsys.benchmarks.training.loops import Pairs
from recsys.benchmarks.training.throughput import compare_loops
from recsys.data.histories import histories
from recsys.encoders.backbone import load_backbone
from recsys.models.next_item.data import NextItemData
from recsys.training.contrastive_samples import title_pairs

BATCH = 64
HELD_OUT = 512  # pairs


def title_throughput(
    data: NextItemData, rounds: int, steps: int = 12, seed: int = 0, backbone: str = "minilm"
) -> pd.DataFrame:
    """Every loop trains on titles of consecutive purchases; see `compare_loops` for the columns.

    Args:
        rounds: 0 measures nothing and returns an empty frame.
        steps: optimiser steps of 64 pairs, per loop and round.

    Raises:
        ValueError: too few pairs in this shop for that many steps.
    """
    if not rounds:
        return pd.DataFrame()
    known = histories(data.train, data.split.n_users)
    left, right = title_pairs(known, data.required_titles(), steps * BATCH + HELD_OUT, seed)
    pairs = Pairs(left, right)
    return compare_loops(
        load_backbone(backbone),
        pairs.take(slice(HELD_OUT, None)),
        pairs.take(slice(HELD_OUT)),
        steps=steps,
        rounds=rounds,
        threads=torch.get_num_threads(),
        seed=seed,
        batch_size=BATCH,
    )
