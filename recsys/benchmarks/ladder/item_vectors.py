"""What a stack knows of items beside their ids: titles by an encoder, tuned or optimised, and modalities.

M: items. D: width of the vectors side by side.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from recsys.benchmarks.ladder.title_vectors import Titles, titles_of
from recsys.ensembling.errors import EnsembleError
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelSettings
from recsys.multimodal.item_tables import item_table
from recsys.multimodal.side_information import unit_rows
from recsys.multimodal.tasks.encoded import encoded

# beside the title, where the data set's table has the column; words and tags repeat the title
MODALITIES = {"picture": "picture", "trailer": "trailer_1"}


@dataclass(frozen=True)
class ItemSide:
    """vectors: [M, D] for the sequence model, None: ids alone. titles: as the step "pretrained" has them.
    seconds: processor time of making all that; of titles, when they were made. encoded_files: pictures that
    were encoded now; those of an earlier run are read from the store of vectors and cost nothing."""

    vectors: np.ndarray | None = None
    titles: Titles = field(default_factory=Titles)
    seconds: float = 0.0
    encoded_files: float = 0.0


def item_side(
    steps: Sequence[str], data: NextItemData, settings: ModelSettings, pairs: int, variant: str
) -> ItemSide:
    """Vectors of items for a stack of these steps.

    Raises:
        EnsembleError: "multimodal" on a data set that has nothing but titles. ValueError: titles are asked of
            a data set without.
    """
    titles, start = Titles(), time.process_time()
    if "pretrained" in steps:
        titles = titles_of(steps, data, settings, pairs, variant)
        start = time.process_time()
    parts, files = [] if titles.vectors is None else [titles.vectors], 0.0
    if "multimodal" in steps:
        others, files = _modalities(data)
        parts += others
    vectors = np.concatenate(parts, axis=1) if parts else None
    return ItemSide(vectors, titles, titles.seconds + time.process_time() - start, files)


def _modalities(data: NextItemData) -> tuple[list[np.ndarray], float]:
    """[M, D] of each modality that the items have (rows of length 1, zeros where it is missing), and how many
    files were encoded for them."""
    table = item_table(data.dataset, data.train)
    names = tuple(name for name, column in MODALITIES.items() if column in table)
    if not names:
        raise EnsembleError(
            f"{data.dataset.name} describes its items by titles alone: leave the step multimodal out"
        )
    features = encoded(table, names, np.unique(data.train["item"]))
    rows = [unit_rows(one) for one in features.values()]
    dense = [np.asarray(one.todense() if sparse.issparse(one) else one, np.float32) for one in rows]
    return dense, float(sum(one.costs.get("encoded", 0.0) for one in features.values()))
