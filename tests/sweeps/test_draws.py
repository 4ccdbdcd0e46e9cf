"""Best-of-n from a pool, optimism, halves, and where the order of two models turns."""

import numpy as np
import pandas as pd
import pytest

from recsys.sweeps.draws import best_of_draws, first_lead, leads, optimism_of_halves

GENERATOR = np.random.default_rng(3)
USERS = 400


def test_more_tries_gain_more_where_validation_tells_the_truth():
    level = np.linspace(0.1, 0.4, 24)
    level[[0, 12]] = level[[12, 0]]  # the defaults are middling
    test = level[:, None] + GENERATOR.normal(0, 0.05, (24, USERS))
    table = best_of_draws(level, test, (1, 4, 8, 16, 99), draws=400)
    assert table["tried"].tolist() == [1, 4, 8, 16]
    assert table["gain"].is_monotonic_increasing
    assert table["gain"].iloc[0] == pytest.approx(level.mean() - level[0], abs=0.02)
    assert ((table["low"] < table["gain"]) & (table["gain"] < table["high"])).all()
    assert table["optimism"].abs().max() < 0.01


def test_choosing_among_equals_is_all_optimism():
    """All configurations are the same: what validation tells apart is noise. Means over 30 such pools."""
    spread, largest = 1 / np.sqrt(USERS), 1.77  # mean of the largest of 16 normal numbers
    found = []
    for _ in range(30):
        validation, test = (GENERATOR.normal(0.3, 1.0, (32, USERS)) for _ in range(2))
        table = best_of_draws(validation.mean(axis=1), test, (1, 16), draws=60)
        halves = optimism_of_halves(validation, (1, 16), repeats=20)
        found.append([*table["optimism"], table["gain"].iloc[1], *halves["optimism"]])
    alone, of_16, gain, halved, halved_16 = np.mean(found, axis=0) / spread
    assert abs(alone) < 0.3
    assert of_16 == pytest.approx(largest, abs=0.6)
    assert abs(gain) < 0.8
    assert abs(halved) < 0.3
    assert halved_16 == pytest.approx(np.sqrt(2) * largest, abs=0.6)  # half the users, more noise


def test_failed_configurations_are_never_chosen():
    validation = np.array([0.1, np.nan, 0.3])
    test = np.array([[0.1, 0.1], [np.nan, np.nan], [0.3, 0.3]])
    table = best_of_draws(validation, test, (1, 2, 3), draws=50)
    assert table["tried"].tolist() == [1, 2]
    assert table["gain"].iloc[1] == pytest.approx(0.2)
    with pytest.raises(ValueError, match="the defaults failed"):
        best_of_draws(validation[::-1][1:], test[::-1][1:])
    with pytest.raises(ValueError, match="3 validation means for 2"):
        best_of_draws(validation, test[:2])


def test_where_the_order_turns():
    columns = {"spent": [10.0, 20.0, 30.0], "validation": [0.1, 0.5, 0.3], "test": [0.1, 0.4, 0.9]}
    new = pd.DataFrame(columns)
    old = pd.DataFrame({"spent": [1.0, 2.0, 50.0], "validation": [0.2, 0.3, 0.9], "test": [0.2, 0.3, 0.9]})
    table = first_lead(new, old)
    assert table["core_seconds"].iloc[0] == 10
    assert table["lead"].iloc[0] == pytest.approx(0.1 - 0.3)
    assert table["lead"].iloc[-1] == pytest.approx(0.4 - 0.3)  # validation chose .4, and .9 was never chosen
    turned = table.loc[table["lead"] > 0, "core_seconds"].min()
    assert turned == pytest.approx(20, rel=0.05)


def test_two_models_are_compared_while_both_are_tuned():
    """The search that ended first was once carried on flat to the other's end."""
    new = pd.DataFrame({"spent": [10.0, 100.0], "validation": [0.1, 0.5], "test": [0.1, 0.4]})
    old = pd.DataFrame({"spent": [1.0, 40.0], "validation": [0.2, 0.3], "test": [0.2, 0.3]})
    table = first_lead(new, old)
    assert table["core_seconds"].iloc[-1] == pytest.approx(40)
    assert table["new"].max() == 0.1
    assert first_lead(new, old.iloc[:1]).empty
    both = pd.concat([new.assign(model="new"), old.iloc[:1].assign(model="old")]).assign(seed=0)
    assert leads(both.assign(number=range(3)), "new", "old").empty
