"""Registry entries of SASRec: with its published loss, and with one over the whole catalogue."""

from __future__ import annotations

from typing import Literal

from recsys.baselines.sasrec import PUBLISHED, SASRec
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import TRAINING, ModelEntry, ModelSettings
from recsys.models.next_item.title_sequence import RANGES as SEQUENCE
from recsys.training.hyperparameter_search.spaces import Choice, Range

# batch_size: of one of the eight micro-batches of a step
RANGES = {**SEQUENCE, "batch_size": Choice((16, 32, 64)), "width": Choice((32, 64, 128))}


def _entry(loss: Literal["bce", "cross_entropy"], ranges: dict[str, Range]) -> ModelEntry:
    def make(data: NextItemData, settings: ModelSettings) -> SASRec:
        return SASRec(loss, **settings.arguments(PUBLISHED))

    return ModelEntry(make, trained=True, takes=TRAINING, ranges=ranges)


PUBLISHED_LOSS = _entry("bce", {})  # as it was published
WHOLE_CATALOGUE = _entry("cross_entropy", RANGES)
