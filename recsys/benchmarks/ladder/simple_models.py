"""Simple models in the stack's place: asked at the same moments, with the same products masked.

What a stack gains over its ground says nothing of what the same shop would have had for less. These models
read no text and train in seconds.
"""

from __future__ import annotations

import time

import numpy as np

from recsys.benchmarks.ladder.item_vectors import item_side
from recsys.benchmarks.ladder.moments import STATES
from recsys.benchmarks.ladder.stack import Stack
from recsys.ensembling.errors import EnsembleError
from recsys.models.next_item import comparison
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelSettings


def simple_stack(name: str, data: NextItemData, settings: ModelSettings, state: str = "moment") -> Stack:
    """One model, fitted on training and chosen on validation, as a stack that `judge` takes.

    Args:
        name: of `recsys.models.next_item.comparison.names()`: popularity, item_knn, ease, als, ...
        settings: seed, and `trials`, the settings searched.
        state: of users, "moment" or "training", as of stacks with and without the step `stream_state`.

    Raises:
        EnsembleError: another state. RegistryError: no such model.
    """
    if state not in STATES:
        raise EnsembleError(f"state must be {' or '.join(STATES)}, not {state!r}")
    start = time.process_time()
    model = comparison.fit(name, data, settings).model
    seconds = {name: time.process_time() - start}
    side = item_side((), data, settings, pairs=0, variant="")
    return Stack(("stream_state",) if state == "moment" else (), {name: model}, np.ones(1), side, seconds)
