"""Feedback predicted jointly (多任务学习): click, cart, purchase and rating from one trunk.

Shared: what the encoder says of query and title (the product of the two unit vectors, dimension by
dimension) through one map, then features of user and item, one hidden layer, a head each. The stages are a
chain over all views (entire space, Ma et al. 2018, arXiv:1804.07931):

    P(cart) = P(click) · P(cart | click)        P(purchase) = P(cart) · P(purchase | cart)

so that rare purchases learn from all views and never exceed carts. A rating is learnt where there is one.
Each task's loss is divided by that of its constant prediction: a rare stage counts as much as a common one.

Probabilities are calibrated on a later part (Platt 1999: a line through the logit).

n: views. D: width of the encoder. F: features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from recsys.search.errors import SearchError
from recsys.search.feedback.outcomes import STAGES
from recsys.training.loop import train
from recsys.training.settings import TrainingSettings

TASKS = (*STAGES, "rating")
TEXT_WIDTH, HIDDEN = 8, 16
FLAT = 1e-3  # slope of a calibrating line that would fall
LEAST = 1e-6  # probability, at the ends of the logit
SETTINGS = TrainingSettings(
    epochs=6,
    learning_rate=2e-3,
    schedule="linear",
    weight_decay=1e-2,
    batch_size=512,
    length_buckets=False,
)


class JointNetwork(nn.Module):
    """text: D → TEXT_WIDTH. trunk: with F features → HIDDEN. head: logits of click, of cart given click, of
    purchase given cart, and the rating's distance from its mean."""

    def __init__(self, width: int, features: int, dropout: float = 0.1):
        super().__init__()
        self.text = nn.Sequential(nn.Linear(width, TEXT_WIDTH), nn.Tanh())
        self.trunk = nn.Sequential(nn.Linear(TEXT_WIDTH + features, HIDDEN), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(HIDDEN, len(TASKS))

    def forward(self, match: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """[n, D], [n, F] -> log P of each stage [n, 3], each at most the one before; rating [n]."""
        found = self.head(self.trunk(torch.cat([self.text(match), features], dim=1)))
        return logsigmoid(found[:, :3]).cumsum(dim=1), found[:, 3]


class _Views:
    """Samples: match [n, D], features [n, F], outcomes [n, 4] (rating: distance from the mean, or NaN)."""

    lengths = None

    def __init__(self, match: np.ndarray, features: np.ndarray, outcomes: np.ndarray):
        self.parts = {"match": match, "features": features, "outcomes": outcomes}
        self.parts = {name: torch.from_numpy(np.float32(x)) for name, x in self.parts.items()}

    def __len__(self) -> int:
        return len(self.parts["match"])

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        return {name: values[indices] for name, values in self.parts.items()}


class JointFeedback:
    """Learns the tasks together, or one of them alone, and is calibrated afterwards.

    Args:
        tasks: of TASKS, those that are learnt; the others' heads stay as they were drawn.
        settings: of training.

    Example:
        >>> model = JointFeedback().fit(match, features, outcomes).calibrate(*later)
        >>> model.predict(match, features)["purchase"]
    """

    def __init__(self, tasks: Sequence[str] = TASKS, settings: TrainingSettings = SETTINGS):
        unknown = [name for name in tasks if name not in TASKS]
        if unknown or not tasks:
            raise SearchError(f"tasks must be some of {', '.join(TASKS)}, not {', '.join(unknown) or 'none'}")
        self.tasks, self.settings = tuple(tasks), settings
        self.lines: dict[str, tuple[float, float]] = {}

    def fit(
        self,
        match: np.ndarray,
        features: np.ndarray,
        outcomes: np.ndarray,
        seed: int = 0,
        later: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    ) -> JointFeedback:
        """Train on n views.

        Args:
            match: [n, D] products of the unit vectors of query and title.
            features: [n, F], standardised here.
            outcomes: [n, 4] click, cart, purchase (0 or 1), rating (NaN: none), see `outcomes`.
            later: the same three of a later part: the weights are kept that were best there after a pass.

        Raises:
            SearchError: shapes that differ, numbers that are not finite, a stage all alike.
        """
        match, features, outcomes = (np.asarray(x, dtype=float) for x in (match, features, outcomes))
        if not len(match) == len(features) == len(outcomes) or outcomes.shape[1:] != (len(TASKS),):
            raise SearchError(f"views differ in number: {len(match)}, {len(features)}, {outcomes.shape}")
        if not (np.isfinite(match).all() and np.isfinite(features).all()):
            raise SearchError("a feature is NaN or infinite: say what a missing one is worth")
        rates = outcomes[:, :3].mean(axis=0)
        if not ((rates > 0) & (rates < 1)).all():
            raise SearchError(f"a stage is all alike among {len(match)} views: nothing of it can be learnt")
        self.centre, self.spread = features.mean(axis=0), features.std(axis=0).clip(1e-9)
        rated = outcomes[:, 3][np.isfinite(outcomes[:, 3])]
        self.mean_rating, spread = (float(rated.mean()), float(rated.std())) if len(rated) else (3.0, 1.0)
        own = np.column_stack([outcomes[:, :3], outcomes[:, 3] - self.mean_rating])
        torch.manual_seed(seed)
        self.network = JointNetwork(match.shape[1], features.shape[1])
        with torch.no_grad():  # heads start at the stages' own rates
            steps = torch.from_numpy(logit(rates / np.r_[1.0, rates[:-1]]).clip(-10, 10))
            self.network.head.bias[:3] = steps.float()
            self.network.head.bias[3] = 0.0
        entropy = -(rates * np.log(rates) + (1 - rates) * np.log1p(-rates))
        scale = torch.tensor([*entropy, max(spread, 1e-3) ** 2], dtype=torch.float32)
        loss = _loss(scale, [TASKS.index(name) for name in self.tasks])
        samples = _Views(match, self._standardised(features), own)
        settings, task = replace(self.settings, seed=seed), f"feedback {' '.join(self.tasks)}"
        best = None if later is None else self._worth(loss, *later)
        self.result = train(self.network, samples, loss, settings, evaluate=best, task=task)
        self.network.eval()
        return self

    def calibrate(self, match: np.ndarray, features: np.ndarray, outcomes: np.ndarray) -> JointFeedback:
        """Learn a line through each stage's logit from views that were not trained on; a stage that is all
        alike there keeps its own."""
        found = self.predict(match, features, calibrated=False)
        for place, stage in enumerate(STAGES):
            truth = np.asarray(outcomes)[:, place]
            if stage in self.tasks and 0 < truth.mean() < 1:
                model = LogisticRegression(C=1e6).fit(_logit(found[stage])[:, None], truth)
                slope, level = float(model.coef_[0, 0]), float(model.intercept_[0])
                if slope < FLAT:  # it would turn the order round: then only the level is mended
                    slope, level = FLAT, float(logit(truth.mean()) - FLAT * _logit(found[stage]).mean())
                self.lines[stage] = slope, level
        return self

    @torch.no_grad()
    def predict(
        self, match: np.ndarray, features: np.ndarray, calibrated: bool = True
    ) -> dict[str, np.ndarray]:
        """[n] probabilities of the stages that were learnt, and the expected rating, clipped to 1 … 5."""
        parts = np.float32(match), np.float32(self._standardised(np.asarray(features, dtype=float)))
        stages, rating = self.network(*map(torch.from_numpy, parts))
        found = {stage: stages[:, i].exp().double().numpy() for i, stage in enumerate(STAGES)}
        for stage, (slope, level) in self.lines.items() if calibrated else ():
            found[stage] = expit(slope * _logit(found[stage]) + level)
        highest = 1.0  # a line of its own each: a stage never exceeds the one before
        for stage in [one for one in STAGES if one in self.tasks]:
            highest = found[stage] = np.minimum(found[stage], highest)
        found["rating"] = (rating.double().numpy() + self.mean_rating).clip(1, 5)
        return {name: found[name] for name in TASKS if name in self.tasks}

    def _worth(self, loss, match: np.ndarray, features: np.ndarray, outcomes: np.ndarray):
        """Minus the loss on other views, as a function of the network."""
        own = np.column_stack([outcomes[:, :3], outcomes[:, 3] - self.mean_rating])
        views = _Views(match, self._standardised(features), own)
        batch = views.collate(np.arange(len(views)))

        @torch.no_grad()
        def worth(network: nn.Module) -> float:
            training = network.training
            network.eval()
            found, count = loss(network, batch)
            network.train(training)
            return -float(found) / count

        return worth

    def _standardised(self, features: np.ndarray) -> np.ndarray:
        return (features - self.centre) / self.spread


def _loss(scale: Tensor, places: list[int]):
    def loss(network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        stages, rating = network(batch["match"], batch["features"])
        truth, count = batch["outcomes"], len(batch["outcomes"])
        stages = stages.clamp(max=-LEAST)
        entropy = -(truth[:, :3] * stages + (1 - truth[:, :3]) * torch.log1p(-stages.exp()))
        rated = torch.isfinite(truth[:, 3])
        error = torch.where(rated, rating - torch.nan_to_num(truth[:, 3]), torch.zeros_like(rating)).square()
        # ratings are few: their mean over those that are there, as often as a view counts
        each = torch.stack([*entropy.sum(dim=0), error.sum() * count / rated.sum().clamp(min=1)])
        return (each / scale.to(each.device))[places].sum(), count

    return loss


def _logit(probability: np.ndarray) -> np.ndarray:
    return logit(np.clip(probability, LEAST, 1 - LEAST))
