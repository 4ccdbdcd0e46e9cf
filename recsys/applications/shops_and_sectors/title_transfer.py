"""One shop's purchases teach an encoder of titles; does another shop, with other users, gain by it?

Two shops without a common user have one thing in common: titles. The encoder is trained on pairs of products
that a user of the first shop bought one after the other (Henderson et al. 2017, arXiv:1705.00652, in-batch
negatives), and then ranks the second shop's catalogue by the cosine with a user's newest product, as the
untuned encoder does. *own* is the same training on the second shop's own training purchases.

M: items. D: width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.applications.shops_and_sectors.pairs import PairError
from recsys.baselines.new_users import NewUsersGetPopular
from recsys.baselines.popularity import Popularity, RandomScorer
from recsys.data.histories import histories
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.metrics.lists import coverage_and_novelty, recommend
from recsys.metrics.ranking import earlier_events, evaluate, ranking_metrics
from recsys.models.next_item.data import TITLE_TOKENS, NextItemData, load_next_item
from recsys.models.next_item.evaluation import fewer_users, with_known_history
from recsys.models.next_item.zero_shot import ZeroShot
from recsys.training.contrastive_samples import TextPairs, contrastive_loss, title_pairs
from recsys.training.loop import train
from recsys.training.settings import TrainingSettings

METHODS = ("random", "popularity", "untuned", "own", "carried")
BATCH = 64
STEPS = 100
LISTED = 2000  # users whose lists coverage is read off


@dataclass(frozen=True)
class TitleSettings:
    """dataset: the shop that is judged. other: the shop whose purchases teach, of "carried". method: of
    METHODS. steps: of training, 0 is `STEPS`. most: users judged, 0 is all. seed: of training."""

    dataset: str = "demo_store"
    other: str = "beauty"
    method: str = "carried"
    backbone: str = "minilm"
    steps: int = 0
    most: int = 0
    seed: int = 0


def compare_titles(settings: TitleSettings) -> tuple[dict[str, float], pd.DataFrame, pd.DataFrame]:
    """Metrics of the method, positions of the test purchases, and a row for it and for the trivial ones.

    Raises:
        PairError: no such method, or "carried" from the shop itself.
        RegistryError, DataUnavailable, ValueError: as `recsys.models.next_item.data.load_next_item`; a shop
            without titles.
    """
    if settings.method not in METHODS or (settings.method, settings.dataset) == ("carried", settings.other):
        raise PairError(
            f"method is one of {', '.join(METHODS)}, and titles are carried over from another shop: "
            f"{settings.method} from {settings.other} to {settings.dataset}"
        )
    data = load_next_item(settings.dataset)
    data.required_titles()
    rows, found = [], {}
    for name in dict.fromkeys(("random", "popularity", settings.method)):
        found[name] = _judge(_model(name, data, settings), data, settings.most)
        rows.append({"method": name, **found[name][0]})
    metrics, positions = found[settings.method]
    extra = {
        "ndcg@10_popularity": found["popularity"][0]["ndcg@10"],
        "units": float(positions["user"].nunique()),
    }
    return metrics | extra, positions, pd.DataFrame(rows)


def _model(name: str, data: NextItemData, settings: TitleSettings):
    size = data.split.n_users, data.split.n_items
    if name == "random":
        return RandomScorer(settings.seed).fit(data.train, *size)
    if name == "popularity":
        return Popularity().fit(data.train, *size)
    vectors = data.text_vectors(settings.backbone) if name == "untuned" else _taught(name, data, settings)
    return NewUsersGetPopular(ZeroShot(vectors)).fit(data.train, *size)


def _taught(name: str, data: NextItemData, settings: TitleSettings) -> np.ndarray:
    """[M, D] titles of the judged shop through the encoder that the teaching shop's purchases trained."""
    teacher = data if name == "own" else load_next_item(settings.other)
    steps = settings.steps or STEPS
    bought = histories(teacher.train, teacher.split.n_users)
    left, right = title_pairs(bought, teacher.required_titles(), steps * BATCH, settings.seed)
    network = load_backbone(settings.backbone, seed=settings.seed)
    how = TrainingSettings(
        epochs=1,
        learning_rate=2e-5,
        batch_size=BATCH,
        max_steps=steps,
        length_buckets=False,
        seed=settings.seed,
    )
    train(network, TextPairs(network, left, right, TITLE_TOKENS), contrastive_loss, how, progress=False)
    return embed_texts(network, data.described, max_tokens=TITLE_TOKENS)


def _judge(model, data: NextItemData, users: int) -> tuple[dict[str, float], pd.DataFrame]:
    parts = fewer_users(data.split, users) if users else data.split
    asked = with_known_history(model, data)
    positions = evaluate(asked, parts, "test")
    metrics = ranking_metrics(positions)[0]
    listed = positions["user"].unique()[:LISTED]
    _, lists = recommend(asked, listed, 10, earlier_events(data.split, "test"))
    counts = np.bincount(data.train["item"], minlength=data.split.n_items)
    reached = coverage_and_novelty(lists, counts)
    return {**{name: metrics[name] for name in ("ndcg@10", "hr@10", "mrr")}, **reached}, positions
