"""All methods of a sector side by side, cross-fitted, with differences by unit.

n: units. L: candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.applications.shops_and_sectors.methods import (
    STRENGTH,
    Read,
    linear,
    nearest,
    popularity,
    words,
)
from recsys.applications.shops_and_sectors.sector_task import SectorTask, load_sector
from recsys.metrics.judged_lists import judged_ndcg

# name of a difference: the method that is judged, and what it is held against
DIFFERENCES = {
    "linear_popularity": ("linear", "popularity"),
    "encoder_linear": ("encoder", "linear"),
    "further_encoder": ("further", "encoder"),
    "meaning_words": ("meaning", "words"),
    "descriptions": ("described", "linear"),
}


@dataclass(frozen=True)
class SectorSettings:
    """sector: of SECTORS. dataset: which it is asked of. most: judged units, 0 is all. backbone: the general
    encoder. further: whether it is trained further too, in max_steps, 0 is three passes. seed: of what is
    hidden and of training."""

    sector: str = "products"
    dataset: str = "demo_store"
    most: int = 0
    backbone: str = "minilm"
    further: bool = True
    max_steps: int = 0
    seed: int = 0


@dataclass(frozen=True)
class SectorFound:
    """metrics: of the whole. lists: index "list" (a group of units), columns of differences of NDCG@10.
    table: a row a method. task: what was asked."""

    task: SectorTask
    metrics: dict[str, float]
    lists: pd.DataFrame
    table: pd.DataFrame


def ask_sector(settings: SectorSettings) -> SectorFound:
    """Rank with every method that the sector's data allow, and compare.

    Raises:
        RegistryError, DataUnavailable, SectorError: as `load_sector`.

    Example:
        >>> ask_sector(SectorSettings("insurance", "zimnat_insurance", most=2000)).table
    """
    task = load_sector(settings.sector, settings.dataset, settings.most, settings.seed, settings.backbone)
    scores = _scores(task, settings)
    judged = np.flatnonzero(task.judged)
    quality = {name: _ndcg(task, judged, found) for name, found in scores.items()}
    first = {name: _first(task, judged, found) for name, found in scores.items()}
    random = _ndcg(task, judged, np.zeros(task.gains.shape))
    table = pd.DataFrame(
        [{"method": "random", "ndcg@10": random.mean(), "first_right": np.nan}]
        + [
            {"method": name, "ndcg@10": values.mean(), "first_right": first[name].mean()}
            for name, values in quality.items()
        ]
    )
    groups = task.groups[judged]
    lists = pd.DataFrame(
        {
            f"{name}:difference": pd.Series(quality[one] - quality[other]).groupby(groups).mean()
            for name, (one, other) in DIFFERENCES.items()
            if one in quality and other in quality
        }
    ).rename_axis("list")
    metrics = {f"ndcg@10_{name}": float(values.mean()) for name, values in quality.items()}
    metrics |= {
        "ndcg@10_random": float(random.mean()),
        "units": float(len(judged)),
        "groups": float(len(lists)),
    }
    metrics |= {name: float(value) for name, value in lists.mean().items()}
    return SectorFound(task, metrics, lists, table)


def _scores(task: SectorTask, settings: SectorSettings) -> dict[str, np.ndarray]:
    """[n, L] of each method; rows of units that are only learnt from stay 0."""
    read = Read(task, settings.backbone, settings.max_steps, settings.seed)
    encoders = {"encoder": "general"} | ({"further": "further"} if settings.further else {})
    found: dict[str, np.ndarray] = {}
    for fold in np.unique(task.fold[task.judged]):
        score = np.flatnonzero(task.fold == fold)
        learn = np.flatnonzero(task.fold != fold)
        part = {"popularity": popularity(task, learn, score)}
        if task.inputs is not None:
            part["linear"] = linear(task.inputs, task, learn, score, STRENGTH["inputs"])
        if task.described is not None:
            both = np.concatenate([task.inputs, task.described], axis=1)
            part["described"] = linear(both, task, learn, score, STRENGTH["inputs"])
        if task.texts is not None:
            counted = words(task, learn)
            part["linear"] = linear(counted, task, learn, score, STRENGTH["words"])
            part["words"] = nearest(counted, task, learn, score)
            part["meaning"] = nearest(read.vectors("general"), task, learn, score)
            for name, which in encoders.items():
                part[name] = linear(read.vectors(which), task, learn, score, STRENGTH["vectors"])
        for name, values in part.items():
            found.setdefault(name, np.zeros(task.gains.shape))[score] = values
    return found


def _ndcg(task: SectorTask, judged: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[judged units] NDCG@10 of what is offered; 1 where everything that is offered is to be found."""
    unit, candidate = np.nonzero(task.offered[judged])
    grades = task.gains[judged][unit, candidate]
    found = judged_ndcg(unit, np.log2(1 + grades), scores[judged][unit, candidate], 10, 0.0)
    return found.per_list.reindex(range(len(judged)), fill_value=1.0).to_numpy()


def _first(task: SectorTask, judged: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """[judged units] whether the candidate put first is one to be found."""
    best = np.where(task.offered[judged], scores[judged], -np.inf).argmax(axis=1)
    return task.gains[judged][np.arange(len(judged)), best] > 0
