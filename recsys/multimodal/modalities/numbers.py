"""Numeric columns that a data set brings: of a film's trailer, of a song's sound, of an event's situation.

n: rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.data.media.movielens import TRAILER
from recsys.data.media.situnes import SITUATION, SOUND
from recsys.multimodal.features import Features, standardised


def encode_trailer(table: pd.DataFrame, known: np.ndarray) -> Features:
    """The modality "trailer": seven numbers computed from a film's trailer (stylistic visual features,
    MMTF-14K)."""
    return of_columns("trailer", table, known, TRAILER)


def encode_sound(table: pd.DataFrame, known: np.ndarray) -> Features:
    """The modality "sound_numbers": openSMILE's and Spotify's numbers of a song."""
    return of_columns("sound_numbers", table, known, SOUND)


def encode_situation(table: pd.DataFrame, known: np.ndarray) -> Features:
    """The modality "situation": mood before, time of day and weather of an event."""
    return of_columns("situation", table, known, SITUATION)


def of_columns(modality: str, table: pd.DataFrame, known: np.ndarray, columns: tuple[str, ...]) -> Features:
    """Standardised columns; a missing number becomes the known rows' mean, a row without any number is not
    present.

    Args:
        modality: name of the result. columns: of the table.
        known: rows whose mean and standard deviation are used.
    """
    numbers = table[list(columns)].to_numpy(np.float32)
    present = np.isfinite(numbers).any(axis=1)
    seen = numbers[known]
    count = np.isfinite(seen).sum(axis=0)
    mean = np.where(np.isfinite(seen), seen, 0).sum(axis=0) / np.maximum(count, 1)
    filled = np.where(np.isfinite(numbers), numbers, mean).astype(np.float32)
    filled[~present] = 0
    made = Features(modality, filled, present, costs={"megabytes": filled.nbytes / 1e6})
    return standardised(made, known)
