"""Fits a click model: Adam on batches of users or, where the problem is convex, L-BFGS to its optimum.

N: users. M: items. d: width. B: users in a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys.models.clicks.data import ClickData
from recsys.models.clicks.model import ClickModel, popularity, untrained
from recsys.models.clicks.objectives import ObjectiveValue, parse_objective

CONVERGED = 1e-4  # gradient norm over its value at the start: L-BFGS stops below
MEMORY = 20  # past steps that L-BFGS keeps
ROUND = 10  # steps between two checks of the gradient norm
LOGGED = 100  # points of a training curve


@dataclass(frozen=True)
class Fit:
    """A trained model and how training went.

    Attributes:
        model: the result.
        curve: columns step, loss (the objective's value on the step's batch), gradient_norm.
        gradient_ratio: norm of the objective's gradient at the end over that at the start.
        solver: "L-BFGS", "Adam" or "none".
    """

    model: ClickModel
    curve: pd.DataFrame
    gradient_ratio: float
    solver: str


def fit(
    data: ClickData,
    objective: str,
    learning_rate: float = 0.03,
    strength: float = 0.0,
    steps: int = 300,
    batch_users: int = 1024,
    width: int = 64,
    seed: int = 0,
) -> Fit:
    """Train a click model on the training clicks.

    Args:
        objective: "untrained", "popularity", or a name of `recsys.models.clicks.objectives`.
        learning_rate: of Adam; falls to 0 along a cosine.
        strength: of the objective's penalty.
        steps: of Adam, or the maximum of L-BFGS.
        batch_users: B; all users where there are fewer.
        width: d of learned user vectors; given features have their own.
        seed: of the initial weights, the batches and the objective's draws.

    Raises:
        ValueError: unknown objective, or a number out of range.

    Example:
        >>> from recsys.models.clicks.planted import planted_clicks
        >>> small = planted_clicks(n_users=50, n_items=40, clicks_per_user=3, width=4)
        >>> fit(small, "bce_l2", strength=5.0).solver
        'L-BFGS'
    """
    if objective in ("untrained", "popularity"):
        model = untrained(data, width, seed) if objective == "untrained" else popularity(data, width)
        return Fit(model, pd.DataFrame({"step": [], "loss": [], "gradient_norm": []}), 1.0, "none")
    if steps < 1 or batch_users < 1 or learning_rate <= 0:
        raise ValueError(
            f"need steps, batch_users ≥ 1, got {steps}, {batch_users}; learning_rate > 0, got {learning_rate}"
        )
    parsed = parse_objective(objective, strength)
    value = ObjectiveValue(parsed, data.clicks, torch.Generator().manual_seed(seed + 1))
    start = untrained(data, width, seed)
    if parsed.is_smooth and data.features is not None:
        return _fit_convex(data, value, start, steps)
    return _fit_in_batches(data, value, start, learning_rate, steps, batch_users)


def _fit_in_batches(
    data: ClickData,
    value: ObjectiveValue,
    start: ClickModel,
    learning_rate: float,
    steps: int,
    batch_users: int,
) -> Fit:
    """Adam on batches of users; the user vectors are trained too where no features are given."""
    users_learned = data.features is None
    items = start.item_vectors.clone().requires_grad_()
    tail = start.user_vectors[:, 1:].clone().requires_grad_(users_learned)
    parameters = [items, tail] if users_learned else [items]
    optimiser = torch.optim.Adam(parameters, lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    curve = []
    for step, batch in zip(range(steps), _batches(data.n_users, batch_users, value.generator), strict=False):
        everyone = len(batch) == data.n_users
        vectors = torch.cat([torch.ones(len(batch), 1), tail if everyone else tail[batch]], dim=1)
        clicks = data.clicks if everyone else data.clicks.of_users(batch)
        optimiser.zero_grad()
        loss = value(vectors, items, clicks, users_learned)
        loss.backward()
        curve.append((step, loss.item(), _norm(parameters)))
        optimiser.step()
        schedule.step()
    users = torch.cat([torch.ones(data.n_users, 1), tail.detach()], dim=1)
    curve = pd.DataFrame(curve, columns=["step", "loss", "gradient_norm"])
    ratio = curve["gradient_norm"].iloc[-1] / curve["gradient_norm"].iloc[0]
    return Fit(ClickModel(users, items.detach()), _thinned(curve), float(ratio), "Adam")


def _batches(n_users: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Batches of distinct users without end: each round goes through all users in a new order."""
    while True:
        if size >= n_users:
            yield torch.arange(n_users)
        else:
            whole = n_users // size * size  # equal batches, so that Ω weighs the same in every step
            yield from torch.randperm(n_users, generator=generator)[:whole].split(size)


def _fit_convex(data: ClickData, value: ObjectiveValue, start: ClickModel, steps: int) -> Fit:
    """L-BFGS over W until the relative gradient norm is `CONVERGED` or about `steps` steps are taken.

    An item's curvature grows with its click rate, and rates differ by a factor of a hundred. Each w_i is
    therefore scaled by the square root of a bound on its curvature (preconditioning), which saves four of
    five steps.
    """
    clickers = torch.bincount(data.clicks.items, minlength=data.n_items)
    scale = ((clickers + 1 + 2 * value.objective.strength) / data.n_users).sqrt()[:, None]
    scaled = (start.item_vectors * scale).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [scaled],
        max_iter=ROUND,
        history_size=MEMORY,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
    curve: list[tuple[int, float, float]] = []

    def evaluate() -> Tensor:
        optimiser.zero_grad()
        items = scaled / scale
        items.retain_grad()
        loss = value(start.user_vectors, items, data.clicks, users_learned=False)
        loss.backward()
        curve.append((len(curve), loss.item(), _norm([items])))
        return loss

    for _ in range(-(-steps // ROUND)):
        optimiser.step(evaluate)
        evaluate()
        if curve[-1][2] <= CONVERGED * curve[0][2]:
            break
    frame = pd.DataFrame(curve, columns=["step", "loss", "gradient_norm"])
    model = ClickModel(start.user_vectors, (scaled / scale).detach())
    return Fit(model, _thinned(frame), curve[-1][2] / curve[0][2], "L-BFGS")


def _norm(parameters: list[Tensor]) -> float:
    return float(sum(p.grad.square().sum(dtype=torch.float64) for p in parameters) ** 0.5)


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """At most `LOGGED` rows, including the first and the last."""
    keep = np.unique(np.linspace(0, len(curve) - 1, LOGGED).round().astype(int))
    return curve.iloc[keep].reset_index(drop=True)
