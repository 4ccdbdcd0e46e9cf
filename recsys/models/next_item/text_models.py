"""Registry entries of the text recommender: from texts alone, and with ids beside them."""

from __future__ import annotations

from typing import Any

from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import MODELS_CHOICE, ModelEntry, ModelSettings
from recsys.models.next_item.text_recommender import SETTINGS, Reading, TextRecommender
from recsys.models.tuning_method import Tuning
from recsys.training.hyperparameter_search.spaces import Choice, Range, Real

PER_USER = 2  # training samples per user, the newest: all prefixes would take hours on two cores
METHODS = {"all": "full", "none": "frozen"}  # values of `trainable` -> names of tuning methods

# 000 §9, Q2: one or two orders of magnitude below the rate of pre-training
RANGES: dict[str, Range] = {
    "learning_rate": Real(1e-5, 3e-4, log=True),
    "head_learning_rate": Real(3e-4, 3e-3, log=True),
    "weight_decay": Choice((0.0, 1e-3, 1e-2, 1e-1)),
}


def _reads(values: dict[str, Any]) -> dict[str, Any]:
    reading = Reading(values["order"], values["items_read"], values["tokens_read"])
    return {"reading": reading, "pretrained": values["start"] == "pretrained"}


def _entry(ids: bool, learns: str = "all", **ranges: Range) -> ModelEntry:
    def make(data: NextItemData, settings: ModelSettings) -> TextRecommender:
        arguments = {"most_per_user": PER_USER, **settings.arguments(SETTINGS)}
        trainable = arguments.pop("trainable", learns)
        arguments["tuning"] = Tuning(METHODS.get(trainable, trainable))
        return TextRecommender(data.required_titles(), backbone=settings.backbone, ids=ids, **arguments)

    return ModelEntry(make, trained=True, takes=tuple(MODELS_CHOICE), ranges=RANGES | ranges, reads=_reads)


TEXT = _entry(ids=False)
TEXT_AND_IDS = _entry(ids=True)
TEXT_LORA = _entry(ids=False, learns="lora", learning_rate=Real(3e-5, 3e-3, log=True))
