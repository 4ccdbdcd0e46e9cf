"""A model with an ablated modality against one that was trained without that modality (its rival).

The least that fusion owes: with the pictures shuffled, constant or gone it should be no worse than words
alone. Differences are taken within one run, item by item, so that they can be tested without a second one.

n: test items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import numpy as np
import pandas as pd

from recsys.multimodal.classifier import FitSettings, FusedClassifier, fit_classifier
from recsys.multimodal.features import FeatureError, Features
from recsys.multimodal.knock_outs import Kind, knocked_out, partly_missing

HALF = 0.5  # of the items are without the modality in the column half


def against_rival(
    fitted: FusedClassifier,
    features: Mapping[str, Features],
    codes: np.ndarray,
    parts: Mapping[str, np.ndarray],
    hidden: str,
    settings: FitSettings,
    tried: tuple[Mapping[str, float], ...],
) -> tuple[dict[str, float], pd.DataFrame]:
    """Train the same operator without one modality, and hold the whole model's answers against its answers.

    Args:
        fitted: the model with all modalities, trained with `settings` and `tried`, which the rival gets too.
        hidden: the modality that is spoilt in the test rows, and that the rival never had.

    Returns:
        metrics: rival_hr@1, its accuracy. lists: one row a test item: list (its row), and for every knock-out
        "<kind>:difference", 1 where only the whole model is right, −1 where only the rival is; "none" is the
        whole model unspoilt, "half" with half of the items' modality hidden.

    Raises:
        FeatureError: there is no other modality.
    """
    rest = {name: one for name, one in features.items() if name != hidden}
    if not rest:
        raise FeatureError(f"without {hidden} there is no modality left for a rival")
    rival = fit_classifier(rest, codes, parts["train"], parts["validation"], settings, tried)
    test = parts["test"]

    def right(model: FusedClassifier, seen: Mapping[str, Features]) -> np.ndarray:
        return (model.scores(seen, test).argmax(axis=1) == codes[test]).astype(np.int8)

    spoilt = {kind: knocked_out(features[hidden], kind, settings.seed, test) for kind in get_args(Kind)}
    spoilt |= {"none": features[hidden], "half": partly_missing(features[hidden], HALF, settings.seed)}
    base = right(rival, rest)
    found = {
        f"{kind}:difference": right(fitted, {**features, hidden: one}) - base for kind, one in spoilt.items()
    }
    return {"rival_hr@1": float(base.mean())}, pd.DataFrame({"list": test, **found})
