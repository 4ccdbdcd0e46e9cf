"""The worked case of 000 §4.3 as synthetic data: clicks drawn from a click model with known weights W*.

The article gives the sizes (N = 1000 users, M = 1000 items, k = 10 clicks each, features of width d = 100)
but no data. Assumptions made here, fixed before any model was fitted:

- x_u: a constant 1 and d − 1 independent standard normal features, known to the model.
- w*_i: a base rate b_i ~ Normal(0, POPULARITY²), and a direction whose entries are
  Normal(0, TASTE² / (d − 1)): scores x_u · w*_i then vary between users with standard deviation TASTE.
- Clicks: k + 2·HELD_OUT distinct items a user, drawn one after the other with probabilities proportional to
  exp(x_u · w*_i) among the items left (Plackett–Luce). At a click rate of 1 % this is close to independent
  clicks with odds proportional to exp(x_u · w*_i), so neither likelihood of the notebook is favoured.
- Of a user's clicks, in random order, k are for training, HELD_OUT for validation, HELD_OUT for test.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys.data.splits import Split
from recsys.models.clicks.data import ClickData

POPULARITY = 0.7  # so that the most clicked of 1,000 items gets about six times the mean
TASTE = 2.0  # tastes move the odds of a click by e^±2
HELD_OUT = 2  # clicks a user for each of validation and test


def planted_clicks(
    n_users: int = 1000, n_items: int = 1000, clicks_per_user: int = 10, width: int = 100, seed: int = 0
) -> ClickData:
    """Draw the case.

    Args:
        n_users, n_items, clicks_per_user, width: N, M, k, d; defaults as in 000 §4.3.
        seed: another seed draws other features, weights and clicks.

    Returns:
        Click data with the users' features, and the true scores in `true_scores`.

    Raises:
        ValueError: the width leaves no feature beside the constant, or there are too few items.
    """
    drawn = clicks_per_user + 2 * HELD_OUT
    if width < 2:
        raise ValueError(f"width must be at least 2, a constant and one feature; got {width}")
    if n_items < drawn:
        raise ValueError(f"{drawn} distinct clicks a user need as many items; got n_items={n_items}")
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((n_users, width))
    features[:, 0] = 1
    weights = generator.standard_normal((n_items, width)) * TASTE / np.sqrt(width - 1)
    weights[:, 0] = generator.standard_normal(n_items) * POPULARITY
    scores = features @ weights.T
    # taking the largest after adding Gumbel noise is drawing without replacement (Plackett–Luce)
    order = np.argpartition(-(scores + generator.gumbel(size=scores.shape)), drawn, axis=1)[:, :drawn]
    clicks = pd.DataFrame(
        {
            "user": np.repeat(np.arange(n_users), drawn),
            "item": generator.permuted(order, axis=1).ravel(),
            "place": np.tile(np.arange(drawn), n_users),
        }
    )
    ends = [clicks_per_user, clicks_per_user + HELD_OUT]
    parts = np.searchsorted(ends, clicks.pop("place"), side="right")
    split = Split(*(clicks[parts == part] for part in range(3)), "planted", n_users, n_items)
    return ClickData("planted", split, features.astype(np.float32), scores.astype(np.float32))
