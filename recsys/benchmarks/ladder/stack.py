"""One stack of the ladder: built from what training may see, then asked about histories of any freshness.

B: histories of a block. M: items. S: scorers that are fused; one where nothing is.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys.benchmarks.ladder.item_vectors import ItemSide, item_side
from recsys.ensembling.budget import BUDGET, Budget
from recsys.ensembling.candidate_lists import candidate_lists, union
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.fusion import fit as fit_fusion
from recsys.ensembling.score_fusion import convex, normalise
from recsys.metrics.ranking import earlier_events, mask_seen, new_targets
from recsys.models.next_item import comparison
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.evaluation import with_training_history
from recsys.models.next_item.model_settings import ModelSettings
from recsys.models.next_item.search import fit_trained
from recsys.models.next_item.title_sequence import SETTINGS, TitleSequence
from recsys.models.next_item.zero_shot import ZeroShot

BLOCK = 256
PARTNERS = ("ease", "item_knn")  # of the fusion; with titles their cosine too


@dataclass(frozen=True)
class Choice:
    """What a stack is built with, beside its steps.

    settings: of the sequence model (seed, training, options). trials: settings that the step "tuning" tries,
    the default first. pairs: of titles that "fine_tuned" learns from. variant: of
    `recsys.speed.variants.VARIANTS`, for "optimised_graph". budget: of the fusion's weights.
    """

    settings: ModelSettings
    trials: int = 4
    pairs: int = 3000
    variant: str = "packed-int8"
    budget: Budget = BUDGET


@dataclass(frozen=True)
class Stack:
    """steps. scorers: by name. weights: [S], sum 1. item_side: what items are described by. seconds:
    processor time of building, by part. trials: of the tuning, None without it."""

    steps: tuple[str, ...]
    scorers: dict[str, Any]
    weights: np.ndarray
    item_side: ItemSide
    seconds: dict[str, float] = field(default_factory=dict)
    trials: pd.DataFrame | None = None

    @property
    def state(self) -> str:
        """Of users: "moment" with the step "stream_state", else "training"."""
        return "moment" if "stream_state" in self.steps else "training"

    def score(self, histories: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
        """Scores of the whole catalogue for some histories.

        Fused scores are z-scores by mean and standard deviation over the products outside a row's history,
        as those are that the weights were chosen for: a member's high scores of what a user has already
        would make its scores of all else small, the more so the longer the history.

        Args:
            histories: columns user (the row), item, order.
            rows: [B] ascending and next to each other, B at most `BLOCK`.

        Returns:
            [B, M].
        """
        own = histories[histories["user"].between(rows[0], rows[-1])]
        own = own.assign(user=own["user"] - rows[0])
        places = np.arange(len(rows))
        scores = [asked_with(model, own).score(places) for model in self.scorers.values()]
        if len(scores) == 1:
            return scores[0]
        return convex([_z_scores(one, places, own) for one in scores], self.weights, "none")


def _z_scores(scores: np.ndarray, places: np.ndarray, history: pd.DataFrame) -> np.ndarray:
    new = np.isfinite(mask_seen(scores, places, history))
    mean, spread = (of(scores, axis=1, where=new, dtype=np.float64) for of in (np.mean, np.std))
    return normalise(scores, "z_score", mean, spread)


def asked_with(model: Any, histories: pd.DataFrame) -> Any:
    """A fitted model, asked about these histories in the place of its users'."""
    return model.with_history(histories) if hasattr(model, "with_history") else model


def blocks(rows: int, size: int = BLOCK) -> Iterator[np.ndarray]:
    """0 … rows − 1 in pieces."""
    for start in range(0, rows, size):
        yield np.arange(start, min(start + size, rows))


def build(steps: Sequence[str], data: NextItemData, choice: Choice) -> Stack:
    """Build the stack of these steps; validation chooses, the test part is not looked at.

    Args:
        steps: from `recsys.benchmarks.ladder.steps.parse`.
        data: made ready.

    Raises:
        EnsembleError: a step that the data set cannot carry.
    """
    clock = _Clock()
    side = item_side(steps, data, choice.settings, choice.pairs, choice.variant)
    clock("items")
    clock.parts["items"] = side.seconds  # also where an earlier run made its titles
    asked = replace(choice.settings, trained_trials=choice.trials if "tuning" in steps else 1)

    def make(given: NextItemData, settings: ModelSettings) -> TitleSequence:
        return TitleSequence(side.vectors, **settings.arguments(SETTINGS))

    sequence, trials = fit_trained("title_sequence", make, data, asked)
    clock("sequence")
    scorers, weights = {"sequence": sequence}, np.ones(1)
    if "fusion" in steps:
        scorers |= _partners(data, choice.settings, side)
        weights = _weights(scorers, data, choice.budget)
        clock("fusion")
    return Stack(tuple(steps), scorers, weights, side, clock.parts, trials)


def _partners(data: NextItemData, settings: ModelSettings, side: ItemSide) -> dict[str, Any]:
    plain = replace(settings, settings={}, options={})  # what a run changes is for the trained model alone
    found = {name: comparison.fit(name, data, plain).model for name in PARTNERS}
    if side.titles.vectors is not None:
        found["cosine"] = ZeroShot(side.titles.vectors).fit(
            data.train, data.split.n_users, data.split.n_items
        )
    return found


def _weights(scorers: dict[str, Any], data: NextItemData, budget: Budget) -> np.ndarray:
    """[S] weights of z-scores with the best NDCG@10 of validation."""
    seen, wanted = earlier_events(data.split, "validation"), new_targets(data.split, "validation")
    if wanted.empty:
        raise EnsembleError(f"{data.dataset.name}: no validation user to choose the fusion's weights by")
    users = wanted["user"].unique()
    lists = [
        candidate_lists(name, with_training_history(model, data), users, seen)
        for name, model in scorers.items()
    ]
    return fit_fusion("convex", union(lists), wanted, budget).weights


class _Clock:
    """Processor seconds since the last call, by part."""

    def __init__(self):
        self.parts: dict[str, float] = {}
        self.last = time.process_time()

    def __call__(self, part: str) -> None:
        now = time.process_time()
        self.parts[part] = now - self.last
        self.last = now


def stored_bytes(stack: Stack) -> int:
    """Bytes that have to be at hand to answer: parameters, item vectors, matrices, and the title encoder."""
    return stack.item_side.titles.encoder_bytes + sum(_bytes_of(model) for model in stack.scorers.values())


def _bytes_of(model: Any) -> int:
    inner = getattr(model, "model", model)  # popularity for new users wraps the model itself
    if hasattr(inner, "network"):
        tensors = {**dict(inner.network.named_parameters()), "items": inner.items}
        return int(sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()))
    total = 0
    for value in vars(copy.copy(inner)).values():
        if isinstance(value, np.ndarray):
            total += value.nbytes
        elif hasattr(value, "indptr") and value.shape[0] == value.shape[1]:  # users' histories are no model
            total += value.data.nbytes + value.indices.nbytes + value.indptr.nbytes
    return total
