"""Carts, purchases and ratings: what becomes of a click."""

from dataclasses import dataclass

import numpy as np

from recsys.data.demo_store import constants as c
from recsys.data.demo_store.preferences import calibrated_logit, sigmoid
from recsys.data.demo_store.seeds import generator


@dataclass(frozen=True)
class Outcome:
    """n trials. probability: [n] of success given what happened before; happened: [n] bool."""

    probability: np.ndarray
    happened: np.ndarray


def first_success(scores: np.ndarray, blocks: np.ndarray, mean: float, uniform: np.ndarray) -> Outcome:
    """Draw trials of which at most one in a block succeeds, with a given mean success rate.

    Args:
        scores: [n] logits without their intercept, in order of time.
        blocks: [n] block of each trial; a block is, say, one user's carts of one product.
        mean: successes per trial, in expectation.
        uniform: [n] in [0, 1).
    """
    order = np.argsort(blocks, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(blocks[order]) != 0])
    lengths = np.diff(np.append(starts, len(order)))

    def still_open(probability: np.ndarray) -> np.ndarray:
        """[n] probability that no earlier trial of the block has succeeded."""
        failed = np.log1p(-probability[order])
        before = np.cumsum(failed) - failed
        result = np.empty(len(order))
        result[order] = np.exp(before - np.repeat(before[starts], lengths))
        return result

    intercept = calibrated_logit(scores, mean, lambda p: p * still_open(p))
    probability = sigmoid(intercept + scores)
    success = uniform < probability
    earlier = np.cumsum(success[order]) - success[order]
    is_open = np.empty(len(order), dtype=bool)
    is_open[order] = earlier == np.repeat(earlier[starts], lengths)
    return Outcome(np.where(is_open, probability, 0.0), success & is_open)


def add_to_cart(seed, size, preferences, users, items, sessions, part_of_year) -> Outcome:
    """Carts among n clicks in order of time: at most one a session and product."""
    scores = c.STAGE_SCALES["cart"] * preferences.utility(users, items, part_of_year)
    uniform = generator(seed, size, "carts").random(len(users))
    return first_success(scores, sessions * preferences.start.shape[1] + items, c.CARTS_PER_CLICK, uniform)


def purchase(seed, size, preferences, users, items, part_of_year) -> Outcome:
    """Purchases among n carts in order of time: at most one a user and product (the goods are durable)."""
    scores = c.STAGE_SCALES["purchase"] * preferences.utility(users, items, part_of_year)
    uniform = generator(seed, size, "purchases").random(len(users))
    return first_success(scores, users * preferences.start.shape[1] + items, c.PURCHASES_PER_CART, uniform)


def rate(seed, size, catalogue, preferences, users, items, part_of_year) -> tuple[np.ndarray, np.ndarray]:
    """Ratings of n purchases: [n] 1..5, 0 where not rated, and the [n] satisfaction (standardised).

    Whether a purchase is rated depends on how far its satisfaction is from the mean (self-selection); the
    thresholds between ratings are the quantiles that give the shares of `constants.py` among the rated ones.
    """
    random = generator(seed, size, "ratings")
    weight = c.SATISFACTION_WEIGHTS
    raw = (
        weight["affinity"] * preferences.affinity(users, items, part_of_year)
        + weight["quality"] * catalogue.quality[items]
        + weight["noise"] * random.normal(size=len(users))
    )
    satisfaction = (raw - raw.mean()) / raw.std()
    score = c.RATING_SELF_SELECTION * np.abs(satisfaction)
    rated = random.random(len(users)) < sigmoid(calibrated_logit(score, c.RATING_RATE) + score)
    cuts = np.quantile(satisfaction[rated], np.cumsum(c.RATING_SHARES)[:-1])
    return np.where(rated, 1 + np.searchsorted(cuts, satisfaction), 0), satisfaction
