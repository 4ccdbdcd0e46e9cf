"""Memory-saving techniques of training ("tricks"): memory saved, and cost in time and quality (004 Q2).

Memory is counted for the whole model on texts of full length, where batches become too large. Quality is that
of a small student of the model, trained for the same steps on the same texts with each technique.

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

PARTS = 4  # micro-batches of a step under accumulation
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
    """Memory of a training step with each technique, by kind, and its peak.

    "two-stages" is model parallelism over two processes; counted is the one that needs more, with its half of
    the layers and the activations of all texts. (A small embedding table stands for the hidden states that it
    receives; messages in transit are not counted.)

    Args:
        texts: B, a multiple of 4. tokens: of each text.

    Returns:
        One row per technique: weights, gradients, optimizer, activations (of one micro-batch), peak (1e6
        bytes, see `recsys.training.memory` and `recsys.training.peak_memory`); memory_ratio, peak ÷ the peak
        of "plain".

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
    """Peak memory of a plain step by batch size: texts, peak (1e6 bytes); one row per size.

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
    """Growth of the peak per text, between the two largest batches of `memory_by_batch`.

    Small batches are not used: while gradients outweigh activations, the peak hardly grows.
    """
    low, high = by_batch.sort_values("texts").to_numpy()[-2:]
    return float((high[1] - low[1]) / (high[0] - low[0]))


def free_megabytes() -> float:
    """Memory available to a process now, in 1e6 bytes."""
    return psutil.virtual_memory().available / MEGABYTE


def first_too_large(by_batch: pd.DataFrame, free: float) -> int:
    """Smallest batch whose peak exceeds `free` (1e6 bytes), extrapolated by `megabytes_per_text`."""
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
    """Train the same student on the same texts and steps with each technique.

    Args:
        teacher: does not change. layers: of the student, from 1 to the teacher's number.
        texts: for training. held_out: for evaluation, none of them among `texts`.
        steps: optimiser steps, at least 1. batch: B, a multiple of 4. seed: of the order of the texts.

    Returns:
        One row for the untrained student and one per technique: cosine, mean with the teacher on held-out
        texts; cosine_ratio; seconds, median of a step; seconds_ratio; student_memory_ratio, of the peak of
        the student's step on B texts. Ratios are relative to "plain".

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
    """Training settings of a distillation with that technique and B texts a step.

    Texts are not sorted by length, so that a step of four micro-batches has the same texts as a plain one.

    Raises:
        ValueError: no such technique; `batch` is no multiple of 4, or below that.
    """
    if trick not in TRICKS:
        raise ValueError(f"unknown trick {trick!r}; there are {', '.join(TRICKS)}")
    if batch < PARTS or batch % PARTS:
        raise ValueError(f"a step's texts are cut into {PARTS}: give a multiple of that, not {batch}")
    options = {"mixed_precision": "no", "token_budget": None, "length_buckets": False, **TRICKS[trick]}
    return replace(distillation.SETTINGS, batch_size=batch // options.get("accumulation", 1), **options)


def full_batch(backbone: Backbone, texts: int, tokens: int) -> dict[str, Tensor]:
    """A batch of `TextTargets` without padding; all tokens are equal, since memory depends on shapes alone.

    Raises:
        ValueError: no text; `tokens` not from 1 to what the model takes.
    """
    if texts < 1 or not 1 <= tokens <= backbone.max_tokens:
        raise ValueError(
            f"texts ≥ 1 of 1 to {backbone.max_tokens} tokens are needed, got {texts} of {tokens}"
        )
    ids = torch.zeros(texts, tokens, dtype=torch.int64)  # the one token that every stage's table has
    targets = torch.full((texts, backbone.width), backbone.width**-0.5)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "targets": targets}


def _held(backbone: Backbone, settings: TrainingSettings, tokens: int) -> dict[str, int]:
    batch = full_batch(backbone, settings.batch_size, tokens)
    peak = peak_memory(backbone, regression_loss, [batch] * settings.accumulation, settings)
    return {**training_memory(backbone, regression_loss, batch, settings), "peak": peak}


def _parts(samples: TextTargets, settings: TrainingSettings) -> list[dict[str, Tensor]]:
    """The first texts as the micro-batches of one step."""
    rows = np.arange(min(len(samples), settings.batch_size * settings.accumulation))
    return [samples.collate(part) for part in np.array_split(rows, settings.accumulation)]
