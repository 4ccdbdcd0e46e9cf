"""A cross-encoder (交叉编码器): re-ranks a few candidates by reading query and title in one sequence.

Score = w · first-stage score + head(h), with h the vector of "query [SEP] title". The head starts at 0 and w
at 1, so an untrained re-ranker keeps the first stage's order: encoders trained for cosines have never seen
joined texts, and a few hundred pairs are too few to learn it (see `recsys.models.labelled.pair_grader`).
Cross-encoders: Nogueira & Cho 2019 (arXiv:1901.04085); with the first stage's score: Askari et al. 2023
(arXiv:2301.09728).

P: pairs. B: pairs of a batch. D: width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from recsys.encoders.backbone import Backbone
from recsys.encoders.tokens import Tokens, tokenise
from recsys.losses.cosine_order import cosine_order_loss
from recsys.search.bi_encoder import QUERY_TOKENS, SETTINGS, TITLE_TOKENS
from recsys.search.errors import SearchError
from recsys.training.loop import train
from recsys.training.result import TrainingResult
from recsys.training.settings import TrainingSettings

READ_AT_ONCE = 64  # batch size in pairs when scoring


class CrossEncoder(nn.Module):
    """The network: `backbone` reads both texts, `head` starts at 0, `weight` (of the first stage) at 1."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.width, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, first: Tensor) -> Tensor:
        """[B, T] joined tokens and mask, [B] first stage (standardised) -> [B] scores."""
        joined = self.backbone(input_ids, attention_mask).float()
        return self.weight * first + self.head(joined)[:, 0]


class JoinedPairs:
    """`Samples`: P pairs as one sequence each, with the first stage's score and a grade."""

    lengths = None

    def __init__(
        self,
        backbone: Backbone,
        queries: Sequence[str],
        titles: Sequence[str],
        first: np.ndarray,
        grades: np.ndarray | None = None,
    ):
        if not len(queries) == len(titles) == len(first) == len(first if grades is None else grades):
            raise SearchError("queries, titles, first-stage scores and grades differ in number")
        if not np.isfinite(first).all():
            raise SearchError("a first-stage score is not finite: re-rank only what the first stage scored")
        self.tokens = _joined(backbone, queries, titles)
        self.first = np.asarray(first, dtype=np.float32)
        self.grades = np.zeros(len(first), np.float32) if grades is None else np.asarray(grades, np.float32)

    def __len__(self) -> int:
        return len(self.first)

    def collate(self, indices: np.ndarray) -> dict[str, Tensor]:
        """Token ids and mask [B, T], first stage and grade [B]."""
        ids, mask = self.tokens.take(indices)
        first, grade = (torch.from_numpy(x[indices]) for x in (self.first, self.grades))
        return {"input_ids": ids, "attention_mask": mask, "first": first, "grade": grade}


class ReRanker:
    """A re-ranker of a first stage's candidates, trained on graded pairs.

    Args:
        backbone: trained in place; start from the tuned bi-encoder's, or an untuned one.
        settings: of training.

    Example:
        >>> from recsys.encoders.backbone import load_backbone
        >>> queries, titles = ["mug", "mug"], ["red shoe", "blue mug"]
        >>> cosines, grades = np.array([0.2, 0.6]), np.array([1.0, 3.0])
        >>> model = ReRanker(load_backbone("random-bert")).fit(queries, titles, cosines, grades)
        >>> model.score(queries, titles, cosines).shape
        (2,)
    """

    def __init__(self, backbone: Backbone, settings: TrainingSettings = SETTINGS):
        self.network, self.settings = CrossEncoder(backbone), settings
        self.centre, self.spread = 0.0, 1.0
        self.result: TrainingResult | None = None

    def fit(
        self,
        queries: Sequence[str],
        titles: Sequence[str],
        first: np.ndarray,
        grades: np.ndarray,
        seed: int = 0,
        folder: Path | None = None,
    ) -> ReRanker:
        """Train on P pairs: every better one above every worse one (`recsys.losses.cosine_order`, scale 1).

        Args:
            first: [P] first-stage scores; standardised by their mean and standard deviation here.
            grades: [P], higher is better.

        Raises:
            SearchError: lengths differ, scores are not finite, or all grades are equal.
        """
        first = np.asarray(first, float)
        if len(first) == 0 or np.ptp(grades) == 0:
            raise SearchError("the grades are all alike: they tell no better pair from a worse one")
        self.centre, self.spread = float(first.mean()), float(first.std()) or 1.0
        samples = JoinedPairs(self.network.backbone, queries, titles, self._standardised(first), grades)

        def loss(network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
            scores = network(batch["input_ids"], batch["attention_mask"], batch["first"])
            found = len(scores) * cosine_order_loss(scores, batch["grade"], scale=1.0)
            return (found if found.requires_grad else found + 0 * scores.sum()), len(scores)

        settings = replace(self.settings, seed=seed)
        self.result = train(self.network, samples, loss, settings, folder=folder, task="re-ranker")
        self.network.eval()
        return self

    @torch.no_grad()
    def score(self, queries: Sequence[str], titles: Sequence[str], first: np.ndarray) -> np.ndarray:
        """[P] float32 scores, higher is better."""
        backbone = self.network.backbone
        samples = JoinedPairs(backbone, queries, titles, self._standardised(np.asarray(first, float)))
        device, out = next(self.network.parameters()).device, np.empty(len(samples), np.float32)
        order = np.argsort(samples.tokens.lengths, kind="stable")
        self.network.eval()
        for start in range(0, len(order), READ_AT_ONCE):
            rows = order[start : start + READ_AT_ONCE]
            batch = {name: value.to(device) for name, value in samples.collate(rows).items()}
            batch.pop("grade")
            out[rows] = self.network(**batch).cpu().numpy()
        return out

    def _standardised(self, first: np.ndarray) -> np.ndarray:
        return (first - self.centre) / self.spread


def _joined(backbone: Backbone, queries: Sequence[str], titles: Sequence[str]) -> Tokens:
    """Tokens of the query, then those of the title without its start token."""
    left = tokenise(backbone, queries, max_tokens=QUERY_TOKENS)
    right = tokenise(backbone, titles, max_tokens=TITLE_TOKENS)
    begin = backbone.tokenizer.cls_token_id
    parts, lengths = [], []
    for row in range(len(left)):
        one = left.ids[left.offsets[row] : left.offsets[row + 1]]
        two = right.ids[right.offsets[row] : right.offsets[row + 1]]
        two = two[1:] if begin is not None and len(two) > 1 and two[0] == begin else two
        parts += [one, two]
        lengths.append(len(one) + len(two))
    ids = np.concatenate(parts) if parts else np.empty(0, np.int32)
    return Tokens(ids, np.r_[0, np.cumsum(lengths)].astype(np.int64), left.pad_id, left.padding_side)
