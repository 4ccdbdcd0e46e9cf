"""A bi-encoder for search (双塔, two towers): query and title are encoded separately by one network.

Their cosine is the match s(u, v) of 004 §4.1. Untuned it is a strong baseline; tuned on graded pairs it
learns relevance in *this* shop. Products are encoded once, so a query costs only one short text.

P: pairs. N: products. D: width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from recsys.encoders.backbone import Backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.tokens import tokenise
from recsys.losses.contrastive import SCALE
from recsys.losses.cosine_order import cosine_order_loss
from recsys.search.errors import SearchError
from recsys.training.contrastive_samples import encode_by_length
from recsys.training.loop import train
from recsys.training.result import TrainingResult
from recsys.training.settings import TrainingSettings

QUERY_TOKENS, TITLE_TOKENS = 32, 64
LOSSES = ("order", "in_batch", "both", "pointwise")
SETTINGS = TrainingSettings(
    epochs=2,
    learning_rate=5e-5,
    schedule="linear",
    warmup_share=0.1,
    weight_decay=0.01,
    batch_size=64,
    length_buckets=False,  # a batch's pairs are each other's negatives: draw them at random, not by length
    mixed_precision="bf16",
)


@dataclass(frozen=True)
class GradedTraining:
    """Loss and settings for tuning a bi-encoder.

    loss: "order" (every better pair above every worse one, `recsys.losses.cosine_order`), "in_batch" (pairs
    of the highest grades, with the batch's titles of other queries as negatives), "both" (their sum),
    "pointwise" (squared error of the cosine against the grade scaled to 0 … 1). settings: of training.
    """

    loss: str = "order"
    settings: TrainingSettings = SETTINGS


class GradedPairs:
    """`Samples`: pairs of query and title with a grade, encoded separately."""

    lengths = None

    def __init__(self, backbone: Backbone, queries: Sequence[str], titles: Sequence[str], grades: np.ndarray):
        if not len(queries) == len(titles) == len(grades):
            raise SearchError(
                f"{len(queries)} queries, {len(titles)} titles and {len(grades)} grades: a pair has each"
            )
        self.queries = tokenise(backbone, queries, max_tokens=QUERY_TOKENS)
        self.titles = tokenise(backbone, titles, max_tokens=TITLE_TOKENS)
        self.grades = np.asarray(grades, dtype=np.float32)
        self.codes = np.unique(np.asarray(queries, dtype=object).astype(str), return_inverse=True)[1]

    def __len__(self) -> int:
        return len(self.grades)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """Token ids and masks of both sides [B, T], grade [B], code of the query [B]."""
        batch: dict[str, Tensor] = {
            "grade": torch.from_numpy(self.grades[indices]),
            "code": torch.from_numpy(self.codes[indices]),
        }
        for side, tokens in (("query", self.queries), ("title", self.titles)):
            batch[f"{side}_ids"], batch[f"{side}_mask"] = tokens.take(indices)
        return batch


def tune(
    backbone: Backbone,
    queries: Sequence[str],
    titles: Sequence[str],
    grades: np.ndarray,
    how: GradedTraining | None = None,
    seed: int = 0,
    folder: Path | None = None,
    progress: bool = False,
) -> TrainingResult:
    """Train a backbone on P graded pairs, in place; the same network encodes both sides.

    Args:
        queries, titles: P strings each. grades: [P], higher is better.
        how: loss and settings; None: `GradedTraining()`.
        seed: of batches and dropout.
        folder: for checkpoints.
        progress: show a progress bar.

    Raises:
        SearchError: no such loss, sides of different lengths, or equal grades only.
    """
    how = GradedTraining() if how is None else how
    if how.loss not in LOSSES:
        raise SearchError(f"loss must be one of {', '.join(LOSSES)}, not {how.loss!r}")
    samples = GradedPairs(backbone, queries, titles, grades)
    if len(samples) == 0 or np.ptp(samples.grades) == 0:
        raise SearchError("the grades are all alike: they tell no better pair from a worse one")
    best, lowest = float(samples.grades.max()), float(samples.grades.min())

    def loss(network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        ids, masks = ([batch[f"{side}_{what}"] for side in ("query", "title")] for what in ("ids", "mask"))
        query, title = (x.float() for x in encode_by_length(network, ids, masks))
        count, total = len(query), query.new_zeros(())
        if how.loss in ("order", "both"):
            total = total + count * cosine_order_loss(cosine_similarity(query, title), batch["grade"])
        if how.loss == "pointwise":
            wanted = (batch["grade"] - lowest) / (best - lowest)
            total = total + (cosine_similarity(query, title) - wanted).square().sum()
        good = batch["grade"] >= best
        if how.loss in ("in_batch", "both") and int(good.sum()) > 1:
            total = total + among_other_queries(query[good], title[good], batch["code"][good])
        return total if total.requires_grad else total + 0 * query.sum(), count

    settings = replace(how.settings, seed=seed)
    result = train(
        backbone, samples, loss, settings, folder=folder, task=f"graded {how.loss}", progress=progress
    )
    backbone.eval()
    return result


def among_other_queries(query: Tensor, title: Tensor, code: Tensor) -> Tensor:
    """−Σ_i log softmax_j(scale · cos(query_i, title_j)) at j = i, over i itself and pairs of other queries.

    As `recsys.losses.contrastive.in_batch_softmax`, but a shop has several right titles for a query: as
    negatives of each other a model that ranks all of them first would still be pushed.

    Args:
        query, title: [B, D]. code: [B] equal where the query is the same.

    Returns:
        0-d, float32, in nats.
    """
    scores = SCALE * normalize(query, dim=1) @ normalize(title, dim=1).t()
    same = (code[:, None] == code[None, :]).fill_diagonal_(False)
    wanted = torch.arange(len(query), device=query.device)
    return cross_entropy(scores.masked_fill(same, -torch.inf), wanted, reduction="sum")


def pair_cosines(backbone: Backbone, queries: Sequence[str], titles: Sequence[str]) -> np.ndarray:
    """[P] cosine of each query with its title; equal texts are encoded once."""
    left = embed_texts(backbone, queries, max_tokens=QUERY_TOKENS)
    right = embed_texts(backbone, titles, max_tokens=TITLE_TOKENS)
    return np.einsum("pd,pd->p", left, right)
