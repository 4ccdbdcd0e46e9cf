"""A soup of `TitleSequence` (Wortsman et al. 2022, arXiv:2203.05482): runs from one start, averaged.

Models of different random starts have no mean that is a model. Here one model is trained for a part of the
passes, then goes on several times with other batches and other dropout; a greedy soup keeps those that
validation does not object to. The soup costs what one model costs when it is served, and in training the
shared part once and the rest once an ingredient.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
from torch import Tensor, nn

from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.one_model.weight_averaging import average, greedy_soup
from recsys.models.next_item.bucketed_sequence import BucketedTitleSequence
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import TRAINING, ModelEntry, ModelSettings
from recsys.models.next_item.title_sequence import SETTINGS
from recsys.training.settings import TrainingSettings

SEEDS_APART = 1000  # the ingredients' seeds: no run's own seed is that far from another's


class SoupTitleSequence(BucketedTitleSequence):
    """See the module.

    Args:
        text: as `TitleSequence`.
        ingredients: runs that are averaged, ≥ 2.
        shared: of the passes (or of max_steps), before the runs part, in (0, 1).
        rest: see `TitleSequence`.

    Attributes:
        chosen: places of the ingredients that the soup holds, after `fit`.

    Raises:
        EnsembleError: an argument out of range. By `fit`: see `recsys.ensembling.one_model.weight_averaging`.
    """

    chooses = True  # of the ingredients, by validation

    def __init__(self, text: np.ndarray | None, ingredients: int = 3, shared: float = 0.5, **rest):
        super().__init__(text, **rest)
        if ingredients < 2 or not 0 < shared < 1:
            raise EnsembleError(
                f"a soup has two ingredients or more and shared in (0, 1), got {ingredients}, {shared}"
            )
        self.ingredients, self.shared, self.start = ingredients, shared, None

    def build(self, n_items: int) -> nn.Module:
        network = super().build(n_items)
        if self.start is not None:
            network.load_state_dict(self.start)
        return network

    def fit(
        self, train_events: pd.DataFrame, n_users: int, n_items: int, split=None, folder=None, progress=False
    ):
        """See `NextItemRecommender.fit`; without a split all ingredients are averaged. A folder is refused:
        checkpoints of several runs would overwrite each other."""
        if folder is not None:
            raise EnsembleError("a soup keeps no checkpoints: fit it without a folder")
        own, size, states = self.settings, (train_events, n_users, n_items), []
        self.start = None
        try:
            self.settings = _part(own, self.shared, own.seed)
            super().fit(*size, split, None, progress)
            self.start = copy.deepcopy(self.network.state_dict())
            for one in range(self.ingredients):
                self.settings = _part(own, 1 - self.shared, own.seed + SEEDS_APART * (one + 1))
                super().fit(*size, split, None, progress)
                states.append(copy.deepcopy(self.network.state_dict()))
        finally:
            self.settings = own
        self._stir(states, split)
        return self

    def _stir(self, states: list[dict[str, Tensor]], split) -> None:
        if split is None:
            soup, self.chosen = average(states), list(range(len(states)))
        else:
            judge = self._judge(split)

            def measure(state: dict[str, Tensor]) -> float:
                self.network.load_state_dict(state)
                return judge(self.network)

            soup, self.chosen, _ = greedy_soup(states, measure)
        self.network.load_state_dict(soup)
        self._store_item_vectors()


def _part(settings: TrainingSettings, share: float, seed: int) -> TrainingSettings:
    """So much of a training, with another seed."""
    steps = None if settings.max_steps is None else max(1, round(share * settings.max_steps))
    return replace(settings, epochs=share * settings.epochs, max_steps=steps, seed=seed)


def _make(data: NextItemData, settings: ModelSettings) -> SoupTitleSequence:
    return SoupTitleSequence(data.text_vectors(settings.backbone), **settings.arguments(SETTINGS))


ENTRY = ModelEntry(_make, trained=True, takes=(*TRAINING, "most_per_user", "backbone"))
