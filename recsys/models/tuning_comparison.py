"""Methods of tuning on the same footing: the same task, the same steps, the same search for a learning rate.

A cell of the comparison is one method, one task, one seed: it tries a few rates around the method's usual
one for a part of the steps, takes the best on validation, trains with it from the start, and is judged on
test. So the spread over seeds holds the luck of the search too.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from recsys.encoders.adapter_files import save_adapter
from recsys.encoders.peft_methods import usual_rate
from recsys.models.tuned_task import TunedTask
from recsys.models.tuning import Tuning
from recsys.training.memory import training_memory
from recsys.training.optimisers import BACKBONE
from recsys.training.settings import TrainingSettings

HALF_DECADE = 10**0.5  # between two rates of the search
MEASURED_SAMPLES = 32  # of the step whose memory is counted


@dataclass(frozen=True)
class Learnt:
    """model: the trained one. rates: one row a rate tried: learning_rate, metric (the task's primary one on
    validation), seconds. settings: those of the training that counts."""

    model: Any
    rates: pd.DataFrame
    settings: TrainingSettings


def rates_around(middle: float, number: int) -> list[float]:
    """So many rates, half a decade apart, around a middle one; three significant digits.

    Raises:
        ValueError: number below 1.
    """
    if number < 1:
        raise ValueError(f"number must be at least 1, got {number}")
    places = np.arange(number) - (number - 1) // 2
    return [float(f"{middle * HALF_DECADE**place:.3g}") for place in places]


def learn(
    task: TunedTask,
    tuning: Tuning,
    settings: TrainingSettings,
    rates: list[float] | None = None,
    search_share: float = 1 / 3,
    progress: bool = False,
) -> Learnt:
    """Search the learning rate, then train.

    Args:
        settings: of the training that counts; their own learning rate is not looked at.
        rates: to try; None: three around the method's usual one. A single one is taken unseen.
        search_share: of the steps that each rate is tried for, in (0, 1].
        progress: draw bars.

    Raises:
        ValueError: no rate; search_share out of range; what the model's `fit` raises.
    """
    rates = rates_around(usual_rate(tuning.method), 3) if rates is None else list(rates)
    if not rates:
        raise ValueError("rates must hold at least one learning rate")
    if not 0 < search_share <= 1:
        raise ValueError(f"search_share must be in (0, 1], got {search_share}")
    tried = []
    if len(rates) > 1:
        brief = shortened(settings, search_share)
        for rate in tqdm(rates, desc=f"rates of {tuning.method}", unit="rate", disable=not progress):
            start = perf_counter()
            model = task.fit(tuning, replace(brief, learning_rate=rate))
            metric = task.judge(model, "validation")[0][task.primary]
            tried.append((rate, metric, perf_counter() - start))
    table = pd.DataFrame(tried, columns=["learning_rate", "metric", "seconds"])
    best = float(table.loc[table["metric"].idxmax(), "learning_rate"]) if tried else rates[0]
    settings = replace(settings, learning_rate=best)
    return Learnt(task.fit(tuning, settings, progress=progress), table, settings)


def shortened(settings: TrainingSettings, share: float) -> TrainingSettings:
    """The settings for a share of the steps, rounded up."""
    if settings.max_steps is None:
        return replace(settings, epochs=share * settings.epochs)
    return replace(settings, max_steps=max(1, int(np.ceil(share * settings.max_steps - 1e-9))))


def costs(task: TunedTask, learnt: Learnt) -> dict[str, float]:
    """What a method costs beside the head, which all have.

    Returns:
        trainable_parameters (of the backbone and its adapter), trainable_share (of all theirs),
        head_parameters, chosen_rate, search_seconds, train_seconds, step_seconds (median), tokens_per_second,
        bytes_on_disk (what a further task adds to a shared backbone, its head left out), and memory_… in
        bytes of one step on 32 samples of the training part, see `recsys.training.memory`.
    """
    model, counts = learnt.model, learnt.model.counts
    named, history = model.network.named_parameters(), model.result.history
    with tempfile.TemporaryDirectory() as folder:
        bytes_on_disk = save_adapter(model.network.backbone, folder)
    samples = task.samples(model)
    batch = samples.collate(np.arange(min(MEASURED_SAMPLES, len(samples))))
    memory = training_memory(model.network, model.loss, batch, model.settings)
    return {
        "trainable_parameters": float(counts["trainable"]),
        "trainable_share": counts["trainable"] / counts["total"],
        "head_parameters": float(sum(p.numel() for n, p in named if not n.startswith(BACKBONE))),
        "chosen_rate": learnt.settings.learning_rate,
        "search_seconds": float(learnt.rates["seconds"].sum()),
        "train_seconds": model.result.seconds,
        "step_seconds": float(history["seconds"].diff().fillna(history["seconds"]).median()),
        "tokens_per_second": model.result.tokens_per_second,
        "bytes_on_disk": float(bytes_on_disk),
        **{f"memory_{kind}": float(size) for kind, size in memory.items()},
    }
