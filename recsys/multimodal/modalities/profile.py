"""Profile: what users state about themselves; numbers as numbers, categories one-hot encoded.

n: users.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.multimodal.features import Features

NUMBERS = ("age",)
NEVER = {"user", "source_id", "zip_code"}  # identifiers, and what identifies a user


def encode(table: pd.DataFrame, known: np.ndarray) -> Features:
    """The modality "profile" of a table of users.

    A numeric column gives its standardised value and one-hot deciles of the known users (taste is not linear
    in age); every other column gives one indicator per value that occurs among known users.

    Args:
        table: n users; columns other than user, source_id and zip_code are the profile.
        known: rows from which means, deciles and values are learned.
    """
    parts: list[np.ndarray] = []
    there = np.zeros(len(table), dtype=bool)
    for column in (name for name in table if name not in NEVER):
        values = table[column]
        there |= values.notna().to_numpy()
        if column in NUMBERS or pd.api.types.is_float_dtype(values):
            parts += _number(values.to_numpy(np.float64), known)
        else:
            seen = sorted(values.iloc[known].dropna().astype(str).unique())
            texts = values.astype(str).to_numpy()
            parts.append(
                np.stack([texts == value for value in seen], axis=1) if seen else np.empty((len(table), 0))
            )
    vectors = (
        np.concatenate(parts, axis=1).astype(np.float32) if parts else np.zeros((len(table), 1), np.float32)
    )
    vectors[~there] = 0
    return Features("profile", vectors, there, costs={"megabytes": vectors.nbytes / 1e6})


def _number(values: np.ndarray, known: np.ndarray) -> list[np.ndarray]:
    seen = values[known][np.isfinite(values[known])]
    if not len(seen):
        return []
    mean, spread = seen.mean(), seen.std() or 1.0
    scaled = np.where(np.isfinite(values), (values - mean) / spread, 0)[:, None]
    edges = np.unique(np.quantile(seen, np.arange(0.1, 1.0, 0.1)))
    decile = np.searchsorted(edges, values, side="right")
    indicators = np.eye(len(edges) + 1)[np.clip(decile, 0, len(edges))] * np.isfinite(values)[:, None]
    return [scaled, indicators]
