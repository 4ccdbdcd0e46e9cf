"""Registry entries of SASRec: with its published loss, and with one over the whole catalogue."""

from __future__ import annotations

from typing import Literal

from recsys.baselines.sasrec import PUBLISHED, SASRec
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import TRAINING, ModelEntry, ModelSettings


def _entry(loss: Literal["bce", "cross_entropy"]) -> ModelEntry:
    def make(data: NextItemData, settings: ModelSettings) -> SASRec:
        return SASRec(loss, **settings.arguments(PUBLISHED))

    return ModelEntry(make, trained=True, takes=TRAINING)


PUBLISHED_LOSS = _entry("bce")
WHOLE_CATALOGUE = _entry("cross_entropy")
