"""Encode a table's modalities, and apply the ablation that a `Plan` names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from recsys.multimodal.features import Features, standardised
from recsys.multimodal.knock_outs import knocked_out
from recsys.multimodal.modalities.registry import MODALITIES


def encoded(
    table: pd.DataFrame,
    modalities: tuple[str, ...],
    known: np.ndarray,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Features]:
    """Features of each modality, standardised by the known rows.

    Args:
        table: n rows with the columns that the modalities read.
        modalities: names of `MODALITIES`.
        known: row numbers that may be fitted on.
        options: modality → keyword arguments of its `encode`.

    Raises:
        RegistryError: no such modality. KeyError: the table lacks a modality's column.
    """
    options = options or {}
    made = {
        name: MODALITIES.load(name)(table, known, **options.get(name, {}))
        for name in map(MODALITIES.check, modalities)
    }
    return {name: standardised(one, known) for name, one in made.items()}


def without(features: Mapping[str, Features], knock_out: str, seed: int) -> dict[str, Features]:
    """The features with an ablation as a plan writes it: "picture:shuffled", or "" for none.

    Raises:
        FeatureError, KeyError: no such kind, or the modality is not among the features.
    """
    if not knock_out:
        return dict(features)
    name, _, kind = knock_out.partition(":")
    return {**features, name: knocked_out(features[name], kind, seed)}
