"""Coverage and error rates of the intervals and tests, and their agreement with scipy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recsys.metrics.significance import (
    mean_with_interval,
    non_inferiority,
    paired_bootstrap,
    paired_differences,
    paired_permutation_test,
    seed_band,
    user_means,
)


def pair(n, shift, seed):
    random = np.random.default_rng(seed)
    base = random.exponential(size=n)
    return base + shift + random.normal(size=n) * 0.5, base


def test_bootstrap_interval_is_close_to_students():
    a, b = pair(400, 0.1, 0)
    found = paired_bootstrap(a, b)
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.005)
    assert found.difference == pytest.approx((a - b).mean())
    assert found.n == 400


def test_bootstrap_interval_covers_the_truth_as_often_as_it_says():
    inside = 0
    for seed in range(200):
        found = paired_bootstrap(*pair(80, 0.2, seed), resamples=400, seed=seed)
        inside += found.low <= 0.2 <= found.high
    assert 0.88 <= inside / 200 <= 0.99


def test_bootstrap_p_value_agrees_with_its_interval():
    for seed in range(30):
        found = paired_bootstrap(*pair(60, 0.12, seed), resamples=999, seed=seed)
        leaves_zero_out = found.low > 0 or found.high < 0
        if abs(found.p_value - 0.05) > 0.01:  # the two differ by rounding at the border
            assert (found.p_value < 0.05) == leaves_zero_out


def test_permutation_test_agrees_with_scipy():
    a, b = pair(30, 0.15, 3)
    own = paired_permutation_test(a, b, resamples=20_000)
    by_scipy = stats.permutation_test(
        (a - b,), np.sum, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    ).pvalue
    assert own == pytest.approx(by_scipy, abs=0.012)


def test_permutation_test_is_exact_for_few_units():
    ones, zeros = np.ones(7), np.zeros(7)
    assert paired_permutation_test(ones, zeros) == pytest.approx(2 / 2**7)
    assert paired_permutation_test(zeros, zeros) == 1.0
    assert paired_permutation_test(np.r_[1.0, zeros], np.zeros(8)) == 1.0


def test_zero_differences_change_nothing():
    a, b = pair(12, 0.3, 5)
    padded = paired_permutation_test(np.r_[a, np.ones(500)], np.r_[b, np.ones(500)])
    assert padded == paired_permutation_test(a, b)


def test_permutation_test_rejects_as_often_as_it_says():
    p_values = [paired_permutation_test(*pair(25, 0.0, s), resamples=199, seed=s) for s in range(300)]
    assert 0.015 <= np.mean(np.array(p_values) <= 0.05) <= 0.095


def test_pairing_matters():
    """A small steady gain among very different users: clear when paired, invisible otherwise."""
    random = np.random.default_rng(0)
    users = random.exponential(size=300) * 5
    a, b = users + 0.05 + random.normal(size=300) * 0.05, users
    assert paired_permutation_test(a, b) < 0.001
    assert stats.ttest_ind(a, b).pvalue > 0.5


def test_series_are_aligned_by_user():
    a = pd.Series([1.0, 2.0, 3.0], index=[10, 20, 30])
    b = pd.Series([3.0, 1.0, 2.0], index=[30, 10, 20])
    assert paired_differences(a, b).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (pd.Series([1.0, 2.0], index=[1, 2]), pd.Series([1.0, 2.0], index=[1, 3]), "different units"),
        (pd.Series([1.0, 2.0], index=[1, 1]), pd.Series([1.0, 2.0], index=[1, 1]), "twice"),
        ([1.0, 2.0], [1.0], "same length"),
        ([1.0], [1.0], "at least two"),
        ([1.0, np.nan], [1.0, 2.0], "not finite"),
    ],
)
def test_what_cannot_be_paired_is_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        paired_differences(a, b)


def test_mean_with_interval_is_students():
    values = [0.31, 0.34, 0.36]
    found = mean_with_interval(values)
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (found.low, found.high, found.n) == (pytest.approx(low), pytest.approx(high), 3)
    single = mean_with_interval([0.3])
    assert single.mean == 0.3
    assert np.isnan(single.low)


def test_seed_band_holds_a_new_seed_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(size=(4000, 4))
    inside = [band.low <= new <= band.high for *old, new in draws for band in [seed_band(old)]]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_seed_band_floor_and_refusals():
    band = seed_band([0.5, 0.5], floor=0.01)
    assert (band.low, band.high) == (pytest.approx(0.49), pytest.approx(0.51))
    with pytest.raises(ValueError, match="two seeds"):
        seed_band([0.5])
    with pytest.raises(ValueError, match="finite"):
        seed_band([0.5, np.inf])


def test_user_means_make_the_user_the_unit():
    seeds = [
        pd.DataFrame({"hr@5": values}, index=pd.Index([1, 2], name="user")) for values in ([0, 1], [1, 1])
    ]
    assert user_means(seeds)["hr@5"].to_dict() == {1: 0.5, 2: 1.0}
    with pytest.raises(ValueError, match="table 1"):
        user_means([seeds[0], seeds[1].rename(index={1: 9})])


def test_three_copies_of_a_seed_make_nobody_more_certain():
    a, b = (pd.DataFrame({"m": values}) for values in pair(100, 0.1, 2))
    once = paired_bootstrap(a["m"], b["m"])
    thrice = paired_bootstrap(user_means([a] * 3)["m"], user_means([b] * 3)["m"])
    assert (thrice.low, thrice.high) == (pytest.approx(once.low), pytest.approx(once.high))


def test_non_inferiority():
    a, b = pair(2000, -0.01, 1)
    assert non_inferiority(a, b, margin=0.1).holds
    assert not non_inferiority(a, b, margin=0.001).holds
    with pytest.raises(ValueError, match="above 0"):
        non_inferiority(a, b, margin=0)
