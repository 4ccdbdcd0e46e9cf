"""Result lists over the year and the clicks on them: the position-based model."""

from dataclasses import dataclass

import numpy as np

from recsys.data.demo_store import constants as c
from recsys.data.demo_store.catalogue import Catalogue
from recsys.data.demo_store.intents import Steps
from recsys.data.demo_store.preferences import Preferences, calibrated_logit, sigmoid
from recsys.data.demo_store.queries import Queries
from recsys.data.demo_store.result_lists import Lists, rank_candidates, show
from recsys.data.demo_store.seeds import generator
from recsys.data.demo_store.shoppers import DAYS, SECONDS_A_DAY, Sessions

MONTH_STARTS = np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]) * SECONDS_A_DAY


@dataclass(frozen=True)
class ListClicks:
    """What n searches showed and which results were clicked; K positions.

    lists: products and propensities; attraction: [n, K] click probability once examined; clicked: [n, K]
    bool.
    """

    lists: Lists
    attraction: np.ndarray
    clicked: np.ndarray


@dataclass(frozen=True)
class _Searchers:
    """Who searches what and when: user, query (row of `Queries`), time in seconds; all [n]."""

    catalogue: Catalogue
    preferences: Preferences
    queries: Queries
    user: np.ndarray
    query: np.ndarray
    time: np.ndarray

    def take(self, rows: np.ndarray) -> "_Searchers":
        return _Searchers(
            self.catalogue, self.preferences, self.queries, self.user[rows], self.query[rows], self.time[rows]
        )

    def candidates(self, clicks_so_far: np.ndarray) -> np.ndarray:
        return rank_candidates(self.catalogue, self.queries, self.query, self.time, clicks_so_far)

    def appeal(self, items: np.ndarray) -> np.ndarray:
        """Click logits of [n, k] products, without the intercept."""
        part = (self.time / (DAYS * SECONDS_A_DAY))[:, None]
        grade = self.queries.grade(self.catalogue, self.query[:, None], items)
        utility = self.preferences.utility(self.user[:, None], items, part)
        return c.STAGE_SCALES["click"] * utility + np.array(c.RELEVANCE_LOGITS)[grade]


def examination() -> np.ndarray:
    """[LIST_LENGTH] probability that a user looks at each position p: (1 / (p + 1)) ** eta."""
    return np.arange(1, c.LIST_LENGTH + 1) ** -c.POSITION_BIAS_ETA


def attraction(logits: np.ndarray) -> np.ndarray:
    """Click probability of an examined product: CLICK_NOISE + (1 − CLICK_NOISE) · sigmoid(logit)."""
    return c.CLICK_NOISE + (1 - c.CLICK_NOISE) * sigmoid(logits)


def search_and_click(
    seed: int,
    size: str,
    catalogue: Catalogue,
    preferences: Preferences,
    queries: Queries,
    sessions: Sessions,
    steps: Steps,
) -> ListClicks:
    """Answer the searches month by month, because the logging policy counts the clicks of earlier months.

    A product is clicked if it is examined (by position) and attracts (user, query, product), independently.
    """
    policy, random = generator(seed, size, "policy"), generator(seed, size, "clicks")
    step, browsed = np.flatnonzero(steps.searches()), np.flatnonzero(~steps.searches())
    user = sessions.user[steps.session[step]]
    searchers = _Searchers(catalogue, preferences, queries, user, queries.of_search, steps.time[step])
    month = np.searchsorted(MONTH_STARTS, searchers.time, side="right")
    browsed_month = np.searchsorted(MONTH_STARTS, steps.time[browsed], side="right")
    # Products that were on sale before the log starts have a history: a month of clicks in their usual share.
    clicks = np.where(catalogue.launch == 0, catalogue.popularity * len(browsed) / 12, 0.0)
    half_a_year = np.bincount(steps.item[browsed], minlength=catalogue.n_items) / 2
    intercept = _intercept(searchers, clicks + half_a_year)
    shape = (len(step), c.LIST_LENGTH)
    shown = Lists(np.empty(shape, dtype=np.int64), np.empty(shape))
    attracts, clicked = np.empty(shape), np.empty(shape, dtype=bool)
    for number in range(1, len(MONTH_STARTS) + 1):
        rows = np.flatnonzero(month == number)
        some = searchers.take(rows)
        lists = show(some.candidates(clicks), policy)
        shown.item[rows], shown.propensity[rows] = lists.item, lists.propensity
        attracts[rows] = attraction(intercept + some.appeal(lists.item))
        clicked[rows] = random.random((len(rows), c.LIST_LENGTH)) < examination() * attracts[rows]
        on_lists = lists.item[clicked[rows]]
        on_pages = steps.item[browsed[browsed_month == number]]
        clicks = clicks + np.bincount(np.r_[on_lists, on_pages], minlength=catalogue.n_items)
    return ListClicks(shown, attracts, clicked)


def _intercept(searchers: _Searchers, clicks: np.ndarray) -> float:
    """Click intercept that gives CLICKS_PER_VIEW over the whole year.

    Worked out in expectation over the logging policy, with a ranker that has seen half a year of browsing.
    """
    appeal = searchers.appeal(searchers.candidates(clicks))  # [n, CANDIDATES] in production order

    def expected_clicks(attracted: np.ndarray) -> np.ndarray:
        attracts = c.CLICK_NOISE + (1 - c.CLICK_NOISE) * attracted
        in_order = attracts[:, : c.LIST_LENGTH] @ examination()
        at_random = attracts.mean(axis=1) * examination().sum()
        return (1 - c.EXPLORATION_SHARE) * in_order + c.EXPLORATION_SHARE * at_random

    return calibrated_logit(appeal, c.CLICKS_PER_VIEW * c.LIST_LENGTH, expected_clicks)
