"""Members of an ensemble: fits models by name and seed, and keeps their candidate lists and costs.

A member is named "ease" or, if it is random, by model and seed: "title_sequence/0". Every next-item model of
the kit can be a member, and so can those in `EXTRA`, which average weights or distil.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys.baselines.candidates import BASELINES
from recsys.code.registry import Registry
from recsys.ensembling.candidate_lists import Kept
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.kept_lists import keep
from recsys.models.next_item import comparison
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelSettings
from recsys.models.next_item.registry import MODELS

EXTRA = Registry(
    "member",
    {
        "title_sequence_averaged": "recsys.ensembling.one_model.averaged_sequence:ENTRY",
        "title_sequence_soup": "recsys.ensembling.one_model.sequence_soup:ENTRY",
        "text_lora_merged": "recsys.ensembling.one_model.merged_text:ENTRY",
    },
)


@dataclass(frozen=True)
class Member:
    """One fitted member: its name with seed, candidate lists, seconds of fitting, and the model."""

    name: str
    kept: Kept
    seconds: float
    model: Any


def is_drawn(model: str) -> bool:
    """Whether a model is random, so that another seed gives another member.

    Raises:
        RegistryError: no such model.
    """
    if model in EXTRA or model == "random":
        return True
    comparison.names().check(model)
    if model in BASELINES:
        return BASELINES.load(model).seeded
    return model in MODELS and MODELS.load(model).trained


def names_of(models: str | Sequence[str], seeds: Sequence[int]) -> list[str]:
    """Names of members: one per seed for random models, else one.

    Args:
        models: names, separated by blanks or as a sequence; a name with a seed ("title_sequence/3") is kept.
        seeds: of the random models.

    Raises:
        EnsembleError: no model, a duplicate member, or a seed that is none or that the model does not take.
        RegistryError: no such model.

    Example:
        >>> names_of("title_sequence ease", [0, 1])
        ['title_sequence/0', 'title_sequence/1', 'ease']
    """
    models = models.split() if isinstance(models, str) else list(models)
    names = []
    for model in models:
        plain, slash, own = model.partition("/")
        drawn = is_drawn(plain)
        if slash and not (drawn and own.isdecimal()):
            raise EnsembleError(f"{model}: a seed is a whole number, of a model that draws random numbers")
        names += [f"{model}/{seed}" for seed in seeds] if drawn and not slash else [model]
    if not names or len(set(names)) < len(names):
        raise EnsembleError(f"an ensemble needs members, each once; got {', '.join(names) or 'none'}")
    return names


def fit_members(
    names: Sequence[str],
    data: NextItemData,
    settings: ModelSettings,
    users: np.ndarray | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Member]:
    """Fit each member on `data.train` and keep its candidate lists.

    Args:
        names: from `names_of`.
        settings: changes of the models' defaults; its seed is replaced by the member's.
        users: keep lists of these only; None: of all.
        say: called with each member's name before it is fitted.

    Raises:
        ValueError: no such model, or one that needs titles where there are none.
    """
    members = []
    for name in names:
        if say is not None:
            say(name)
        model, _, seed = name.partition("/")
        own = replace(settings, seed=int(seed)) if seed else settings
        # training settings apply to trained models only
        own = own if is_drawn(model) else replace(own, settings={}, options={})
        start = time.perf_counter()
        fitted = _extra(model, data, own) if model in EXTRA else comparison.fit(model, data, own).model
        seconds = time.perf_counter() - start
        members.append(Member(name, keep(name, fitted, data, users=users), seconds, fitted))
    return members


def member_table(members: Sequence[Member]) -> pd.DataFrame:
    """Costs of the members: seconds of fitting."""
    return pd.DataFrame({"member": [m.name for m in members], "seconds": [m.seconds for m in members]})


def _extra(model: str, data: NextItemData, settings: ModelSettings) -> Any:
    made = EXTRA.load(model).make(data, settings)
    # an average of last weights takes them as they are; soups and merged runs choose by validation
    judged = data.split if settings.judged_users and getattr(made, "chooses", False) else None
    size = (data.split.n_users, data.split.n_items)
    return made.fit(data.train, *size, split=judged, progress=settings.progress)
