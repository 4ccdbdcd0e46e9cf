"""Ground truth of conversion: how likely a click ends in a purchase, also for clicks that never happened.

The log tells the probabilities of the stages that were reached (`Truth.next_step`). A counterfactual list
asks for others: the same logits, whose intercepts are read off the stages that were reached.
"""

import numpy as np
import pandas as pd

from recsys.data.demo_store.constants import DAYS, FIRST_DAY, STAGE_SCALES
from recsys.data.demo_store.preferences import sigmoid
from recsys.data.demo_store.shoppers import SECONDS_A_DAY
from recsys.data.demo_store.truth import Truth

SPREAD = 1e-3  # of an intercept between events: a cart is noted seconds after the click that it is drawn from


def part_of_year(times: pd.Series) -> np.ndarray:
    """Times of events -> part of the year, 0 = first day, 1 = last day."""
    return ((times - pd.Timestamp(FIRST_DAY)).dt.total_seconds().to_numpy() / (DAYS * SECONDS_A_DAY)).astype(
        float
    )


def purchase_given_click(
    truth: Truth, events: pd.DataFrame, users: np.ndarray, items: np.ndarray, when: np.ndarray
) -> np.ndarray:
    """[n] probability that a click of this user on this product, then, ends in a purchase.

    What can happen only once (a cart a session and product, a purchase a user and product) is taken as still
    open: the caller knows what was bought before.

    Args:
        events: of the same store, row by row of `truth.next_step`.
        users, items: [n] codes.
        when: [n] part of the year.

    Raises:
        RuntimeError: the log's probabilities are not of the law that is assumed here.
    """
    chance = np.ones(len(users))
    for stage, kind in (("cart", "click"), ("purchase", "cart")):
        rows = np.flatnonzero((events["kind"] == kind).to_numpy() & (truth.next_step > 0))
        reached = events.iloc[rows]
        scores = STAGE_SCALES[stage] * truth._preferences.utility(
            reached["user"].to_numpy(), reached["item"].to_numpy(), part_of_year(reached["time"])
        )
        known = truth.next_step[rows]
        intercepts = np.log(known / (1 - known)) - scores
        intercept = float(np.median(intercepts))
        if np.abs(intercepts - intercept).max() > SPREAD:
            raise RuntimeError(f"the stage {stage} of this log is no logit of utility: other constants?")
        chance *= sigmoid(
            intercept + STAGE_SCALES[stage] * truth._preferences.utility(users, items, np.asarray(when))
        )
    return chance
