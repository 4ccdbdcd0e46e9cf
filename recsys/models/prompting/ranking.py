"""Re-ranking by a generative model: candidates by the likelihood of their titles after a history or a query.

score(i | u) = (log p(title_i | prompt(u)) − a · log p(title_i | prompt without history)) / tokens of title_i

Without the second term frequent titles rank first for every user (pointwise mutual information, Holtzman et
al. 2021, arXiv:2104.08315); without the division short titles win. Meant for re-ranking the first results of
a retriever: it costs one forward pass per candidate.

B: users in a batch. M: items.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from recsys.data.histories import histories
from recsys.models.prompting.generator import Generator

HISTORY = "A customer bought these products:\n{}\nThe next product is:"
QUERY = "A customer searched for: {}\nThe product that fits best is:"
NOTHING = "A product of the shop is:"


def question(asked: Sequence[str] | str) -> str:
    """The prompt of a history (titles, oldest first) or of a query, which a title continues."""
    if isinstance(asked, str):
        return QUERY.format(asked)
    return HISTORY.format("\n".join(f"- {title}" for title in asked))


def continuations(generator: Generator, titles: Sequence[str], most_tokens: int = 32) -> list[str]:
    """Titles as they continue a prompt; longer ones are cut."""
    shown = [f" {title}" for title in titles]
    read = [generator.ids(title) for title in shown]
    return [
        title if len(ids) <= most_tokens else generator.tokenizer.decode(ids[:most_tokens])
        for title, ids in zip(shown, read, strict=True)
    ]


def candidate_scores(
    generator: Generator,
    asked: Sequence[str] | str,
    titles: Sequence[str],
    calibrate: float = 1.0,
    most_tokens: int = 32,
) -> np.ndarray:
    """Scores of candidates for one history or one query, [candidates] float64, higher is better.

    Args:
        asked: titles of a history, oldest first, or one query.
        titles: of the candidates, none empty; longer ones are cut.
        calibrate: a of the formula.

    Example:
        scores = candidate_scores(load_generator(), "red shoes", ["Red running shoes", "Blue hat"])
        order = np.argsort(-scores, kind="stable")  # best title first
    """
    shown = continuations(generator, titles, most_tokens)
    sums, counts = generator.log_likelihood([question(asked)] * len(shown), shown)
    if calibrate:
        sums = sums - calibrate * generator.log_likelihood([NOTHING] * len(shown), shown)[0]
    return sums / counts


class PromptedReranker:
    """A recommender whose first results a generative model orders anew; all others stay behind them.

    Args:
        first: a recommender with `fit`, `with_history` and `score`, such as `ZeroShot`.
        titles: of the M items.
        candidates: how many of the first results are ordered anew; items of the history are none.
        newest: titles of the history in the prompt.

    Example:
        ranked = PromptedReranker(ZeroShot(vectors), load_generator(), titles).fit(train, n_users, n_items)
        scores = ranked.score(np.array([0, 1]))
    """

    def __init__(
        self, first: Any, generator: Generator, titles: Sequence[str], candidates: int = 20, newest: int = 3
    ):
        self.first, self.generator, self.titles = first, generator, titles
        self.candidates, self.newest = candidates, newest

    def fit(self, train: pd.DataFrame, n_users: int, n_items: int) -> PromptedReranker:
        """Fit the first recommender; the generative model stays as it is. Returns itself."""
        self.known = histories(train, n_users)
        self.first = self.first.fit(train, n_users, n_items)
        return self

    def with_history(self, events: pd.DataFrame) -> PromptedReranker:
        """The same recommender for users with these histories."""
        other = copy.copy(self)
        other.known = histories(events, self.known.n_users)
        other.first = self.first.with_history(events)
        return other

    def score(self, users: np.ndarray) -> np.ndarray:
        """[B] user codes -> [B, M] float32 scores; those of a user without a history stay the first's."""
        scores = np.array(self.first.score(users), dtype=np.float32)
        for row, user in zip(scores, np.asarray(users), strict=True):
            chosen = self.chosen(int(user), row)
            if len(chosen):
                likely = candidate_scores(self.generator, self.asked(int(user)), self._titles(chosen))
                # ranks, so that the likeliest is above all and the least likely above the rest; of equally
                # likely ones the first recommender's better one
                place = np.argsort(np.argsort(-likely, kind="stable"), kind="stable")
                row[chosen] = row.max() + len(chosen) - place
        return scores

    def chosen(self, user: int, row: np.ndarray) -> np.ndarray:
        """The items that are ordered anew, by the first recommender's scores [M]; none without a history."""
        met = self.known.of(user)
        if not len(met):
            return met
        kept = np.setdiff1d(np.arange(len(row)), met)
        return kept[np.argsort(-row[kept], kind="stable")[: self.candidates]]

    def asked(self, user: int) -> list[str]:
        """The titles of the history that the prompt shows, oldest first."""
        return self._titles(self.known.of(user)[-self.newest :])

    def _titles(self, items: np.ndarray) -> list[str]:
        return [self.titles[item] for item in items]
