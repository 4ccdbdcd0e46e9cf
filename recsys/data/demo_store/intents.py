"""The category that each session is about, and its steps: browsing clicks and searches."""

from dataclasses import dataclass

import numpy as np

from recsys.data.demo_store.catalogue import Catalogue
from recsys.data.demo_store.constants import (
    COMPLEMENT_SHARE,
    DIRECT_CLICKS_PER_SESSION,
    INTENT_CLICK_SHARE,
    SAME_INTENT_SHARE,
    SEARCHES_PER_SESSION,
)
from recsys.data.demo_store.preferences import Preferences, pick, pick_items
from recsys.data.demo_store.seeds import generator
from recsys.data.demo_store.shoppers import DAYS, SECONDS_A_DAY, Sessions

STEP_GAP = (
    130,
    400,
)  # seconds between two steps of a session; longer than all clicks on one result list take


@dataclass(frozen=True)
class Steps:
    """Browsing clicks and searches, n steps of S sessions.

    Attributes:
        session: [n] row of `Sessions`. time: [n] seconds after the first midnight.
        leaf: [n] category that the step is about. item: [n] the product opened (−1 for a search).
        last: [S] second at which each session's last step starts.
    """

    session: np.ndarray
    time: np.ndarray
    leaf: np.ndarray
    item: np.ndarray
    last: np.ndarray

    def searches(self) -> np.ndarray:
        """[n] True for a search."""
        return self.item < 0


def session_intents(
    seed: int, size: str, sessions: Sessions, preferences: Preferences, catalogue: Catalogue
) -> np.ndarray:
    """[S] category of each session: that of the session before, its complement, or a new draw."""
    random = generator(seed, size, "browsing")
    n = len(sessions.user)
    weights = preferences.leaf_weights(sessions.user, sessions.part_of_year())
    intent = pick(weights, random.random(n))
    turn = random.random(n)
    first = np.r_[True, sessions.user[1:] != sessions.user[:-1]]
    place = np.arange(n) - np.maximum.accumulate(np.where(first, np.arange(n), 0))
    complements = catalogue.complements()
    for k in range(1, place.max() + 1):
        rows = np.flatnonzero(place == k)
        before = intent[rows - 1]
        follows = np.where(turn[rows] < SAME_INTENT_SHARE, before, complements[before])
        stays = turn[rows] < SAME_INTENT_SHARE + COMPLEMENT_SHARE
        intent[rows] = np.where(stays, follows, intent[rows])
    return intent


def build_steps(
    seed: int, size: str, sessions: Sessions, preferences: Preferences, catalogue: Catalogue
) -> Steps:
    """Draws the steps of every session in random order: browsing clicks (one at least) and searches."""
    intent = session_intents(seed, size, sessions, preferences, catalogue)
    random = generator(seed, size, "queries")
    n_sessions = len(sessions.user)
    n_direct = 1 + random.poisson(DIRECT_CLICKS_PER_SESSION - 1, n_sessions)
    n_search = random.poisson(SEARCHES_PER_SESSION, n_sessions)
    session = np.repeat(np.arange(n_sessions), n_direct + n_search)
    kind = np.tile([0, 1], n_sessions).repeat(np.stack([n_direct, n_search], axis=1).ravel())
    shuffled = np.lexsort((random.random(len(session)), session))
    is_search = kind[shuffled] == 1
    gap = random.integers(*STEP_GAP, len(session))
    elapsed = np.cumsum(gap)
    starts = np.searchsorted(session, np.arange(n_sessions))
    time = sessions.start[session] + elapsed - elapsed[starts][session]
    user, part = sessions.user[session], time / (DAYS * SECONDS_A_DAY)
    by_taste = pick(preferences.leaf_weights(user, part), random.random(len(session)))
    keeps = is_search | (random.random(len(session)) < INTENT_CLICK_SHARE)
    leaf = np.where(keeps, intent[session], by_taste)
    item = np.full(len(session), -1, dtype=np.int64)
    direct = np.flatnonzero(~is_search)
    uniform = random.random(len(session))[direct]
    item[direct] = pick_items(
        preferences, catalogue, user[direct], leaf[direct], time[direct], part[direct], uniform
    )
    last = np.zeros(n_sessions, dtype=np.int64)
    np.maximum.at(last, session, time)
    return Steps(session, time, leaf, item, last)
