"""Compares one process with a pipeline of several: speed, processor time, memory (004 Q2, Q4, Q5).

n: texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.benchmarks.resources.model_parallel import PipelineRun, run_pipeline
from recsys.encoders.backbone import Backbone, transformer_layers
from recsys.encoders.tokens import tokenise

ONE_BY_ONE = 20  # texts that are timed one by one
TOKEN_BUDGET = 512  # of a micro-batch: large enough for fast products, small enough to fill the pipeline
MILLION = 1_000_000
RATIOS = ("throughput", "latency", "core_seconds", "memory")


def compare_pipelines(
    backbone: Backbone,
    texts: Sequence[str],
    processes: int = 2,
    *,
    rounds: int = 3,
    turns: int = 1,
    threads: int = 1,
) -> pd.DataFrame:
    """Encode the same texts with one process and with several, the layers divided evenly.

    Args:
        texts: n strings, at least one.
        processes: from 2 to the number of layers. rounds: of all texts. turns: how often both are started
            again, in alternating order. threads: of each process.

    Returns:
        One row per number of processes (index `processes`): throughput, texts a second; latency, milliseconds
        of one text; core_seconds of all processes per million tokens; memory, growth of the largest process
        in 1e6 bytes; waiting, share of the time that the last process waits for others; bubble, the least
        such share; cosine, mean with the vectors of one process. Medians over rounds, and of these over
        turns.

    Raises:
        ValueError: `processes` out of range; as `run_pipeline`, which may also fail or not end in time.
    """
    _, layers = transformer_layers(backbone.model)
    if not 2 <= processes <= len(layers):
        raise ValueError(f"processes must be from 2 to the {len(layers)} layers, got {processes}")
    options = {"rounds": rounds, "threads": threads, "one_by_one": min(ONE_BY_ONE, len(texts))}
    options["token_budget"] = TOKEN_BUDGET
    tokens, found = int(tokenise(backbone, texts).lengths.sum()), []
    for turn in range(max(1, turns)):
        order = (processes, 1) if turn % 2 else (1, processes)
        runs = {
            count: run_pipeline(backbone, texts, splits_of(len(layers), count), **options) for count in order
        }
        rows = {count: _row(run, tokens, runs[1].vectors) for count, run in runs.items()}
        found.append(pd.DataFrame.from_dict(rows, orient="index"))
    return pd.concat(found).groupby(level=0).median().rename_axis("processes")


def splits_of(layers: int, processes: int) -> list[int]:
    """First layer of each process but the first; their numbers of layers differ by one at most.

    Example:
        >>> splits_of(layers=6, processes=3)
        [2, 4]
    """
    return [layers * place // processes for place in range(1, processes)]


def pipeline_metrics(found: pd.DataFrame) -> dict[str, float]:
    """Metrics that a run records: "pipeline:…_ratio" of the last row to the first, and "pipeline:cosine".

    Args:
        found: from `compare_pipelines`; {} for an empty one.
    """
    if found.empty:
        return {}
    one, several = found.iloc[0], found.iloc[-1]
    ratios = {f"pipeline:{name}_ratio": float(several[name] / one[name]) for name in RATIOS}
    return ratios | {"pipeline:cosine": float(several["cosine"])}


def _row(run: PipelineRun, tokens: int, right: np.ndarray) -> dict[str, float]:
    seconds = float(np.median(run.seconds))
    return {
        "throughput": len(run.vectors) / seconds,
        "latency": 1e3 * float(np.median(run.latency)),
        "core_seconds": run.stages["cpu"].sum() / tokens * MILLION,
        "memory": run.stages["resident_bytes"].max() / 1e6,
        "waiting": run.stages["waited"].iloc[-1] / seconds,
        "bubble": run.bubble,
        "cosine": float((run.vectors * right).sum(axis=1).mean()),
    }
