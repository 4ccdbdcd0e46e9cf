"""From a notebook's parameters to what a model of the contest is told: nothing is ignored in silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from recsys.models.text_recommender import Reading

READERS = ("text", "text_ids", "text_lora")  # a trained encoder reads the history as a text
TRAINED = ("sasrec_bce", "sasrec", "sequence", "titles", "title_sequence", *READERS, "printed")

# what a notebook's parameter says when it leaves the choice to the model
OWN = {
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
READING = ("order", "items_read", "tokens_read")
TAKES = {
    **dict.fromkeys(TRAINED, TRAINING),
    "sequence": (*TRAINING, "most_per_user"),
    "titles": (*TRAINING, "most_per_user", "backbone"),
    "title_sequence": (*TRAINING, "most_per_user", "backbone"),
    "printed": (*TRAINING, "backbone", "layers"),
    **dict.fromkeys(READERS, tuple(OWN)),
    "zero_shot": ("backbone",),
}


@dataclass(frozen=True)
class Plan:
    """What a run changes of a model's own settings.

    trials: settings searched for each tuned baseline. trained_trials: for each trained model; 1 is its own
    settings alone. search_seconds: core seconds of search for either, in the place of both; 0: none.
    settings: fields of `TrainingSettings` to replace.
    options: keyword arguments of the model's class. backbone: that reads titles.
    judged_users: users of the validation part by whom training is stopped and its best moment chosen;
        0: train to the end.
    progress: draw a bar.
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


def plan_run(
    model: str,
    *,
    seed: int,
    trials: int,
    judged_users: int,
    progress: bool = False,
    trained_trials: int = 1,
    search_seconds: float = 0.0,
    **values: Any,
) -> Plan:
    """The plan of one run.

    Args:
        values: parameters named in `OWN`; those left out, or equal to it, are the model's own choice.

    Raises:
        ValueError: a parameter that this model does not take is set, or a word is none of those allowed.
        TypeError: no such parameter.
    """
    if unknown := values.keys() - OWN.keys():
        raise TypeError(f"no parameter {', '.join(sorted(unknown))}; there are {', '.join(OWN)}")
    asked = {name: value for name, value in values.items() if value != OWN[name]}
    taken = TAKES.get(model, ())
    if refused := [f"{name}={value!r}" for name, value in asked.items() if name not in taken]:
        raise ValueError(
            f"{model} does not take {', '.join(refused)}: it takes {', '.join(taken) or 'none of these'}"
        )
    if values.get("start", "pretrained") not in ("pretrained", "random"):
        raise ValueError(f"start must be 'pretrained' or 'random', not {values['start']!r}")
    if asked.get("trainable") == "none" and "learning_rate" in asked:
        raise ValueError("learning_rate is the backbone's, and with trainable='none' it does not learn")
    options = {
        name: asked[name] for name in ("most_per_user", "layers", "trainable", "further") if name in asked
    }
    if model in READERS:
        reading = OWN | asked
        options["reading"] = Reading(*(reading[name] for name in READING))
        options["pretrained"] = reading["start"] == "pretrained"
    settings = {name: asked[name] for name in TRAINING if name in asked}
    backbone = asked.get("backbone", "minilm")
    searched = (trained_trials, search_seconds)
    return Plan(seed, trials, settings, options, backbone, judged_users, progress, *searched)
