"""Base class of trained next-item models: fitting with early stopping on validation, scoring the catalogue.

The score is x_u · w_i (000 §4.2): a subclass defines x_u and w_i and the loss that they are trained with.

B: users in a batch. M: items in the catalogue. d: width.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from recsys.data.histories import Histories, histories
from recsys.data.splits import evenly
from recsys.losses.clicks import click_pairs
from recsys.losses.softmax import softmax_cross_entropy
from recsys.metrics.ranking import evaluate, new_targets, ranking_metrics
from recsys.training.loop import OnStep, train
from recsys.training.result import TrainingResult
from recsys.training.samples import Samples
from recsys.training.settings import TrainingSettings

METRIC = "ndcg@10"


class NextItemRecommender(ABC):
    """Base class of models that are trained on histories by the training loop.

    Args:
        settings: of training.
        judged_users: how many users of the validation part are evaluated during training, ≥ 1; the choice
            depends on the user codes alone.

    Raises:
        ValueError: judged_users below 1.

    Attributes:
        result: how training went (`TrainingResult`), after `fit`.
        network: the trained module, after `fit`.
        on_judged: called with the metric of each evaluation during training; an exception that it raises
            ends the training.
    """

    on_judged: Callable[[float], None] | None = None

    def __init__(self, settings: TrainingSettings, judged_users: int = 5000):
        if judged_users < 1:
            raise ValueError(f"judged_users must be at least 1, got {judged_users}")
        self.settings = settings
        self.judged_users = judged_users

    @abstractmethod
    def build(self, n_items: int) -> nn.Module:
        """The module to train, with a method `item_vectors()` -> [M, d]."""

    @abstractmethod
    def samples(self, known: Histories) -> Samples:
        """The training samples made from the histories."""

    @abstractmethod
    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        """Sum of the loss over the batch, and its number of samples; see `recsys.training.loop.train`."""

    @abstractmethod
    def user_vectors(self, users: np.ndarray) -> Tensor:
        """[B] codes of users with a history -> [B, d] float32, from `self.network` and `self.known`."""

    def prepare(self, samples: Samples) -> OnStep | None:
        """Hook between making the samples and training, which may change `self.network`.

        Returns a function to be called at every step (`on_step` of `recsys.training.loop.train`), or None.
        """
        return None

    def fit(
        self,
        train_events: pd.DataFrame,
        n_users: int,
        n_items: int,
        split=None,
        folder: Path | None = None,
        progress: bool = False,
    ) -> NextItemRecommender:
        """Train on events (columns user, item, order or time). Returns itself.

        Args:
            split: evaluate on its validation part after each epoch (`TrainingSettings.evaluate_every`), keep
                the best weights and stop when they no longer improve. None trains to the end.
            folder: for checkpoints; an interrupted run resumes from there.
            progress: show a progress bar.

        Raises:
            ValueError: a code outside 0 … n_users − 1 or 0 … n_items − 1; no user has two events; no
                evaluated user has a validation event to be ranked; see `recsys.training.loop.train` too.
        """
        self.known = histories(train_events, n_users)
        _check_items(self.known.items, n_items)
        self.popularity = np.bincount(train_events["item"], minlength=n_items).astype(np.float32)
        torch.manual_seed(self.settings.seed)
        self.network = self.build(n_items)
        samples = self.samples(self.known)
        if not len(samples):
            raise ValueError("nothing to train on: no user has two events")
        self.result: TrainingResult = train(
            self.network,
            samples,
            self.loss,
            self.settings,
            evaluate=None if split is None else self._judge(split),
            on_step=self.prepare(samples),
            folder=folder,
            task=self._task(),
            progress=progress,
        )
        self._store_item_vectors()
        return self

    def _task(self) -> str:
        """Class and options as text, so that a folder's checkpoint is not taken for another model's."""
        plain = (bool, int, float, str, dict, type(None))
        options = {name: value for name, value in vars(self).items() if isinstance(value, plain)}
        return f"{type(self).__name__} {sorted(options.items())}"

    def _judge(self, split):
        chosen = evenly(split.validation["user"], self.judged_users)
        part = split.validation[split.validation["user"].isin(chosen)]
        reduced = replace(split, validation=part)
        if new_targets(reduced, "validation").empty:  # said now, not after the first epoch
            raise ValueError("nothing to judge by: no validation user has an item that is new to them")

        # every user is evaluated with their own history, also users who were not trained on
        asked = self.with_history(split.train)

        def judge(network: nn.Module) -> float:
            self._store_item_vectors()
            asked.items = self.items
            value = ranking_metrics(evaluate(asked, reduced, "validation"))[0][METRIC]
            if self.on_judged:
                self.on_judged(value)
            return value

        return judge

    @torch.inference_mode()
    def _store_item_vectors(self) -> None:
        """Compute the item vectors once, because scoring reads them for every batch of users."""
        self.network.eval()
        self.items = self.network.item_vectors().float()

    def with_history(self, events: pd.DataFrame) -> NextItemRecommender:
        """A copy that scores users with these histories (train and validation, say), weights unchanged."""
        other = copy.copy(self)
        other.known = histories(events, self.known.n_users)
        _check_items(other.known.items, len(self.popularity))
        return other

    @torch.inference_mode()
    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32. Users without a history get training popularity."""
        users = self.known.checked(users)
        scores = np.empty((len(users), len(self.popularity)), dtype=np.float32)
        known = self.known.lengths[users] > 0
        scores[~known] = self.popularity
        if known.any():
            scores[known] = (self.user_vectors(users[known]) @ self.items.t()).cpu().numpy()
        return scores


def _check_items(items: np.ndarray, n_items: int) -> None:
    if len(items) and not 0 <= items.min() <= items.max() < n_items:
        raise ValueError(f"events hold items {items.min()} to {items.max()}, but there are {n_items} items")


def catalogue_cross_entropy(user_vectors: Tensor, item_vectors: Tensor, target: Tensor) -> tuple[Tensor, int]:
    """Softmax cross-entropy over all items, summed over the samples, and their number B.

    Args:
        user_vectors: [B, d]. item_vectors: [M, d]. target: [B] item codes.
    """
    users = torch.arange(len(target), device=target.device)  # the loss wants all on one device
    clicks = click_pairs(users, target, len(target), len(item_vectors))
    mean = softmax_cross_entropy(user_vectors.float(), item_vectors.float(), clicks)
    return mean * len(target), len(target)
