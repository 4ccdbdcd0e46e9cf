"""Registry entries of the trivial scorers (random, popularity) and of the hand-written rule."""

from __future__ import annotations

from recsys.baselines.category_popularity import CategoryPopularity
from recsys.baselines.popularity import trivial_scorer
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelEntry, ModelSettings

WINDOW_DAYS = 30.0


def _trivial(name: str) -> ModelEntry:
    return ModelEntry(lambda data, settings: trivial_scorer(name, settings.seed, WINDOW_DAYS))


def _category_popularity(data: NextItemData, settings: ModelSettings) -> CategoryPopularity:
    if "category" not in data.dataset.items:
        raise ValueError(f"{data.dataset.name} has no categories: choose popularity")
    return CategoryPopularity(data.dataset.items["category"])


RANDOM = _trivial("random")
POPULARITY = _trivial("popularity")
POPULARITY_WINDOW = _trivial("popularity_window")
CATEGORY_POPULARITY = ModelEntry(_category_popularity)
