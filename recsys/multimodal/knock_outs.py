"""Ablation of a modality at test time (constant, noise, shuffled, missing), and attribution to modalities.

If shuffled pictures serve as well as the right ones, the model does not use the pictures. n: items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from math import factorial
from typing import Literal, get_args

import numpy as np
import pandas as pd
from scipy import sparse

from recsys.multimodal.features import FeatureError, Features

Kind = Literal["constant", "noise", "shuffled", "missing"]


def knocked_out(features: Features, kind: Kind, seed: int = 0, rows: np.ndarray | None = None) -> Features:
    """The modality with its content destroyed; its mask stays unchanged, except for "missing".

    Args:
        kind: "constant": every item gets the mean vector; "noise": normal noise with each column's mean and
            standard deviation; "shuffled": each item gets another item's vector; "missing": no item has it.
        rows: only these rows are changed (and shuffled among themselves); None: all.

    Raises:
        FeatureError: no such kind.
    """
    if kind not in get_args(Kind):
        raise FeatureError(f"no knock-out {kind!r}; there are {', '.join(get_args(Kind))}")
    chosen = np.zeros(len(features), dtype=bool)
    chosen[slice(None) if rows is None else rows] = True
    touched = np.flatnonzero(chosen & features.present)
    if kind == "missing":
        return features.replaced(features.vectors, features.present & ~chosen)
    random = np.random.default_rng(seed)
    if kind == "shuffled":
        order = np.arange(len(features))
        # a cyclic shift of a random order: no item keeps its own vector
        drawn = random.permutation(touched)
        order[drawn] = np.roll(drawn, 1)
        return features.replaced(features.vectors[order], features.present)
    seen = features.dense(touched)
    if kind == "constant":
        made = np.broadcast_to(seen.mean(axis=0), seen.shape)
    else:
        made = random.normal(seen.mean(axis=0), seen.std(axis=0), seen.shape)
    vectors = features.dense().copy()
    vectors[touched] = made.astype(np.float32)
    return features.replaced(
        sparse.csr_matrix(vectors) if sparse.issparse(features.vectors) else vectors, features.present
    )


def partly_missing(features: Features, share: float, seed: int = 0) -> Features:
    """The modality hidden from a random share of the items; with the same seed, larger shares hide supersets.

    Args:
        share: in [0, 1], of the items that have the modality.
    """
    if not 0 <= share <= 1:
        raise FeatureError(f"the share of missing items must lie in [0, 1], got {share}")
    draw = np.random.default_rng(seed).random(len(features))
    return features.replaced(features.vectors, features.present & (draw >= share))


def shapley_values(names: tuple[str, ...], value: Callable[[tuple[str, ...]], np.ndarray]) -> pd.DataFrame:
    """Exact Shapley values: each modality's contribution averaged over all orders of adding them (Shapley
    1953).

    Args:
        names: the modalities, at most 8, since `value` is called for all 2^k subsets.
        value: subset (in the order of `names`; the empty one too) → one value per item, [n].

    Returns:
        [n, modalities]; a row sums to the value with all modalities minus the value with none.

    Raises:
        FeatureError: no modality, or more than 8.

    Example:
        >>> import numpy as np
        >>> worth = {(): 0.0, ("text",): 0.4, ("picture",): 0.2, ("text", "picture"): 0.8}
        >>> shapley_values(("text", "picture"), lambda subset: np.array([worth[subset]])).round(2)
           text  picture
        0   0.5      0.3
    """
    if not 1 <= len(names) <= 8:
        raise FeatureError(f"Shapley values need 1 to 8 modalities, got {len(names)}")
    known = {
        subset: np.asarray(value(subset), dtype=np.float64)
        for size in range(len(names) + 1)
        for subset in combinations(names, size)
    }
    total = {}
    for name in names:
        share = 0.0
        for subset in (s for s in known if name not in s):
            larger = tuple(n for n in names if n in subset or n == name)
            weight = factorial(len(subset)) * factorial(len(names) - len(subset) - 1) / factorial(len(names))
            share = share + weight * (known[larger] - known[subset])
        total[name] = share
    return pd.DataFrame(total)


def only(features: Mapping[str, Features], subset: tuple[str, ...]) -> dict[str, Features]:
    """The same modalities with those outside the subset set to missing, as input of a trained model."""
    return {
        name: one if name in subset else one.replaced(one.vectors, np.zeros(len(one), dtype=bool))
        for name, one in features.items()
    }
