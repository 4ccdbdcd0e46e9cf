"""The weights of a late fusion, behaviour beside modalities (notebook 04), as a sweep's trial.

The scorers are fitted once for a process; a trial is one set of weights over their scores, judged on the
validation users. What a trial gets holds no event of the test period.

S: scorers. B: judged users. M: items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from recsys.baselines.ease import EASE
from recsys.data.load import load_dataset
from recsys.data.splits import evenly
from recsys.ensembling.score_fusion import PreparedConvex
from recsys.metrics.ranking import earlier_events, mask_seen, new_targets, rank_checked, ranking_metrics
from recsys.multimodal.modalities.registry import MODALITIES
from recsys.multimodal.side_information import ContentNeighbours
from recsys.multimodal.tasks.encoded import encoded
from recsys.multimodal.tasks.next_item import load_task
from recsys.sweeps.functions.registry import Declared, Report, TrialFunction
from recsys.training.hyperparameter_search.validation_only import without_test

OWN = {
    "dataset": Declared((str,), "demo_store"),
    "modalities": Declared((str,), "text+picture"),  # joined by +
    "l2": Declared((float, int), 300.0),  # penalty of behaviour's EASE
    "side": Declared((int,), 128),  # pixels that pictures are encoded at
    "judged_users": Declared((int,), 2000),  # of validation; 0: all
    "seed": Declared((int,), 0),
}
BEHAVIOUR = "behaviour"
NOT_OF_ITEMS = ("profile", "reviews")  # of users, or written after the moment that is asked about


@dataclass(frozen=True)
class Scores:
    """What the scorers say of the judged users.

    Attributes:
        names: of the scorers, behaviour first. fused: over their [S, B, M] scores.
        users: [B] codes. known, targets: user, item; what they had met, and what is to be found.
    """

    names: list[str]
    fused: PreparedConvex
    users: np.ndarray
    known: pd.DataFrame
    targets: pd.DataFrame


def weight_of(name: str) -> str:
    """The parameter that is a scorer's weight."""
    return f"weight_{name}"


def declared(fixed: Mapping[str, Any]) -> dict[str, Declared]:
    """`OWN`, and a weight ≥ 0 of behaviour (1) and of each modality (0: behaviour alone).

    Raises:
        ValueError: no modality, or one that is not of items.
        RegistryError: no such modality.
    """
    names = _modalities(fixed.get("modalities", OWN["modalities"].default))
    weights = {weight_of(name): Declared((float, int), 0.0) for name in names}
    return OWN | {weight_of(BEHAVIOUR): Declared((float, int), 1.0)} | weights


def run(settings: dict[str, Any], report: Report) -> dict[str, float]:
    """ndcg@10, recall@10 and mrr of validation."""
    scores = _scores(*(settings[name] for name in OWN))
    weights = [settings[weight_of(name)] for name in scores.names]
    masked = mask_seen(scores.fused.at(weights), scores.users, scores.known)
    metrics, _ = ranking_metrics(rank_checked(masked, scores.users, scores.targets, "id"), (10,))
    return {name: metrics[name] for name in METRICS}


def prepare(settings: dict[str, Any]) -> None:
    """Encode the modalities, fit the scorers, score."""
    _scores(*(settings[name] for name in OWN))


@lru_cache(maxsize=1)
def _scores(dataset: str, modalities: str, l2: float, side: int, judged_users: int, seed: int) -> Scores:
    names = _modalities(modalities)
    task = load_task(load_dataset(dataset), seed=seed)
    parts = without_test(task.split)
    features = encoded(task.table, names, np.unique(parts.train["item"]), {"picture": {"side": side}})
    size = (parts.n_users, parts.n_items)
    members: list[Any] = [EASE(l2, num_threads=1).fit(parts.train, *size)]
    members += [
        ContentNeighbours({name: 1.0}, 1).fit(parts.train, parts.n_users, features, parts.n_items)
        for name in names
    ]
    targets = new_targets(parts, "validation")
    users = np.unique(targets["user"])
    users = np.sort(evenly(targets["user"], judged_users)) if judged_users else users
    known = earlier_events(parts, "validation")
    scores = [np.asarray(member.score(users), dtype=np.float32) for member in members]
    return Scores(
        [BEHAVIOUR, *names],
        PreparedConvex(scores),
        users,
        known[known["user"].isin(users)],
        targets[targets["user"].isin(users)],
    )


def _modalities(joined: str) -> tuple[str, ...]:
    names = tuple(filter(None, joined.split("+")))
    if not names or (wrong := [name for name in names if name in NOT_OF_ITEMS]):
        told = f"{', '.join(wrong)} cannot be one" if names else "none is given"
        raise ValueError(f"modalities: names of items' modalities, joined by +; {told}")
    return tuple(MODALITIES.check(name) for name in names)


METRICS = ("ndcg@10", "recall@10", "mrr")
FUSION_WEIGHTS = TrialFunction(run, declared, METRICS, prepare)
