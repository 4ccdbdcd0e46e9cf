"""S = α s + β f over a whole catalogue of real purchases: does the sum beat the better of its parts?

There is no query here: what the user bought last stands for what he looks for. s: cosine of a product's title
with the title of his newest purchase, nothing trained (`recsys.models.next_item.zero_shot`). f: the reaction
that other users' purchases predict (item neighbours, `recsys.baselines.item_knn`), of purchases before the
judged one alone. α is chosen on validation purchases, with both parts standardised over the catalogue.

U: users. M: products.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from recsys.baselines.item_knn import ItemKNN
from recsys.baselines.popularity import Popularity
from recsys.data.splits import Split
from recsys.ensembling.score_fusion import convex
from recsys.metrics.ranking import Scorer, evaluate, ranking_metrics
from recsys.models.next_item.data import load_next_item
from recsys.models.next_item.evaluation import fewer_users
from recsys.models.next_item.zero_shot import ZeroShot
from recsys.search.ranking import SHARES
from recsys.search.studies.study import Study, StudySettings, study

CHOSEN, JUDGED = 1500, 4000  # users at most, evenly drawn
COLUMN = "ndcg@10"


@dataclass(frozen=True)
class ScoreSum:
    """A scorer: α of one and 1 − α of the other, each standardised over the M products of a user."""

    match: Scorer
    feedback: Scorer
    alpha: float

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M]."""
        parts = [self.match.score(users), self.feedback.score(users)]
        return convex([np.asarray(one, np.float32) for one in parts], [self.alpha, 1 - self.alpha])


def purchase_sum(settings: StudySettings) -> Study:
    """NDCG@10 of the next purchase by user, over all products: the sum minus its better part by validation.

    Lists (users): `sum_better:difference`, `sum_text:difference`, `sum_feedback:difference`.

    Raises:
        ValueError: the shop has no titles.
    """
    data = load_next_item(settings.dataset)
    data.required_titles()
    text, split = data.text_vectors(settings.backbone), data.split
    chosen, judged = fewer_users(split, CHOSEN), fewer_users(split, JUDGED)
    before = _parts(text, split.train, split)
    surface = {
        alpha: _ndcg(ScoreSum(before["text"], before["feedback"], alpha), chosen, "validation").mean()
        for alpha in SHARES
    }
    alpha = max(surface, key=surface.get)
    better = "text" if surface[1.0] >= surface[0.0] else "feedback"
    known = _parts(text, data.known, split)
    known["sum"] = ScoreSum(known["text"], known["feedback"], alpha)
    found = pd.DataFrame({name: _ndcg(model, judged, "test") for name, model in known.items()})
    lists = pd.DataFrame({"sum_better:difference": found["sum"] - found[better]})
    for name in ("text", "feedback"):
        lists[f"sum_{name}:difference"] = found["sum"] - found[name]
    shown = found.mean().rename(COLUMN).rename_axis("scorer").reset_index()
    shown.loc[len(shown)] = ["random", _of_chance(split.n_items)]
    curve = pd.DataFrame({COLUMN: surface}).rename(lambda share: f"validation, α = {share}")
    curve = curve.rename_axis("scorer").reset_index()
    return study(lists, pd.concat([shown, curve], ignore_index=True), alpha=float(alpha))


def _parts(text: np.ndarray, events: pd.DataFrame, split: Split) -> dict[str, Scorer]:
    models = {"text": ZeroShot(text), "feedback": ItemKNN(), "popularity": Popularity()}
    return {name: model.fit(events, split.n_users, split.n_items) for name, model in models.items()}


def _ndcg(model: Scorer, split: Split, part: Literal["validation", "test"]) -> pd.Series:
    return ranking_metrics(evaluate(model, split, part), (10,))[1][COLUMN]


def _of_chance(items: int) -> float:
    return float((1 / np.log2(np.arange(2, 12))).sum() / items)
