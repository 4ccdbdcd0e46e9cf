"""Settings of a next-item model from a notebook's parameters; one that would be ignored is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from recsys.baselines.candidates import BASELINES
from recsys.models.next_item.registry import MODELS
from recsys.training.hyperparameter_search.spaces import Range
from recsys.training.settings import TrainingSettings

# Values of a notebook's parameters that leave the choice to the model's default. Not None: the runner and the
# sweeps check a value against the type of the parameter's default.
MODELS_CHOICE = {
    "learning_rate": 0.0,
    "optimizer": "",
    "schedule": "",
    "warmup_share": -1.0,
    "epochs": 0.0,
    "max_steps": 0,
    "most_per_user": 0,
    "backbone": "",
    "layers": 0,
    "start": "pretrained",
    "trainable": "",
    "further": "none",
    "order": "newest_first",
    "items_read": 2,
    "tokens_read": 48,
}
TRAINING = ("learning_rate", "optimizer", "schedule", "warmup_share", "epochs", "max_steps")
OPTIONS = ("most_per_user", "layers", "trainable", "further")  # passed to the model's class unchanged


@dataclass(frozen=True)
class ModelSettings:
    """What a run changes of a model's default settings.

    Attributes:
        seed: of the model.
        trials: settings searched for each tuned baseline.
        trained_trials: settings searched for each trained model; 1: its defaults only.
        search_seconds: core seconds of search for either, instead of numbers of trials; 0: use those.
        settings: fields of `TrainingSettings` to replace.
        options: keyword arguments of the model's class.
        backbone: text encoder of the titles.
        judged_users: validation users that are evaluated during training, for early stopping and the choice
            of the best weights; 0: train to the end.
        progress: show progress bars.
    """

    seed: int = 0
    trials: int = 4
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    backbone: str = "minilm"
    judged_users: int = 5000
    progress: bool = False
    trained_trials: int = 1
    search_seconds: float = 0.0

    def arguments(self, base: TrainingSettings) -> dict[str, Any]:
        """Keyword arguments of a trained model's class.

        Args:
            base: the model's own settings of training.
        """
        settings = replace(base, seed=self.seed, **self.settings)
        return {"settings": settings, "judged_users": max(1, self.judged_users), **self.options}


@dataclass(frozen=True)
class ModelEntry:
    """The registry entry of a next-item model.

    Attributes:
        make: (`NextItemData`, `ModelSettings`) -> the unfitted model.
        trained: whether it is fitted by the training loop, with early stopping on validation.
        takes: the optional parameters (names of `MODELS_CHOICE`) that it uses; a run that sets any other is
            refused, so that no parameter is silently ignored.
        ranges: search space; empty: its settings are not searched.
        reads: takes a run's values of all optional parameters; returns further options of the model's class.
    """

    make: Callable[[Any, ModelSettings], Any]
    trained: bool = False
    takes: tuple[str, ...] = ()
    ranges: Mapping[str, Range] = field(default_factory=dict)
    reads: Callable[[dict[str, Any]], dict[str, Any]] | None = None


def model_settings(
    model: str,
    *,
    seed: int,
    trials: int,
    judged_users: int,
    progress: bool = False,
    trained_trials: int = 1,
    search_seconds: float = 0.0,
    **values: Any,
) -> ModelSettings:
    """The settings of one run.

    Args:
        model: of `recsys.models.next_item.registry.MODELS`, or a tuned baseline.
        seed, trials, judged_users, progress, trained_trials, search_seconds: see `ModelSettings`.
        values: parameters named in `MODELS_CHOICE`; those left out, or equal to their value there, keep the
            model's default.

    Raises:
        ValueError: no such model, a parameter that it does not take, or a value that is not allowed.
        TypeError: no such parameter.
    """
    if unknown := values.keys() - MODELS_CHOICE.keys():
        raise TypeError(f"no parameter {', '.join(sorted(unknown))}; there are {', '.join(MODELS_CHOICE)}")
    asked = {name: value for name, value in values.items() if value != MODELS_CHOICE[name]}
    entry = None if model in BASELINES else MODELS.load(model)
    taken = entry.takes if entry else ()
    if refused := [f"{name}={value!r}" for name, value in asked.items() if name not in taken]:
        raise ValueError(
            f"{model} does not take {', '.join(refused)}: it takes {', '.join(taken) or 'none of these'}"
        )
    if values.get("start", "pretrained") not in ("pretrained", "random"):
        raise ValueError(f"start must be 'pretrained' or 'random', not {values['start']!r}")
    if asked.get("trainable") == "none" and "learning_rate" in asked:
        raise ValueError("learning_rate is the backbone's, and with trainable='none' it does not learn")
    options = {name: asked[name] for name in OPTIONS if name in asked}
    if entry and entry.reads:
        options |= entry.reads(MODELS_CHOICE | asked)
    training = {name: asked[name] for name in TRAINING if name in asked}
    backbone = asked.get("backbone", "minilm")
    searched = (trained_trials, search_seconds)
    return ModelSettings(seed, trials, training, options, backbone, judged_users, progress, *searched)
