"""A small network over all products at once that reads the title's vector: all quantiles from one pass.

The words come from a pretrained language model, frozen: its vectors' main directions, and what products of
like titles did lately. The same network without them is the comparison that shows what the words are worth.

n: samples. F: features. K: quantiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from recsys.applications.demand.features import known_at
from recsys.applications.demand.forecaster import (
    Common,
    Entry,
    Forecast,
    Samples,
    as_forecast,
    training_samples,
)
from recsys.applications.demand.weekly import WeeklyDemand
from recsys.training.loop import train
from recsys.training.settings import TrainingSettings

CLIP = 5.0  # standard deviations of an input
BATCH = 512
FEWEST_STEPS = 1000  # of training, however few samples there are: eight passes of 45 stores are 18 steps


class QuantileNetwork(nn.Module):
    """[n, F] -> [n, K] quantiles ≥ 0 that rise along K by construction: each adds a softplus to the last.

    Inputs are held within what training showed of each: a season that no training week had would else be
    extrapolated, which trees can't do and a network does without bounds.

    Args:
        features: [n, F] of training, for means, spreads and bounds.
        quantiles, width, dropout: K, of the hidden layers, of training.
    """

    def __init__(self, features: np.ndarray, quantiles: int, width: int, dropout: float):
        super().__init__()
        known = torch.from_numpy(np.asarray(features, dtype=np.float32))
        self.register_buffer("mean", known.mean(dim=0))
        self.register_buffer("spread", known.std(dim=0) + 1e-3)
        self.register_buffer("low", known.amin(dim=0))
        self.register_buffer("high", known.amax(dim=0))
        self.layers = nn.Sequential(
            nn.Linear(known.shape[1], width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(width, quantiles),
        )

    def forward(self, features: Tensor) -> Tensor:
        inside = torch.minimum(torch.maximum(features, self.low), self.high)
        standard = ((inside - self.mean) / self.spread).clamp(-CLIP, CLIP)
        return softplus(self.layers(standard)).cumsum(dim=1)


class _Rows:
    """`Samples` of `recsys.training.loop.train`."""

    lengths = None

    def __init__(self, samples: Samples):
        self.tensors = {
            name: torch.from_numpy(np.ascontiguousarray(getattr(samples, name), dtype=np.float32))
            for name in ("features", "target", "weight")
        }

    def __len__(self) -> int:
        return len(self.tensors["target"])

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        return {name: tensor[torch.from_numpy(indices)] for name, tensor in self.tensors.items()}


def pinball(target: Tensor, quantiles: Tensor, levels: Tensor) -> Tensor:
    """[n, K] loss of each quantile: level · miss above it, (1 − level) · miss below it."""
    miss = target[:, None] - quantiles
    return torch.maximum(levels * miss, (levels - 1) * miss)


class Network:
    """One `QuantileNetwork` for the horizon it was fitted for.

    Args:
        common: seed, levels, steps; its text is read where `words` says so.
        width, dropout, rate, epochs: of the network and its training.
    """

    def __init__(
        self, common: Common, words: bool, width: int, rate: float, dropout: float = 0.1, epochs: int = 8
    ):
        self.common, self.text = common, common.text if words else None
        self.width, self.dropout = width, dropout
        self.training = TrainingSettings(
            epochs=epochs,
            learning_rate=rate,
            batch_size=BATCH,
            weight_decay=1e-4,
            schedule="cosine",
            seed=common.seed,
            max_steps=common.max_steps or None,
        )

    def fit(self, demand: WeeklyDemand, until: int, horizon: int) -> Network:
        self.horizon = horizon
        samples = training_samples(demand, until, horizon, self.text)
        levels = torch.tensor(self.common.levels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.common.seed)
            network = QuantileNetwork(samples.features, len(levels), self.width, self.dropout)

        def loss(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
            each = pinball(batch["target"], model(batch["features"]), levels.to(batch["target"].device))
            return (each.mean(dim=1) * batch["weight"]).sum(), len(each)

        enough = FEWEST_STEPS * BATCH / len(samples.target)
        training = replace(self.training, epochs=max(self.training.epochs, enough))
        self.network = train(network, _Rows(samples), loss, training, progress=False).model
        return self

    def forecast(self, demand: WeeklyDemand, origin: int) -> Forecast:
        known = known_at(demand, origin, self.horizon, self.text)
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            scaled = self.network(torch.from_numpy(known.features).to(device)).cpu().numpy()
        return as_forecast(known.active, known.scale, scaled.astype(float))


SETTINGS = ({"width": 64, "rate": 2e-3}, {"width": 128, "rate": 1e-3}, {"width": 128, "rate": 3e-3})


def _without(common: Common, setting: Mapping[str, Any]) -> Network:
    return Network(common, False, **setting)


def _with(common: Common, setting: Mapping[str, Any]) -> Network:
    return Network(common, True, **setting)


NETWORK = Entry(_without, SETTINGS, levels_apart=False)
NETWORK_TEXT = Entry(_with, SETTINGS, needs_text=True, levels_apart=False)
