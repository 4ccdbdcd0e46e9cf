"""Registry entries of the text recommender: from texts alone, and with ids beside them."""

from __future__ import annotations

from typing import Any

from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import OWN, ModelEntry, ModelSettings
from recsys.models.next_item.text_recommender import SETTINGS, Reading, TextRecommender
from recsys.models.tuning_method import Tuning

PER_USER = 2  # each epoch reads a user's two newest purchases: all prefixes would take hours on two cores
METHODS = {"all": "full", "none": "frozen"}  # words for `trainable` -> methods of tuning


def _reads(values: dict[str, Any]) -> dict[str, Any]:
    reading = Reading(values["order"], values["items_read"], values["tokens_read"])
    return {"reading": reading, "pretrained": values["start"] == "pretrained"}


def _entry(ids: bool) -> ModelEntry:
    def make(data: NextItemData, settings: ModelSettings) -> TextRecommender:
        arguments = {"most_per_user": PER_USER, **settings.arguments(SETTINGS)}
        trainable = arguments.pop("trainable", "all")
        arguments["tuning"] = Tuning(METHODS.get(trainable, trainable))
        return TextRecommender(data.required_titles(), backbone=settings.backbone, ids=ids, **arguments)

    return ModelEntry(make, trained=True, takes=tuple(OWN), reads=_reads)


TEXT = _entry(ids=False)
TEXT_AND_IDS = _entry(ids=True)
