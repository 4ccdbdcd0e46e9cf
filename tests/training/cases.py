"""Small models and samples that the training tests share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from recsys.training import TrainingSettings

CLASSES = 5


class Rows:
    """n rows of noise with a class that a linear model can learn. n is odd: the last batch is uneven."""

    def __init__(self, n: int = 101, width: int = 8, lengths: np.ndarray | None = None):
        stream = torch.Generator().manual_seed(1)
        self.x = torch.randn(n, width, generator=stream)
        self.y = (self.x @ torch.randn(width, CLASSES, generator=stream)).argmax(1)
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.x)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        chosen = torch.from_numpy(indices)
        return {"x": self.x[chosen], "y": self.y[chosen]}


def classifier(width: int = 8, dropout: float = 0.0, seed: int = 3) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(width, 16), nn.LayerNorm(16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, CLASSES)
        )


def class_loss(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
    return cross_entropy(model(batch["x"]), batch["y"], reduction="sum"), len(batch["y"])


def accuracy(samples: Rows):
    return lambda model: (model(samples.x).argmax(1) == samples.y).double().mean().item()


def settings(**changes) -> TrainingSettings:
    plain = {"epochs": 2, "learning_rate": 1e-2, "batch_size": 32} | changes
    if "token_budget" in changes:
        plain["batch_size"] = None
    return TrainingSettings(**plain)


def bits(model: nn.Module) -> dict[str, bytes]:
    return {name: value.cpu().numpy().tobytes() for name, value in model.state_dict().items()}
