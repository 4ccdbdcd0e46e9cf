"""Online learning with drift detection, built on river.

Prequential evaluation (test, then train): each impression is predicted before its outcome is shown, so the
whole stream is test data without a leak. All learners here are the same logistic regression by FTRL-proximal
(McMahan et al. 2013, KDD) over the same few hashed features, and differ only in *when* they learn:

- frozen: once, from the stream before the cut;
- nightly: from every event, but the serving model is replaced at midnight only;
- online: from every event immediately;
- online_drift: as online; when ADWIN (Bifet & Gavaldà 2007, SDM) detects an increase of the loss, it restarts
  from the newest events.

A simple personal model: features are item, position, and the pair of user and the item's category.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from recsys.streaming.events import DAY

LEARNERS = ("rate", "frozen", "nightly", "online", "online_drift")
ALPHA, BETA, L1, L2 = 0.1, 1.0, 0.0, 1e-3  # river's FTRL-proximal; alpha chosen on demo-store seed 1
KEPT = 500  # newest impressions that a restarted model is trained on
CLIP = 1e-6


class Impression(NamedTuple):
    """A shown item and its outcome. time: ms. group: the item's category. place: position in the list."""

    time: int
    user: int
    item: int
    group: int
    place: int
    clicked: bool


def features(shown: Impression) -> dict[str, float]:
    """Features of an impression, name -> value."""
    return {
        "one": 1.0,
        f"item {shown.item}": 1.0,
        f"place {shown.place}": 1.0,
        f"group {shown.group}": 1.0,
        f"user {shown.user}": 1.0,
        f"user {shown.user} group {shown.group}": 1.0,
    }


def new_model():
    """An untrained learner.

    Raises:
        ImportError: river is not installed (`pip install 'recsys[streaming]'`).
    """
    from river import linear_model, optim

    return linear_model.LogisticRegression(
        optimizer=optim.FTRLProximal(alpha=ALPHA, beta=BETA, l1=L1, l2=L2), intercept_lr=0.0
    )


class Learner:
    """One of `LEARNERS` over a stream. Attribute drifts: times (ms) of detected drift.

    Args:
        kind: when it learns; "rate" is the trivial baseline, the overall click rate so far.
        cut: ms, when "frozen" stops learning.
    """

    def __init__(self, kind: str, cut: int):
        if kind not in LEARNERS:
            raise ValueError(f"learner must be one of {', '.join(LEARNERS)}, not {kind!r}")
        self.kind, self.cut = kind, cut
        self.drifts: list[int] = []
        self.shown = self.clicked = 0
        self.model = None if kind == "rate" else new_model()
        self.answering = self.model  # "nightly": a copy of last midnight
        self.night: int | None = None
        self.newest: deque[Impression] = deque(maxlen=KEPT)
        if kind == "online_drift":
            from river import drift

            self.alarm = drift.ADWIN(delta=1e-3)

    def probability(self, shown: Impression) -> float:
        """Predicted probability of a click, in (0, 1)."""
        if self.kind == "rate":
            return (self.clicked + 0.5) / (self.shown + 1)
        if self.kind == "nightly" and shown.time // DAY != self.night:
            self.answering, self.night = copy.deepcopy(self.model), shown.time // DAY
        model = self.answering if self.kind == "nightly" else self.model
        return min(1 - CLIP, max(CLIP, model.predict_proba_one(features(shown))[True]))

    def learn(self, shown: Impression, probability: float) -> None:
        """Learn from the outcome; `probability` is the prediction made before."""
        self.shown += 1
        self.clicked += shown.clicked
        if self.kind == "rate" or (self.kind == "frozen" and shown.time >= self.cut):
            return
        self.model.learn_one(features(shown), shown.clicked)
        if self.kind == "online_drift":
            self.newest.append(shown)
            self._watch(shown, probability)

    def _watch(self, shown: Impression, probability: float) -> None:
        before = self.alarm.estimation
        self.alarm.update(loss(probability, shown.clicked))
        if self.alarm.drift_detected and self.alarm.estimation > before:
            self.drifts.append(shown.time)
            self.model = new_model()
            for one in self.newest:
                self.model.learn_one(features(one), one.clicked)


def loss(probability: float, clicked: bool) -> float:
    """Log loss of one outcome, in nats."""
    return -math.log(probability if clicked else 1 - probability)


def prequential(impressions: list[Impression], learner: Learner) -> Iterator[float]:
    """The prediction of each impression, made before the learner is shown its outcome."""
    for shown in impressions:
        said = learner.probability(shown)
        learner.learn(shown, said)
        yield said
