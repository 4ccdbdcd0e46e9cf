"""The ground truth that no model may see: tastes, latent vectors, true relevance, true probabilities."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.demo_store.catalogue import Catalogue
from recsys.data.demo_store.constants import CHOICE_SCALE, DAYS
from recsys.data.demo_store.preferences import Preferences
from recsys.data.demo_store.queries import Queries
from recsys.data.demo_store.shoppers import SECONDS_A_DAY


@dataclass(frozen=True)
class Truth:
    """Ground truth of one demo store; use it to judge a model, never to fit one.

    N users, M products, D latent width (text, picture and hidden parts side by side), E events.

    Attributes:
        user_taste_start, user_taste_end: [N, D] taste on the first and the last day; linear in between.
        item_latent: [M, D], scaled so that taste . latent is the affinity (variance about 1, its parts in
            the shares of AFFINITY_SHARES).
        item_quality: [M] standard normal.
        item_popularity: [M] share of demand while on sale, sums to 1.
        appearance: table with the columns colour, pattern, shape: what only the picture shows.
        price_sensitivity: [N] factor, mean 1.
        examination: [list length] probability that each position (from 0) is looked at.
        next_step: [E] true probability of the next stage, row by row of `events`: a click for a view, a cart
            for a click, a purchase for a cart, given what happened before; NaN for searches and purchases.
        queries: one row a distinct query text: query, category, modifier, value, title_noun, understood.
    """

    user_taste_start: np.ndarray
    user_taste_end: np.ndarray
    item_latent: np.ndarray
    item_quality: np.ndarray
    item_popularity: np.ndarray
    appearance: pd.DataFrame
    price_sensitivity: np.ndarray
    examination: np.ndarray
    next_step: np.ndarray
    queries: pd.DataFrame
    _preferences: Preferences
    _catalogue: Catalogue
    _queries: Queries

    def utility(self, users: np.ndarray, when: float = 0.5) -> np.ndarray:
        """[B, M] utility without noise (affinity + price + quality) of all products for B users.

        Args:
            users: [B] user codes.
            when: part of the year, 0 = first day, 1 = last day.
        """
        items = np.arange(self._catalogue.n_items)
        return self._preferences.utility(np.asarray(users)[:, None], items[None, :], np.asarray(when))

    def browsing_probability(self, users: np.ndarray, when: float = 0.5) -> np.ndarray:
        """[B, M] probability that a browsing click opens each product, averaged over sessions; rows sum to 1.

        Ranking by it is the best that a model can do without knowing the session: an upper bound.

        Args:
            users: [B] user codes.
            when: part of the year; products that are not yet on sale have probability 0.
        """
        world, users = self._catalogue, np.asarray(users)
        categories = self._preferences.leaf_weights(users, np.full(len(users), when))
        weight = np.exp(self._preferences.constants + CHOICE_SCALE * self.utility(users, when))
        weight[:, world.launch > when * DAYS * SECONDS_A_DAY] = 0.0
        inside = np.stack([np.bincount(world.leaf, row, categories.shape[1]) for row in weight])
        share = categories / categories.sum(axis=1, keepdims=True)
        return weight * (share / inside)[:, world.leaf]

    def relevance(self, query: str) -> np.ndarray:
        """[M] true grade 0..3 of all products for one query text of the log.

        Raises:
            KeyError: no search in the log used these words.
        """
        rows = np.flatnonzero(self._queries.text == query)
        if not len(rows):
            raise KeyError(f"No search of this store used the words {query!r}; see the table `queries`.")
        return self._queries.grade(self._catalogue, rows, np.arange(self._catalogue.n_items))
