"""Off-policy estimators on a log whose truth is known."""

import numpy as np
import pytest

from recsys.search.errors import SearchError
from recsys.search.feedback.off_policy import estimate_policy

WORTH = np.array([0.1, 0.3, 0.6])
LOGGED, NEW = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.2, 0.7])
TRUTH = float(WORTH @ NEW)


def log(seed, n=4000):
    rng = np.random.default_rng(seed)
    action = rng.choice(3, n, p=LOGGED)
    return action, (rng.random(n) < WORTH[action]).astype(float)


def estimates(seed, predicted=WORTH, n=4000, **rest):
    action, reward = log(seed, n)
    table = estimate_policy(
        reward, LOGGED[action], NEW[action], predicted[action], np.full(n, NEW @ predicted), **rest
    )
    return table.set_index("method")


def test_corrected_ones_hold_the_truth_and_the_naive_one_does_not():
    table = estimates(0)
    for method in ("ipw", "snipw", "dr"):
        assert table.loc[method, "low"] < TRUTH < table.loc[method, "high"]
    assert table.loc["naive", "high"] < TRUTH
    assert table.loc["snipw", "effective"] < 4000


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    held = [
        (row["low"] < TRUTH < row["high"])
        for seed in range(60)
        for _, row in estimates(seed, n=500).loc[["ipw", "snipw", "dr"]].iterrows()
    ]
    assert 0.88 < np.mean(held) <= 1


def test_a_wrong_model_of_rewards_misleads_dm_and_not_dr():
    wrong = np.array([0.5, 0.5, 0.1])
    table = estimates(1, wrong)
    assert not table.loc["dm", "low"] <= TRUTH <= table.loc["dm", "high"]
    assert table.loc["dr", "low"] < TRUTH < table.loc["dr", "high"]


def test_a_good_model_makes_the_interval_narrower():
    table = estimates(2)
    assert (table.loc["dr", "high"] - table.loc["dr", "low"]) < (
        table.loc["ipw", "high"] - table.loc["ipw", "low"]
    )


def test_impressions_of_one_search_are_drawn_together():
    action, reward = log(3, 400)
    twice = [np.repeat(x, 10) for x in (reward, LOGGED[action], NEW[action])]
    apart = estimate_policy(*twice).set_index("method")
    together = estimate_policy(*twice, groups=np.repeat(np.arange(400), 10)).set_index("method")
    assert together.loc["ipw", "high"] - together.loc["ipw", "low"] > 2 * (
        apart.loc["ipw", "high"] - apart.loc["ipw", "low"]
    )


def test_weights_are_clipped_where_asked():
    assert estimates(4, clip=1.0).loc["ipw", "value"] < estimates(4).loc["ipw", "value"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0], [0.0], [1.0]), "propensity"),
        (([1.0], [1.2], [1.0]), "propensity"),
        (([1.0, 1.0], [1.0], [1.0]), "one length"),
        (([1.0], [1.0], [1.0], [0.5]), "together"),
    ],
)
def test_logs_that_say_nothing_are_refused(arguments, words):
    with pytest.raises(SearchError, match=words):
        estimate_policy(*arguments)
