"""Tricks that make a training step fit: what each saves of memory, and costs in time and quality (004 Q2).

Memory is counted for the whole model on texts of full length, where batches get too large. Quality is that of
a small student of the model, trained for the same steps of the same texts with each.

B: texts of a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import psutil
import torch
from torch import Tensor

from recsys.benchmarks.resources.model_parallel import stage_of
from recsys.compression import distillation
from recsys.compression.distillation import (
    MAX_TOKENS,
    TextTargets,
    distil,
    evenly_spaced,
    keep_layers,
    regression_loss,
)
from recsys.encoders.backbone import Backbone, transformer_layers
from recsys.encoders.embed import embed_texts
from recsys.training.memory import training_memory
from recsys.training.peak_memory import peak_memory
from recsys.training.settings import TrainingSettings

PARTS = 4  # that accumulation cuts a step into
PLAIN, STAGES = "plain", "two-stages"
TRICKS: dict[str, dict] = {
    PLAIN: {},
    "bf16": {"mixed_precision": "bf16"},
    "accumulation": {"accumulation": PARTS},
    "checkpointing": {"gradient_checkpointing": True},
    "accumulation+checkpointing": {"accumulation": PARTS, "gradient_checkpointing": True},
}
MEGABYTE = 1e6


def step_memory(backbone: Backbone, texts: int, tokens: int = 128) -> pd.DataFrame:
    """What a step of each trick holds, and its peak.

    "two-stages" is model parallelism over two processes: the one that needs more, with its half of the
    layers and the activations of all texts (its neighbour's last hidden states come to it as the output of a
    small table of words; what is being sent is not counted).

    Args:
        texts: B, a multiple of 4. tokens: of each text.

    Returns:
        a row a trick: weights, gradients, optimizer, activations (of one micro-batch), peak (1e6 bytes, see
        `recsys.training.memory` and `recsys.training.peak_memory`); memory_ratio, of the peak to plain's.

    Raises:
        ValueError: `texts` is no multiple of 4, or below that; `tokens` not from 1 to what the model takes.
    """
    rows = {name: _held(backbone, settings_of(name, texts), tokens) for name in TRICKS}
    _, layers = transformer_layers(backbone.model)
    if len(layers) > 1:
        half = len(layers) // 2
        parts = [stage_of(backbone, *ends) for ends in ((0, half), (half, len(layers)))]
        held = [_held(part, settings_of(PLAIN, texts), tokens) for part in parts]
        rows[STAGES] = max(held, key=lambda row: row["peak"])
    found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("trick") / MEGABYTE
    found["memory_ratio"] = found["peak"] / found.loc[PLAIN, "peak"]
    return found


def memory_by_batch(backbone: Backbone, sizes: Sequence[int], tokens: int = 128) -> pd.DataFrame:
    """Peak of a plain step by batch: texts, peak (1e6 bytes); a row a size.

    Raises:
        ValueError: a size below 1; `tokens` as in `step_memory`.
    """
    settings = settings_of(PLAIN, PARTS)
    peaks = [
        peak_memory(backbone, regression_loss, [full_batch(backbone, size, tokens)], settings)
        for size in sizes
    ]
    return pd.DataFrame({"texts": list(sizes), "peak": [peak / MEGABYTE for peak in peaks]})


def megabytes_per_text(by_batch: pd.DataFrame) -> float:
    """Slope of the peak between the two largest batches of `memory_by_batch`.

    Not through all: while gradients outweigh activations, the peak hardly grows.
    """
    low, high = by_batch.sort_values("texts").to_numpy()[-2:]
    return float((high[1] - low[1]) / (high[0] - low[0]))


def free_megabytes() -> float:
    """1e6 bytes that this machine could give to a process now."""
    return psutil.virtual_memory().available / MEGABYTE


def first_too_large(by_batch: pd.DataFrame, free: float) -> int:
    """Texts of the first batch whose peak is above `free` (1e6 bytes), by that slope: computed, not tried."""
    last = by_batch.sort_values("texts").iloc[-1]
    return int(last["texts"] + (free - last["peak"]) // megabytes_per_text(by_batch)) + 1


def trained_quality(
    teacher: Backbone,
    texts: Sequence[str],
    held_out: Sequence[str],
    *,
    layers: int = 1,
    steps: int = 60,
    batch: int = 64,
    seed: int = 0,
) -> pd.DataFrame:
    """The same student, texts and steps with each trick.

    Args:
        teacher: stays as it is. layers: of the student, from 1 to the teacher's.
        texts: to learn from. held_out: to judge by, none of them among `texts`.
        steps: optimiser steps, at least 1. batch: B, a multiple of 4. seed: of the order of the texts.

    Returns:
        a row for the student as it starts and one a trick: cosine, mean with the teacher on held-out texts;
        cosine_ratio; seconds, median of a step; seconds_ratio; student_memory_ratio, of the peaks of the
        student's own step on B of the texts: all to plain's.

    Raises:
        ValueError: numbers out of range; as `distil`.
    """
    _, stack = transformer_layers(teacher.model)
    kept = evenly_spaced(len(stack), layers)
    targets, right = (
        embed_texts(teacher, part, precision="fp32", max_tokens=MAX_TOKENS) for part in (texts, held_out)
    )

    def cosine(student: Backbone) -> float:
        found = embed_texts(student, held_out, precision="fp32", max_tokens=MAX_TOKENS)
        return float((found * right).sum(axis=1).mean())

    start = keep_layers(teacher, kept)
    samples = TextTargets(start, texts, targets)
    rows = {"start": {"cosine": cosine(start)}}
    for name in TRICKS:
        settings = replace(settings_of(name, batch), seed=seed, max_steps=steps, epochs=float(steps))
        student = keep_layers(teacher, kept)
        result = distil(student, texts, targets, settings, progress=False)
        rows[name] = {
            "cosine": cosine(student),
            "seconds": result.step_seconds,
            "student_memory": peak_memory(start, regression_loss, _parts(samples, settings), settings),
        }
    found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("trick")
    for column in ("cosine", "seconds", "student_memory"):
        found[f"{column}_ratio"] = found[column] / found.loc[PLAIN, column]
    return found.drop(columns="student_memory")


def settings_of(trick: str, batch: int) -> TrainingSettings:
    """Settings of a distillation with that trick and B texts a step, whatever it is cut into.

    Texts are not sorted by length: then a step of four parts has the texts of a plain one.

    Raises:
        ValueError: no such trick; `batch` is no multiple of 4, or below that.
    """
    if trick not in TRICKS:
        raise ValueError(f"unknown trick {trick!r}; there are {', '.join(TRICKS)}")
    if batch < PARTS or batch % PARTS:
        raise ValueError(f"a step's texts are cut into {PARTS}: give a multiple of that, not {batch}")
    options = {"mixed_precision": "no", "token_budget": None, "length_buckets": False, **TRICKS[trick]}
    return replace(distillation.SETTINGS, batch_size=batch // options.get("accumulation", 1), **options)


def full_batch(backbone: Backbone, texts: int, tokens: int) -> dict[str, Tensor]:
    """A batch of `TextTargets` without padding; all tokens are alike, for bytes depend on shapes alone.

    Raises:
        ValueError: no text; `tokens` not from 1 to what the model takes.
    """
    if texts < 1 or not 1 <= tokens <= backbone.max_tokens:
        raise ValueError(
            f"texts ≥ 1 of 1 to {backbone.max_tokens} tokens are needed, got {texts} of {tokens}"
        )
    ids = torch.zeros(texts, tokens, dtype=torch.int64)  # the one word that every stage's table has
    targets = torch.full((texts, backbone.width), backbone.width**-0.5)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "targets": targets}


def _held(backbone: Backbone, settings: TrainingSettings, tokens: int) -> dict[str, int]:
    batch = full_batch(backbone, settings.batch_size, tokens)
    peak = peak_memory(backbone, regression_loss, [batch] * settings.accumulation, settings)
    return {**training_memory(backbone, regression_loss, batch, settings), "peak": peak}


def _parts(samples: TextTargets, settings: TrainingSettings) -> list[dict[str, Tensor]]:
    """The first texts, as one step takes them."""
    rows = np.arange(min(len(samples), settings.batch_size * settings.accumulation))
    return [samples.collate(part) for part in np.array_split(rows, settings.accumulation)]
