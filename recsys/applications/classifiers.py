"""Labelled texts classified by a method's name: trivial, words, nearest neighbour, or a tuned encoder.

N: texts. C: classes. D: width of the encoder. n: answered texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.models.labelled.task import LabelledTask, Part, judge
from recsys.models.labelled.text_classifier import SETTINGS, TextClassifier
from recsys.models.tuning.comparison import learn_by_name
from recsys.models.tuning.task import Labelled, load_tuned_task
from recsys.models.tuning_method import FULL, Tuning
from recsys.training.settings import TrainingSettings

TRIVIAL, NEAREST = "trivial", "zero_shot"  # the methods that learn nothing
SHARPNESS = 20.0  # of cosines in a softmax: they lie in [-1, 1]
COMPARED_AT_ONCE = 512  # texts whose cosines with all answered ones are in memory together
SHOP_SETTINGS = TrainingSettings(
    epochs=1, learning_rate=5e-5, schedule="linear", warmup_share=0.1, weight_decay=0.01, token_budget=1024,
    mixed_precision="bf16",
)  # fmt: skip


@dataclass(frozen=True)
class Learning:
    """How a method learns, where it does.

    backbone: see `load_backbone`. epochs, max_steps (0: no limit), token_budget: of the training that counts.
    rates_tried, search_share: of the search for its learning rate, see
    `recsys.models.tuning.comparison.learn`; learning_rate: given, nothing is searched. start: of the
    encoder, "pretrained" or the name of a shop whose next purchases it has been tuned to foresee, in
    `start_steps` steps.
    """

    method: str = "lora"
    backbone: str = "minilm"
    epochs: float = 3.0
    max_steps: int = 0
    token_budget: int = 1024
    rates_tried: int = 3
    search_share: float = 0.25
    learning_rate: float = 0.0
    start: str = "pretrained"
    start_steps: int = 200
    seed: int = 0

    @property
    def learns(self) -> bool:
        """Whether an encoder is trained."""
        return self.method not in (TRIVIAL, NEAREST, "tfidf")


@dataclass(frozen=True)
class Solved:
    """model: `outputs(part)` -> [N, C] logits. encoder: what reads the texts, tuned or not; None of words.

    rates: of the search, empty where nothing was searched.
    """

    task: LabelledTask
    model: Any
    encoder: Backbone | None = None
    rates: pd.DataFrame = field(default_factory=pd.DataFrame)

    def outputs(self, part: Part) -> np.ndarray:
        """[N, C] logits of a part's texts."""
        return self.model.outputs(part)

    def read(self, texts: Sequence[str]) -> np.ndarray:
        """[N, C] logits of texts without labels."""
        return self.outputs(Part(list(texts), np.zeros(len(texts), dtype=np.int64), None, None))

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """[N, D] unit-length vectors. Raises ValueError where there is no encoder."""
        if self.encoder is None:
            raise ValueError("words have no vectors: choose a method with an encoder")
        return embed_texts(self.encoder, texts, max_tokens=self.task.max_tokens)


class Commonest:
    """The classes by how frequent they are in training, whatever the text."""

    def __init__(self, task: LabelledTask):
        counts = np.bincount(task.train.labels, minlength=len(task.labels))
        self.logits = np.log((counts + 0.5) / (counts + 0.5).sum()).astype(np.float32)

    def outputs(self, part: Part) -> np.ndarray:
        return np.tile(self.logits, (len(part), 1))


class Nearest:
    """A class by its answered text that lies nearest: a new class needs an answered text and no training.

    Args:
        answered: n texts with their classes. classes: C.
    """

    def __init__(self, encoder: Backbone, answered: Part, classes: int, max_tokens: int):
        self.encoder, self.classes, self.max_tokens = encoder, classes, max_tokens
        self.order = np.argsort(answered.labels, kind="stable")
        self.labels = answered.labels[self.order]
        self.known = embed_texts(encoder, [answered.texts[row] for row in self.order], max_tokens=max_tokens)

    def outputs(self, part: Part) -> np.ndarray:
        """[N, C] SHARPNESS times the cosine with the nearest of each class; −SHARPNESS of one without."""
        vectors = embed_texts(self.encoder, part.texts, max_tokens=self.max_tokens)
        seen, starts = np.unique(self.labels, return_index=True)
        found = np.full((len(part), self.classes), -SHARPNESS, dtype=np.float32)
        for first in range(0, len(part), COMPARED_AT_ONCE):
            cosines = vectors[first : first + COMPARED_AT_ONCE] @ self.known.T
            found[first : first + len(cosines), seen] = SHARPNESS * np.maximum.reduceat(
                cosines, starts, axis=1
            )
        return found


class StartedClassifier(TextClassifier):
    """A classifier whose encoder starts from given weights instead of the published ones."""

    start: dict[str, Tensor]

    def _network(self, backbone: Backbone):
        backbone.model.load_state_dict(self.start)
        return super()._network(backbone)


@dataclass
class Started(Labelled):
    """A labelled task with encoder weights to start from, or None for those of the backbone's name."""

    weights: dict[str, Tensor] | None = None

    def fit(self, tuning: Tuning, settings: TrainingSettings, progress: bool = False) -> TextClassifier:
        if self.weights is None:
            return super().fit(tuning, settings, progress)
        settings = replace(settings, head_learning_rate=self.head_rate)
        model = StartedClassifier(self.task, tuning, self.backbone, self.layers, settings=settings)
        model.start = self.weights
        return model.fit(progress=progress)


def shop_weights(shop: str, backbone: str, steps: int, seed: int) -> dict[str, Tensor]:
    """Weights of an encoder tuned, all of it, to foresee a shop's next purchases from titles.

    Args:
        shop: demo_store, beauty, or another log with titles.
        steps: of training, at least 1.

    Raises:
        ValueError: no step, a shop without titles. RegistryError, DataUnavailable: of the loader.
    """
    if steps < 1:
        raise ValueError(f"an encoder that starts from {shop} needs at least one step, got {steps}")
    task = load_tuned_task(shop, backbone, seed=seed)
    model = task.fit(FULL, replace(SHOP_SETTINGS, epochs=1000.0, max_steps=steps, seed=seed))
    weights = model.network.backbone.model.state_dict()
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


def solve(task: LabelledTask, how: Learning, answered: Part | None = None) -> Solved:
    """Learn a task by one method; what it chooses it chooses by the task's validation part.

    Args:
        answered: texts that NEAREST looks in; None: the training part.

    Raises:
        ValueError: NEAREST or TRIVIAL of pairs or grades; of `learn_by_name`. BackboneError: no such encoder.

    Example:
        >>> solve(load_service("demo_store").task, Learning("zero_shot")).outputs(task.test).shape[1]
        27
    """
    if not how.learns and how.method != "tfidf" and task.kind == "grade":
        raise ValueError(f"{how.method} gives classes, {task.name} has grades")
    if how.method == TRIVIAL:
        return Solved(task, _paired(Commonest(task), task))
    if how.method == NEAREST:
        if task.paired:
            raise ValueError(f"{task.name} relates two texts: take frozen, which compares their vectors")
        encoder = load_backbone(how.backbone)
        answered = task.train if answered is None else answered
        return Solved(task, Nearest(encoder, answered, len(task.labels), task.max_tokens), encoder)
    weights = None
    if how.learns and how.start != "pretrained":
        weights = shop_weights(how.start, how.backbone, how.start_steps, how.seed)
    started = Started(task, how.backbone, weights=weights)
    settings = replace(
        SETTINGS,
        epochs=how.epochs,
        max_steps=how.max_steps or None,
        token_budget=how.token_budget,
        seed=how.seed,
    )
    search = {"rates_tried": how.rates_tried, "search_share": how.search_share}
    rate = how.learning_rate if how.learns else 0.0
    learnt = learn_by_name(started, how.method, settings, learning_rate=rate, **search)
    return Solved(task, learnt.model, learnt.backbone, learnt.rates)


def quality(task: LabelledTask, outputs: np.ndarray) -> dict[str, float]:
    """accuracy, f1_macro and auc (NaN unless there are two classes) of outputs [N, C] on the test part."""
    found = judge(task, task.test, outputs)
    macro = found.get("f1_macro", found.get("f1"))
    return {"accuracy": found["accuracy"], "f1_macro": macro, "auc": found.get("auc", np.nan)}


class _Second:
    """Logits of two classes as the one of the second against the first, which pairs are judged by."""

    def __init__(self, model):
        self.model = model

    def outputs(self, part: Part) -> np.ndarray:
        both = self.model.outputs(part)
        return both[:, 1:] - both[:, :1]


def _paired(model, task: LabelledTask):
    return _Second(model) if task.paired else model
