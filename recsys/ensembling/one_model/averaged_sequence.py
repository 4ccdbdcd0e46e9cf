"""`TitleSequence` with stochastic weight averaging: an ensemble at the cost of one model."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.one_model.weight_averaging import RunningAverage
from recsys.models.next_item.bucketed_sequence import BucketedTitleSequence
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import TRAINING, ModelEntry, ModelSettings
from recsys.models.next_item.title_sequence import SETTINGS
from recsys.training.loop import OnStep
from recsys.training.samples import Samples, epoch_batches


class AveragedTitleSequence(BucketedTitleSequence):
    """`TitleSequence` whose final weights are a mean over training (`weight_averaging`).

    Args:
        text: as `TitleSequence`.
        last_share: share of the optimiser steps, at the end, whose weights are averaged, in (0, 1].
        looks: number of snapshots that are averaged, ≥ 1, spread evenly over these steps.
        rest: see `TitleSequence`. With a schedule that ends at 0 ("cosine") the last snapshots are similar;
            "constant", as in the paper, makes averaging more useful.

    Raises:
        EnsembleError: an argument out of range.
    """

    def __init__(self, text: np.ndarray | None, last_share: float = 0.25, looks: int = 40, **rest):
        super().__init__(text, **rest)
        if not 0 < last_share <= 1 or looks < 1:
            raise EnsembleError(
                f"last_share must be in (0, 1] and looks at least 1, got {last_share}, {looks}"
            )
        self.last_share, self.looks = last_share, looks

    def prepare(self, samples: Samples) -> OnStep | None:
        steps = math.ceil(len(epoch_batches(samples, self.settings, 0)) / self.settings.accumulation)
        total = max(1, int(steps * self.settings.epochs))
        if self.settings.max_steps is not None:
            total = min(total, self.settings.max_steps)
        first = total - max(1, int(total * self.last_share)) + 1
        self.running = RunningAverage(self.network, first, max(1, (total - first + 1) // self.looks))
        return self.running.on_step

    def fit(
        self, train_events: pd.DataFrame, n_users: int, n_items: int, split=None, folder=None, progress=False
    ):
        """As `NextItemRecommender.fit`; the average replaces the last or best weights. A folder is refused,
        because a resumed run would have lost the earlier snapshots."""
        if folder is not None:
            raise EnsembleError("weight averaging keeps no checkpoints: fit it without a folder")
        super().fit(train_events, n_users, n_items, split, None, progress)
        self.network.load_state_dict(self.running.state())
        self._store_item_vectors()
        return self


def _make(data: NextItemData, settings: ModelSettings) -> AveragedTitleSequence:
    return AveragedTitleSequence(data.text_vectors(settings.backbone), **settings.arguments(SETTINGS))


ENTRY = ModelEntry(_make, trained=True, takes=(*TRAINING, "most_per_user", "backbone"))
