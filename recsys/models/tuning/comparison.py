"""Compares tuning methods on equal terms: the same task, steps, and search for a learning rate.

A run of the comparison is one method, one task, one seed: it tries a few learning rates for a part of the
steps, starting with the method's usual one and moving in the direction in which validation improves, trains
from the start with the best, and is evaluated on test. So the spread over seeds includes the search's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from recsys.baselines.tfidf_linear import STRENGTHS, TfidfLinear
from recsys.encoders.backbone import Backbone
from recsys.encoders.peft.registry import usual_rate
from recsys.models.labelled.task import Part
from recsys.models.tuning.task import Labelled, TunedTask
from recsys.models.tuning_method import Tuning, tuning
from recsys.training.memory import training_memory
from recsys.training.optimisers import BACKBONE
from recsys.training.settings import TrainingSettings

WORDS = "tfidf"  # the baseline without an encoder
HALF_DECADE = 10**0.5  # between two rates of the search
MEASURED_SAMPLES = 32  # of the step whose memory is counted


@dataclass(frozen=True)
class Learnt:
    """A tuned model and the search for its learning rate.

    Attributes:
        model: the trained model.
        rates: a row per trial: learning_rate (for WORDS: strength), metric (the primary one, on validation),
            seconds.
        settings: of the final training; None for WORDS.
    """

    model: Any
    rates: pd.DataFrame
    settings: TrainingSettings | None = None

    @property
    def backbone(self) -> Backbone | None:
        """The backbone with the method applied and trained; None for WORDS."""
        return None if self.settings is None else self.model.network.backbone


class Words:
    """The TF-IDF baseline with the interface of a trained classifier."""

    def __init__(self, model: TfidfLinear):
        self.model = model

    def outputs(self, part: Part) -> np.ndarray:
        """[N, C], see `TfidfLinear.outputs`."""
        return self.model.outputs(part.texts, part.pairs)


def learn_words(task: TunedTask) -> Learnt:
    """TF-IDF with a linear model; its penalty is searched as the methods search their learning rate.

    Raises:
        ValueError: a task without labels.
    """
    if not isinstance(task, Labelled):
        raise ValueError(f"{WORDS} needs texts with labels; for next purchases notebook 02 has the baselines")
    part, tried, best = task.task.train, [], None
    for strength in STRENGTHS:
        start = perf_counter()
        model = Words(TfidfLinear(strength, len(task.task.labels)).fit(part.texts, part.labels, part.pairs))
        metric = task.judge(model, "validation")[0][task.primary]
        if best is None or metric > max(row[1] for row in tried):
            best = model
        tried.append((strength, metric, perf_counter() - start))
    return Learnt(best, pd.DataFrame(tried, columns=["strength", "metric", "seconds"]))


def learn_by_name(
    task: TunedTask,
    method: str,
    settings: TrainingSettings,
    *,
    rank: int = 0,
    places: str = "",
    learning_rate: float = 0.0,
    rates_tried: int = 3,
    search_share: float = 0.25,
    progress: bool = False,
) -> Learnt:
    """Search the learning rate and train by a method's name: `learn`, or `learn_words` for WORDS.

    Args:
        task: from `recsys.models.tuning.task.load_tuned_task`.
        method: of `recsys.encoders.peft.registry.METHODS`, "last-K", or WORDS. rank, places: see `tuning`.
        settings: of the final training.
        learning_rate: 0 searches, in `rates_tried` trials from the method's usual rate, see `next_place`.
        search_share, progress: see `learn`.

    Raises:
        ValueError: a parameter that WORDS does not take; see `tuning` and `learn`.
    """
    if method == WORDS:
        if rank or places or learning_rate:
            raise ValueError(f"{WORDS} has no rank, no places and no learning_rate: leave them alone")
        return learn_words(task)
    chosen = tuning(method, rank, places)
    first = usual_rate(method) if chosen.learns_backbone else task.head_rate
    tries = 1 if learning_rate else rates_tried
    return learn(task, chosen, settings, learning_rate or first, tries, search_share, progress)


def rate_at(first: float, place: int) -> float:
    """The learning rate `place` half decades (factors of √10) above the first; three significant digits.

    Example:
        >>> rate_at(1e-3, 1)
        0.00316
    """
    return float(f"{first * HALF_DECADE**place:.3g}")


def next_place(found: Mapping[int, float]) -> int:
    """Next place (half decades from the first rate) to try: beside the best one so far, up before down.

    So three trials reach a decade up or half a decade down. Of two equal places the higher counts as better,
    because a rate that is too low does not change the metric.

    Args:
        found: the metric by place, higher is better; places are consecutive.

    Example:
        >>> next_place({0: 0.50, 1: 0.60})
        2
    """
    best = best_place(found)
    return best + 1 if best + 1 not in found else min(found) - 1


def best_place(found: Mapping[int, float]) -> int:
    """The place with the best metric; of equal ones the highest rate."""
    return max(found, key=lambda place: (found[place], place))


def learn(
    task: TunedTask,
    chosen: Tuning,
    settings: TrainingSettings,
    first: float | None = None,
    tries: int = 3,
    search_share: float = 0.25,
    progress: bool = False,
) -> Learnt:
    """Search the learning rate, then train.

    Args:
        task: from `recsys.models.tuning.task.load_tuned_task`.
        chosen: how the backbone is tuned.
        settings: of the final training; their learning rate is not used.
        first: rate to try first; None: the method's usual one.
        tries: number of rates tried, see `next_place`; 1 takes `first` without a search.
        search_share: share of the steps that each rate is tried for, in (0, 1].
        progress: show progress bars.

    Raises:
        ValueError: search_share out of range, tries below 1, a rate that is not positive; errors of the
            model's `fit`.
    """
    first = usual_rate(chosen.method) if first is None else first
    if first <= 0 or tries < 1:
        raise ValueError(f"a search needs a rate above 0 and at least one try, got {first} and {tries}")
    if not 0 < search_share <= 1:
        raise ValueError(f"search_share must be in (0, 1], got {search_share}")
    brief, place = shortened(settings, search_share), 0
    found: dict[int, float] = {}
    tried = []
    for _ in tqdm(range(tries if tries > 1 else 0), f"rates of {chosen.method}", disable=not progress):
        start = perf_counter()
        model = task.fit(chosen, replace(brief, learning_rate=rate_at(first, place)))
        found[place] = task.judge(model, "validation")[0][task.primary]
        tried.append((rate_at(first, place), found[place], perf_counter() - start))
        place = next_place(found)
    table = pd.DataFrame(tried, columns=["learning_rate", "metric", "seconds"])
    settings = replace(settings, learning_rate=rate_at(first, best_place(found) if found else 0))
    return Learnt(task.fit(chosen, settings, progress=progress), table, settings)


def shortened(settings: TrainingSettings, share: float) -> TrainingSettings:
    """The settings for a share of the steps, rounded up."""
    if settings.max_steps is None:
        return replace(settings, epochs=share * settings.epochs)
    return replace(settings, max_steps=max(1, int(np.ceil(share * settings.max_steps - 1e-9))))


def costs(task: TunedTask, learnt: Learnt) -> dict[str, float]:
    """Costs of a method without the head, which all methods have; for WORDS search_seconds only.

    Returns:
        trainable_parameters (of the backbone and its adapter), trainable_share (of all theirs),
        head_parameters, chosen_rate, search_seconds, train_seconds, step_seconds (median), tokens_per_second,
        and memory_… in bytes of one step on 32 training samples, see `recsys.training.memory`; memory_step is
        their sum. (Bytes on disk: `recsys.models.tuning.adapter_storage`.)
    """
    if learnt.settings is None:
        return {"search_seconds": float(learnt.rates["seconds"].sum())}
    model, counts = learnt.model, learnt.model.counts
    named = model.network.named_parameters()
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
        "step_seconds": model.result.step_seconds,
        "tokens_per_second": model.result.tokens_per_second,
        **{f"memory_{kind}": float(size) for kind, size in memory.items()},
        "memory_step": float(sum(memory.values())),
    }
