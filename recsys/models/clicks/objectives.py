"""Training objectives of click models by name: a loss and an optional penalty Ω.

A name is a loss, followed by "_l2" or "_dropout" for a penalty: "bce_l2". Ω does not apply to the constant
feature and the items' biases.

L2: Ω = (λ/N) (‖W‖² + ‖X‖²), ‖X‖² only where user vectors are learned; λ = 1/(2σ²) is a normal prior of
variance σ² on every entry. Dropout: every entry of x_u is zeroed with probability λ and the others are
divided by 1 − λ, which for a linear score penalises large weights (Wager et al. 2013, arXiv:1307.1493).

B: users in a batch. d: width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from recsys.losses.click_likelihood import l2_penalty, negative_log_likelihood, printed_loss
from recsys.losses.clicks import Clicks
from recsys.losses.pairwise import bayesian_personalised_ranking, draw_negatives
from recsys.losses.softmax import sampled_softmax, softmax_cross_entropy

SAMPLED_ITEMS = 256  # drawn for each step of sampled softmax
NEGATIVES = 4  # drawn for each click and step of BPR
FLATTENING = 0.75  # exponent of popularity in the proposal of sampled softmax (as in word2vec)

LOSSES = ("printed", "positives_only", "bce", "softmax", "sampled_softmax", "bpr")
DETERMINISTIC = ("bce", "softmax")  # losses without random draws; convex in W where x_u is given
PENALTIES = ("l2", "dropout")


@dataclass(frozen=True)
class Objective:
    """A loss of `LOSSES`, a penalty of `PENALTIES` or "", and the penalty's strength λ ≥ 0."""

    loss: str
    penalty: str = ""
    strength: float = 0.0

    @property
    def is_smooth(self) -> bool:
        """Whether the objective is deterministic, so that L-BFGS can minimise it."""
        return self.loss in DETERMINISTIC and self.penalty != "dropout"


def parse_objective(name: str, strength: float = 0.0) -> Objective:
    """An objective from its name ("bce_l2") and a strength, which is dropped where there is no penalty.

    Raises:
        ValueError: unknown loss or penalty, or a strength out of range (a dropout rate is below 1).

    Example:
        >>> parse_objective("bce_l2", strength=10.0)
        Objective(loss='bce', penalty='l2', strength=10.0)
    """
    loss, _, penalty = name.rpartition("_")
    if penalty not in PENALTIES:
        loss, penalty = name, ""
    if loss not in LOSSES:
        raise ValueError(
            f"unknown objective {name!r}; losses: {', '.join(LOSSES)}, each alone or with _l2 or _dropout"
        )
    if not 0 <= strength < (1 if penalty == "dropout" else float("inf")):
        raise ValueError(f"strength {strength} is out of range for {name}; a dropout rate lies in [0, 1)")
    return Objective(loss, penalty, strength if penalty else 0.0)


class ObjectiveValue:
    """Evaluates an objective on batches of users; holds the random numbers that it draws."""

    def __init__(self, objective: Objective, clicks: Clicks, generator: torch.Generator) -> None:
        self.objective = objective
        self.generator = generator
        self.n_users = clicks.n_users
        counts = torch.bincount(clicks.items, clicks.counts.double(), clicks.n_items)
        self.proposal = (counts + 1).pow(FLATTENING)
        self.proposal /= self.proposal.sum()

    def __call__(self, users: Tensor, items: Tensor, clicks: Clicks, users_learned: bool) -> Tensor:
        """Loss per user plus Ω.

        Args:
            users: [B, d] vectors of a batch, first column 1. items: [M, d]. clicks: of the batch.
            users_learned: whether Ω counts the user vectors too.

        Returns:
            0-d float64, differentiable.
        """
        strength = self.objective.strength
        if self.objective.penalty == "dropout":
            kept = torch.rand(len(users), users.shape[1] - 1, generator=self.generator) >= strength
            users = torch.cat([users[:, :1], users[:, 1:] * kept / (1 - strength)], dim=1)
        value = self._loss(self.objective.loss)(users, items, clicks)
        if self.objective.penalty == "l2":
            value = value + l2_penalty(items[:, 1:], strength / self.n_users)
            if users_learned:  # a batch's user vectors represent all users
                value = value + l2_penalty(users[:, 1:], strength / len(users))
        return value

    def _loss(self, name: str) -> Callable[[Tensor, Tensor, Clicks], Tensor]:
        return {
            "printed": printed_loss,
            "positives_only": lambda *vectors: -printed_loss(*vectors),
            "bce": negative_log_likelihood,
            "softmax": softmax_cross_entropy,
            "sampled_softmax": self._sampled_softmax,
            "bpr": self._ranking,
        }[name]

    def _sampled_softmax(self, users: Tensor, items: Tensor, clicks: Clicks) -> Tensor:
        drawn = torch.multinomial(self.proposal, SAMPLED_ITEMS, replacement=True, generator=self.generator)
        return sampled_softmax(users, items, clicks, drawn, self.proposal.log())

    def _ranking(self, users: Tensor, items: Tensor, clicks: Clicks) -> Tensor:
        negatives = draw_negatives(clicks, NEGATIVES, self.generator)
        return bayesian_personalised_ranking(users, items, clicks, negatives)
