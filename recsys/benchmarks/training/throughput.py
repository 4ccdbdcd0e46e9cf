"""Training throughput of this kit's loop against sentence-transformers' Trainer and a plain torch loop.

Every loop trains the same initial model on the same texts for the same number of steps with the same batch
size, loss, optimiser (AdamW without weight decay), peak rate, linear decay, clipping and dropout. They take
turns within a round, so that other load on the machine slows all of them. Timed is everything from texts to
trained weights, including tokenisation, but not building model and Trainer.

Quality is the mean reciprocal rank on held-out pairs afterwards, in fp32. A round has its own order and
dropout, so the rounds of one loop serve as its seeds.

B: pairs of a batch. n: pairs.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from accelerate.state import AcceleratorState

from recsys.benchmarks.training.flops import gemm_rate, useful_flops
from recsys.benchmarks.training.loops import (
    BF16,
    LOOPS,
    Pairs,
    Task,
    first_device,
    sentence_transformers_library,
)
from recsys.encoders.backbone import Backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.tokens import tokenise

GEMM_ROWS = 4096  # at most: with more rows the rate no longer grows


def compare_loops(
    backbone: Backbone,
    pairs: Pairs,
    held_out: Pairs | None = None,
    *,
    steps: int = 20,
    rounds: int = 3,
    threads: int = 1,
    seed: int = 0,
    batch_size: int = 64,
    max_tokens: int = 64,
    learning_rate: float = 5e-5,
    loops: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Train copies of a backbone with every loop in turn, after a step of warm-up for each.

    Args:
        backbone: the initial model; does not change. All loops train on the GPU, if there is one.
        pairs: of which steps × batch_size are drawn, the same for all loops and rounds.
        held_out: for `validation_metric`; no pair of them should be among `pairs`. None: not measured.
        steps: optimiser steps, ≥ 1.
        rounds: repetitions, each with an order and dropout of its own, ≥ 1.
        threads: for torch; restored afterwards.
        seed: of the draw; round r uses seed + r.
        batch_size: B, ≥ 2, because a single pair has no negatives.
        loops: keys of `LOOPS`; None: all.

    Returns:
        One row for each round and loop:
        `loop`, `round`, `seconds`;
        `real_tokens`: of all texts of the round, without padding;
        `tokens_per_second`: real ones;
        `ratio`: of these to "plain fp32" in the same round; NaN without it;
        `cpu_seconds`: processor time of all threads, which does not count waiting for other programs: on a
            busy machine a fairer comparison than `seconds`;
        `cpu_ratio`: of plain's `cpu_seconds` in the same round to this loop's; NaN without it;
        `gemm_gflops`: rate of bare matrix products at the model's shapes in the loop's precision, the
            better of a measurement before and one after;
        `share_of_limit`: `useful_flops` over seconds over that rate, in (0, 1];
        `metric`: mean reciprocal rank on `held_out`; NaN without.

    Raises:
        ValueError: numbers out of range, too few pairs, an unknown loop.
        ImportError: sentence-transformers or datasets is not installed, and that loop is asked for.
    """
    loops = tuple(LOOPS) if loops is None else tuple(loops)
    _check(loops, pairs, steps, rounds, threads, batch_size)
    if any(loop.startswith("sentence-transformers") for loop in loops):
        sentence_transformers_library()
    drawn = np.random.default_rng(seed).permutation(len(pairs))[: steps * batch_size]
    chosen, before = pairs.take(drawn), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        warm_up = Task(chosen.take(slice(batch_size)), batch_size, max_tokens, learning_rate, seed)
        for loop in loops:
            _run(loop, backbone, warm_up)
        rows = []
        for number in range(rounds):
            task = Task(chosen, batch_size, max_tokens, learning_rate, seed + number)
            shift = number % len(loops)  # rotates the order, so that no loop is always first
            for loop in loops[shift:] + loops[:shift]:
                rows.append({"loop": loop, "round": number} | _measure(loop, backbone, task, held_out))
    finally:
        torch.set_num_threads(before)
        AcceleratorState._reset_state(reset_partial_state=True)
    frame = pd.DataFrame(rows)
    plain = frame[frame["loop"] == "plain fp32"].set_index("round")
    frame.insert(5, "ratio", frame["tokens_per_second"] / frame["round"].map(plain["tokens_per_second"]))
    frame.insert(7, "cpu_ratio", frame["round"].map(plain["cpu_seconds"]) / frame["cpu_seconds"])
    order = pd.Categorical(frame["loop"], categories=loops)
    return frame.assign(order=order).sort_values(["round", "order"], ignore_index=True).drop(columns="order")


def validation_metric(backbone: Backbone, held_out: Pairs, max_tokens: int = 64) -> float:
    """Mean reciprocal rank of a pair's right-hand text among all of them, by cosine in fp32, in (0, 1].

    Equal right-hand texts all count as correct. The backbone's train or eval mode is restored.
    """
    left, right = (
        embed_texts(backbone, texts, max_tokens=max_tokens, precision="fp32")
        for texts in (held_out.left, held_out.right)
    )
    scores = left @ right.T
    _, code = np.unique(np.asarray(held_out.right, dtype=object).astype(str), return_inverse=True)
    wrong = code[:, None] != code[None, :]
    better = (scores > np.diag(scores)[:, None]) & wrong
    return float((1 / (1 + better.sum(axis=1))).mean())


def _check(
    loops: Sequence[str], pairs: Pairs, steps: int, rounds: int, threads: int, batch_size: int
) -> None:
    unknown = [loop for loop in loops if loop not in LOOPS]
    if unknown or not loops:
        raise ValueError(f"loops must be some of {', '.join(LOOPS)}, got {', '.join(unknown) or 'none'}")
    for name, value, least in (
        ("steps", steps, 1),
        ("rounds", rounds, 1),
        ("threads", threads, 1),
        ("batch_size", batch_size, 2),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    if len(pairs) < steps * batch_size:
        raise ValueError(f"{steps} steps of {batch_size} need {steps * batch_size} pairs, got {len(pairs)}")


def _measure(loop: str, start: Backbone, task: Task, held_out: Pairs | None) -> dict[str, float]:
    tokens = [
        tokenise(start, texts, task.max_tokens).lengths for texts in (task.pairs.left, task.pairs.right)
    ]
    lengths = np.concatenate(tokens)
    real, rows = int(lengths.sum()), min(GEMM_ROWS, int(lengths.sum()) // task.steps)
    dtype = torch.bfloat16 if loop in BF16 else torch.float32
    probe = copy.deepcopy(start).to(first_device())
    earlier = gemm_rate(probe, rows, dtype)
    (seconds, cpu), trained = _run(loop, start, task)
    limit = max(earlier, gemm_rate(probe, rows, dtype))
    return {
        "seconds": seconds,
        "real_tokens": real,
        "tokens_per_second": real / seconds,
        "cpu_seconds": cpu,
        "gemm_gflops": limit / 1e9,
        "share_of_limit": useful_flops(start, lengths) / seconds / limit,
        "metric": float("nan") if held_out is None else validation_metric(trained, held_out, task.max_tokens),
    }


def _run(loop: str, start: Backbone, task: Task) -> tuple[np.ndarray, Backbone]:
    """[wall, processor] seconds of training a copy of the initial model, and that copy."""
    # accelerate keeps precision and device for the whole process, so its state is reset for each loop
    AcceleratorState._reset_state(reset_partial_state=True)
    with torch.random.fork_rng():
        torch.manual_seed(task.seed)
        return LOOPS[loop](copy.deepcopy(start).to(first_device()), task)
