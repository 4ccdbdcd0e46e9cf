"""The tasks that tuning methods are compared on (next purchase, labelled texts), with one interface."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd

from recsys.data.families import LABELLED
from recsys.data.sources import all_sources
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.models.labelled import task as labelled_task
from recsys.models.labelled.task import LabelledTask
from recsys.models.labelled.text_classifier import TaskCache, TextClassifier
from recsys.models.next_item.data import NextItemData, load_next_item
from recsys.models.next_item.evaluation import fewer_users, with_known_history, with_training_history
from recsys.models.next_item.text_recommender import ITEM_TOKENS, Reading, TextRecommender
from recsys.models.tuning_method import Tuning
from recsys.training.samples import Samples
from recsys.training.settings import TrainingSettings

Judged = tuple[dict[str, float], pd.DataFrame | None]


class TunedTask(Protocol):
    """Interface of a task.

    Attributes:
        primary: the metric that validation chooses by; higher is better.
        head_rate: learning rate of the head, the same for every method; where only the head is trained, the
            first rate of the search.
    """

    primary: str
    head_rate: float

    def fit(self, tuning: Tuning, settings: TrainingSettings, progress: bool = False) -> Any:
        """A trained model, with attributes network, counts, result, settings, loss."""

    def judge(self, model: Any, part: str) -> Judged:
        """Metrics on "validation" or "test", and rank positions for paired tests where there are any."""

    def samples(self, model: Any) -> Samples:
        """The samples that the model was trained on."""


@dataclass
class Labelled:
    """A labelled task. backbone, layers: see `recsys.encoders.backbone.load_backbone`."""

    task: LabelledTask
    backbone: str = "minilm"
    layers: int | None = None
    head_rate: float = 5e-3  # in 48 steps better than 1e-3 on banking77's validation, for every method tried
    shared: dict[int, TaskCache] = field(default_factory=dict, repr=False)  # by seed

    @property
    def primary(self) -> str:
        return self.task.primary

    def fit(self, tuning: Tuning, settings: TrainingSettings, progress: bool = False) -> TextClassifier:
        settings = replace(settings, head_learning_rate=self.head_rate)
        shared = self.shared.setdefault(settings.seed, TaskCache())
        model = TextClassifier(
            self.task, tuning, self.backbone, self.layers, settings=settings, shared=shared
        )
        return model.fit(progress=progress)

    def judge(self, model: TextClassifier, part: str) -> Judged:
        texts = getattr(self.task, part)
        judged = self.task, texts, model.outputs(texts)
        return labelled_task.judge(*judged), labelled_task.positions(*judged)

    def samples(self, model: TextClassifier) -> Samples:
        return model.samples


@dataclass
class NextItem:
    """Next purchase by the text-only recommender. judged, tested: users of validation, test; 0: all."""

    data: NextItemData
    backbone: str = "minilm"
    layers: int | None = None
    reading: Reading = field(default_factory=Reading)
    most_per_user: int | None = 2
    judged: int = 0
    tested: int = 0
    head_rate: float = 1e-3  # of the map of titles, which starts as the identity
    primary: str = "ndcg@10"

    @cached_property
    def item_vectors(self) -> np.ndarray:
        """[M, D] the untuned encoder's vectors of the titles: the start of w_i for every method."""
        backbone = load_backbone(self.backbone, layers=self.layers)
        return embed_texts(backbone, self.data.required_titles(), max_tokens=ITEM_TOKENS)

    def fit(self, tuning: Tuning, settings: TrainingSettings, progress: bool = False) -> TextRecommender:
        model = TextRecommender(
            self.data.required_titles(),
            backbone=self.backbone,
            layers=self.layers,
            tuning=tuning,
            reading=self.reading,
            most_per_user=self.most_per_user,
            settings=tuning.settings(replace(settings, head_learning_rate=self.head_rate)),
            item_vectors=self.item_vectors,
        )
        split = self.data.split
        return model.fit(self.data.train, split.n_users, split.n_items, progress=progress)

    def judge(self, model: TextRecommender, part: str) -> Judged:
        asked = (
            with_known_history(model, self.data)
            if part == "test"
            else with_training_history(model, self.data)
        )
        most = self.tested if part == "test" else self.judged
        split = fewer_users(self.data.split, most) if most else self.data.split
        positions = evaluate(asked, split, part)
        return ranking_metrics(positions)[0], positions

    def samples(self, model: TextRecommender) -> Samples:
        return model.samples(model.known)


def load_tuned_task(
    dataset: str,
    backbone: str = "minilm",
    layers: int = 0,
    train_share: float = 1.0,
    judged: int = 0,
    tested: int = 0,
    head_rate: float = 0.0,
    reading: Reading | None = None,
    seed: int = 0,
) -> TunedTask:
    """Load the task of a data set: its labels where it has them, else the next purchase.

    Args:
        dataset: labelled texts (banking77, womens_clothing, home_depot, chinese_reviews, atec) or a shop with
            titles (demo_store, beauty, online_retail).
        backbone: name for `recsys.encoders.backbone.load_backbone`.
        layers: how many layers of the backbone are kept; 0 keeps all.
        train_share: share of the training rows or users that are used, in (0, 1].
        judged, tested: rows, queries or users of validation and of test; 0: all.
        head_rate: learning rate of the head; 0: the task's default, chosen for about fifty steps.
        reading: how a history becomes a text, in a next-item task; None: its newest title, 32 tokens.
        seed: of the choice of users for a train_share below 1.

    Raises:
        ValueError: a head_rate below 0; ValueError, RegistryError, DataUnavailable: of the loaders.

    Example:
        >>> task = load_tuned_task("banking77", backbone="random-bert", train_share=0.1, judged=100)
        >>> task.primary
        'accuracy'
    """
    if head_rate < 0:
        raise ValueError(f"head_rate must be at least 0, got {head_rate}")
    kept = layers or None
    source = all_sources().get(dataset)
    if source is not None and source.family in LABELLED:
        task = labelled_task.load_task(dataset, train_share, judged, tested)
        return Labelled(task, backbone, kept, head_rate or Labelled.head_rate)
    reading = Reading(max_items=1, max_tokens=32) if reading is None else reading
    data = load_next_item(dataset, train_share, seed)
    rate = head_rate or NextItem.head_rate
    return NextItem(data, backbone, kept, reading, judged=judged, tested=tested, head_rate=rate)
