"""Weight averaging: one model from several snapshots, or from several runs with the same initial weights.

*Stochastic weight averaging* (Izmailov et al. 2018, arXiv:1803.05407): the mean of weights at regular steps
near the end of training. *Model soups* (Wortsman et al. 2022, arXiv:2203.05482): the mean of models that were
fine-tuned from the same initial weights; a greedy soup adds a model only if validation improves. Models with
different random initial weights cannot be averaged in general: a test shows two that compute the same
function and whose mean is bad.

A state is a dict of tensors as `nn.Module.state_dict` gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from recsys.ensembling.errors import EnsembleError

State = Mapping[str, Tensor]


def average(states: Sequence[State], weights: Sequence[float] | None = None) -> dict[str, Tensor]:
    """Σ_s w_s θ_s, weights scaled to sum to one (None: equal); integer tensors are taken from the last state.

    Sums are float64, so the order of the states matters only for the last bit.

    Raises:
        EnsembleError: no states, other names or shapes, weights that do not fit, or not finite numbers.
    """
    if not states:
        raise EnsembleError("no weights to average: give the state of at least one model")
    weights = [1.0] * len(states) if weights is None else list(map(float, weights))
    if len(weights) != len(states) or min(weights) < 0 or not sum(weights) > 0:
        raise EnsembleError(f"{len(states)} states need as many weights ≥ 0, not all 0; got {weights}")
    shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in states]
    for other in shapes[1:]:
        if other != shapes[0]:
            odd = sorted(n for n in shapes[0].keys() | other.keys() if shapes[0].get(n) != other.get(n))
            raise EnsembleError(f"the models differ in {odd[0]} ({len(odd)} tensors): only like ones average")
    found = {}
    for name, last in states[-1].items():
        if not last.is_floating_point():
            found[name] = last.clone()
            continue
        total = sum(w * state[name].double() for w, state in zip(weights, states, strict=True))
        found[name] = (total / sum(weights)).to(last.dtype)
        if not torch.isfinite(found[name]).all():
            raise EnsembleError(f"{name} is not finite in one of the models: it diverged")
    return found


class RunningAverage:
    """The mean of a model's weights at regular steps; pass `on_step` to `recsys.training.loop.train`.

    Args:
        model: that is trained.
        first: step at which averaging begins, ≥ 1.
        every: steps between two snapshots, ≥ 1.

    Raises:
        EnsembleError: first or every below 1. By `state`: there was no snapshot.
    """

    def __init__(self, model: nn.Module, first: int, every: int = 1):
        if first < 1 or every < 1:
            raise EnsembleError(f"first and every must be at least 1, got {first} and {every}")
        self.model, self.first, self.every, self.count = model, first, every, 0
        self.sums: dict[str, Tensor] = {}

    def on_step(self, step: int) -> None:
        """Called after optimiser step 1, 2, …"""
        if step < self.first or (step - self.first) % self.every:
            return
        self.count += 1
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point():
                kept = self.sums.setdefault(name, torch.zeros_like(tensor, dtype=torch.float64))
                kept += tensor.detach()

    def state(self) -> dict[str, Tensor]:
        """The mean of floating-point tensors, and the current values of others."""
        if not self.count:
            raise EnsembleError(f"no step was averaged: training ended before step {self.first}")
        now = self.model.state_dict()
        return {
            name: (self.sums[name] / self.count).to(tensor.dtype) if name in self.sums else tensor.clone()
            for name, tensor in now.items()
        }


def greedy_soup(
    states: Sequence[State], measure: Callable[[State], float]
) -> tuple[dict[str, Tensor], list[int], float]:
    """Recipe 1 of Wortsman et al.: in order of quality, each model is added if validation does not fall.

    Args:
        states: of models fine-tuned from the same initial weights.
        measure: state -> quality on validation, higher is better.

    Returns:
        The soup, the indices of its ingredients in `states`, and its quality, never below the best one's.

    Raises:
        EnsembleError: see `average`.
    """
    if not states:
        raise EnsembleError("no weights to average: give the state of at least one model")
    alone = [measure(state) for state in states]
    order = sorted(range(len(states)), key=lambda one: -alone[one])
    chosen, value = [order[0]], alone[order[0]]
    for one in order[1:]:
        tried = measure(average([states[i] for i in (*chosen, one)]))
        if tried >= value:
            chosen, value = [*chosen, one], tried
    return average([states[i] for i in chosen]), chosen, value
