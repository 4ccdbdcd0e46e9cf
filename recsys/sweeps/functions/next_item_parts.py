"""A trained next-item model in parts of one pass, between which its settings may change.

What population-based training (Jaderberg et al. 2017, arXiv:1711.09846) needs of a trial: it saves weights,
the optimiser's moments and how far it came, and goes on from another trial's under other settings. The rate
is constant within a pass and there is no warm-up: a schedule would be another trial's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

from recsys.baselines.candidates import BASELINES
from recsys.models.next_item.model_settings import ModelSettings
from recsys.models.next_item.registry import MODELS
from recsys.models.next_item.search import fit_once, with_settings
from recsys.sweeps.functions import next_item
from recsys.sweeps.functions.registry import Declared, Report, TrialFunction
from recsys.training.next_item import NextItemRecommender

CHANGEABLE = ("learning_rate", "weight_decay", "batch_size", "drop")  # a width is in the weights' shapes
PART = {"epochs": 1.0, "schedule": "constant", "warmup_share": 0.0}
SEEDS = 1000  # between the seeds of two passes: batches and dropout of each are its own


@dataclass
class State:
    """A training between two passes.

    Attributes:
        passes: that are done. weights: of the network. moments: of the optimiser, "parameter number.name".
    """

    passes: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    moments: dict[str, Tensor] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Into a folder that is there."""
        save_file(self.weights, folder / "weights.safetensors")
        save_file(self.moments, folder / "moments.safetensors")
        (folder / "state.json").write_text(json.dumps({"passes": self.passes}), encoding="utf-8")


def read_state(folder: Path) -> State:
    """What `State.save` wrote."""
    passes = json.loads((folder / "state.json").read_text(encoding="utf-8"))["passes"]
    return State(passes, load_file(folder / "weights.safetensors"), load_file(folder / "moments.safetensors"))


def declared(fixed: Mapping[str, Any]) -> dict[str, Declared]:
    """As of `next_item`, for trained models; epochs is a whole number of passes.

    Raises:
        ValueError: a baseline, a model without settings to search, or no whole number of passes.
    """
    if fixed.get("model") in BASELINES or "model" not in fixed:
        raise ValueError("next_item_parts trains in passes: fix a trained model, such as sequence")
    if not (epochs := fixed.get("epochs", 0.0)) or epochs != int(epochs):
        raise ValueError(f"next_item_parts needs a fixed whole number of epochs, got {epochs!r}")
    return next_item.declared(fixed)


def run(settings: dict[str, Any], report: Report) -> dict[str, float]:
    """The metrics of `next_item`; ndcg@10 of validation after each pass but the last."""
    data = next_item.trial_data(settings["dataset"])
    state = State() if report.start is None else read_state(report.start)
    passes = int(settings["epochs"])
    while True:
        model, state = one_pass(data, settings, state)
        if state.passes >= passes:
            break
        report({"ndcg@10": model.result.best_metric}, state.save)
    learned = float(sum(p.numel() for p in model.network.parameters() if p.requires_grad))
    return next_item.measured(model, data, settings["judged_users"]) | {"parameters": learned}


def one_pass(data: Any, settings: Mapping[str, Any], state: State) -> tuple[NextItemRecommender, State]:
    """The model after one more pass, and what is needed to go on from it."""
    seed = settings["seed"] + SEEDS * state.passes
    users = settings["judged_users"] or data.split.n_users
    searched = {k: v for k, v in settings.items() if k not in next_item.OWN and v is not None}
    asked = with_settings(ModelSettings(seed=seed, settings=dict(PART), judged_users=users), searched)
    made: dict[str, Optimizer] = {}

    def make(data: Any, asked: ModelSettings) -> NextItemRecommender:
        model = MODELS.load(settings["model"]).make(data, asked)
        own = model.prepare

        def prepare(samples: Any) -> Any:
            if state.weights:
                model.network.load_state_dict(state.weights)
            return own(samples)

        model.prepare = prepare
        return model

    with carried_moments(state.moments, made):
        model = fit_once(make, data, asked)
    weights = {
        name: one.detach().cpu().clone().contiguous() for name, one in model.network.state_dict().items()
    }
    return model, State(state.passes + 1, weights, _moments(made["optimiser"]))


@contextmanager
def carried_moments(moments: Mapping[str, Tensor], made: dict[str, Optimizer]) -> Iterator[None]:
    """The next optimiser that steps begins with these moments, and is put into `made` as "optimiser".

    Without them every pass would begin with Adam's first steps, which are as long as its rate however small
    the gradient is.
    """

    def before(optimiser: Optimizer, args: Any, kwargs: Any) -> None:
        if "optimiser" in made:
            return
        made["optimiser"] = optimiser
        if moments:
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in moments.items():
                number, _, name = key.partition(".")
                state.setdefault(int(number), {})[name] = value
            optimiser.load_state_dict(
                {"state": state, "param_groups": optimiser.state_dict()["param_groups"]}
            )

    hook = register_optimizer_step_pre_hook(before)
    try:
        yield
    finally:
        hook.remove()


def _moments(optimiser: Optimizer) -> dict[str, Tensor]:
    return {
        f"{number}.{name}": torch.as_tensor(value).detach().cpu().clone().contiguous()
        for number, own in optimiser.state_dict()["state"].items()
        for name, value in own.items()
    }


NEXT_ITEM_PARTS = TrialFunction(
    run, declared, next_item.NEXT_ITEM.metrics, next_item.prepare, changeable=CHANGEABLE
)
