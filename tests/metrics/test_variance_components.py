"""Effects over users and seeds: known cases exactly, and coverage by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsys.metrics.detectable import detectable, seeds_needed, units_needed
from recsys.metrics.variance_components import Side, contrast
from tests.metrics.simulate_coverage import KINDS, RATIOS, SEEDS, simulate


def random_sides(seed=0, users=40, seeds=(3, 5)):
    random = np.random.default_rng(seed)
    base = random.normal(0, 1, (users, 1))
    return [
        Side(weight, base + random.normal(0, 0.3, n) + random.normal(0, 0.5, (users, n)))
        for weight, n in zip((1, -1), seeds, strict=True)
    ]


@pytest.mark.parametrize("design", ["paired", "unpaired"])
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("seeds", SEEDS)
def test_the_interval_covers_and_a_gain_on_the_line_is_not_supported(design, ratio, seeds):
    """The bars of the policy at 2,000 draws; simulate_coverage.py has the larger run."""
    random = np.random.default_rng(100 * seeds + int(10 * ratio))
    found = simulate(ratio, seeds, 2000, random, design)
    assert found.coverage >= 0.91
    assert found.false_support <= 0.05
    assert 3.8 <= found.width <= 8  # not bought with intervals of any width: 3.92 is the least there can be


@pytest.mark.parametrize("kind", KINDS)
def test_one_side_that_draws_nothing_is_covered_too(kind):
    found = simulate(1.0, 3, 1000, np.random.default_rng(7), "fixed", kind)
    assert found.coverage >= 0.91
    assert found.false_support <= 0.05


def test_seeds_alone_are_welch():
    random = np.random.default_rng(1)
    a, b = random.normal(0, 1, 3), random.normal(1, 3, 6)
    found = contrast([Side(1, a[None]), Side(-1, b[None])])
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert found.df > 2
    assert found.p_value() == pytest.approx(expected.pvalue)
    assert found.df == pytest.approx(expected.df)
    assert found.interval() == pytest.approx(tuple(expected.confidence_interval()))


def test_one_table_of_seeds_is_the_t_test():
    differences = np.array([0.3, 0.1, 0.45, 0.2])
    found = contrast([Side(1, differences[None])])
    expected = stats.ttest_1samp(differences, 0.1)
    assert found.p_value(0.1) == pytest.approx(expected.pvalue)


def test_without_seeds_it_is_the_paired_t_test_over_users():
    random = np.random.default_rng(2)
    a, b = random.normal(0.2, 1, 50), random.normal(0, 1, 50)
    found = contrast([Side(1, a[:, None]), Side(-1, b[:, None])])
    expected = stats.ttest_rel(a, b)
    assert found.p_value() == pytest.approx(expected.pvalue)
    assert found.df == pytest.approx(49)


def test_variance_is_that_of_the_layout():
    """Textbook mean squares, written out: users, seeds of either side, less what both hold."""
    sides = random_sides()
    found = contrast(sides)
    users = sides[0].scores.mean(1) - sides[1].scores.mean(1)
    total = users.var(ddof=1) / 40
    for side in sides:
        u, n = side.scores.shape
        rows, columns = side.scores.mean(1, keepdims=True), side.scores.mean(0, keepdims=True)
        left = ((side.scores - rows - columns + side.scores.mean()) ** 2).sum() / ((u - 1) * (n - 1))
        total += max(0, side.scores.mean(0).var(ddof=1) / n - left / (n * u))
    assert found.se**2 == pytest.approx(total)
    assert found.effect == pytest.approx(users.mean())


def test_seeds_that_change_nothing_add_nothing():
    a = np.random.default_rng(3).normal(0, 1, (30, 1))
    once, thrice = (contrast([Side(1, np.repeat(a, n, axis=1))]) for n in (1, 3))
    assert thrice.se == pytest.approx(once.se)
    assert thrice.df == pytest.approx(once.df)


def test_an_exact_difference_has_no_error():
    found = contrast([Side(1, np.full((1, 3), 0.1 + 0.2)), Side(-1, np.full((1, 3), 0.1))])
    assert found.se == 0
    assert found.interval() == (pytest.approx(0.2), pytest.approx(0.2))
    assert (found.p_above(0.1), found.p_below(0.1)) == (0, 1)
    assert found.p_value(found.effect) == 1


def test_sides_that_share_their_noise_keep_their_degrees_of_freedom():
    """Models of one seed may err alike: the difference is then far steadier than either side."""
    random = np.random.default_rng(3)
    noise = random.normal(0, 1, (400, 3))
    sides = [Side(1, noise + random.normal(0.3, 0.01, (400, 1))), Side(-1, noise)]
    found = contrast(sides)
    assert found.df >= 2
    low, high = found.interval()
    assert 0.25 < low < 0.3 < high < 0.35


def test_what_rounding_leaves_is_no_spread():
    values = np.array([[0.1 + 0.2, 0.3, 0.3]])
    assert contrast([Side(1, values)]).se == 0


@given(st.integers(0, 50), st.floats(0.01, 100), st.floats(-5, 5))
def test_scale_shift_and_sides_do_what_they_must(seed, scale, shift):
    sides = random_sides(seed, users=12)
    plain = contrast(sides)
    moved = contrast([Side(s.weight, scale * s.scores + shift) for s in sides])
    assert moved.effect == pytest.approx(scale * plain.effect, abs=1e-9 * scale)
    assert moved.se == pytest.approx(scale * plain.se, rel=1e-6)
    weighted = contrast([Side(2 * s.weight, s.scores / 2) for s in sides])
    assert (weighted.effect, weighted.se) == pytest.approx((plain.effect, plain.se))
    mirrored = contrast([Side(-s.weight, s.scores) for s in sides])
    assert mirrored.p_above(0.2) == pytest.approx(plain.p_below(-0.2))
    shuffled = np.random.default_rng(seed).permutation(12)
    assert contrast([Side(s.weight, s.scores[shuffled]) for s in sides]).se == pytest.approx(plain.se)


@given(st.floats(-1, 1), st.integers(0, 20))
def test_p_value_and_interval_agree(line, seed):
    found = contrast(random_sides(seed, users=15))
    low, high = found.interval()
    assert (found.p_value(line) < 0.05) == (not low <= line <= high)
    assert (2 * found.p_above(line) < 0.05) == (low > line)
    assert (2 * found.p_below(line) < 0.05) == (high < line)


@pytest.mark.parametrize(
    ("sides", "told"),
    [
        ([Side(1, np.zeros((3, 2))), Side(-1, np.zeros((4, 2)))], "same users"),
        ([Side(1, np.zeros(3))], "same users"),
        ([], "same users"),
        ([Side(1, np.array([[np.nan, 1.0]]))], "not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(sides, told):
    with pytest.raises(ValueError, match=told):
        contrast(sides)


def test_other_numbers_of_seeds_and_users():
    found = contrast(random_sides(4, users=60))
    same = found.with_numbers(seeds=None)
    assert same.se == pytest.approx(found.se)
    assert found.with_numbers(seeds=1000, units=60).se == pytest.approx(
        math.sqrt(found.unit_variance), rel=0.02
    )
    assert found.with_numbers(units=6000).unit_variance == pytest.approx(found.unit_variance / 100)


def test_power_is_that_of_the_t_test():
    """By simulation: an effect at the detectable distance is found four times in five."""
    random = np.random.default_rng(5)
    found = contrast([Side(1, random.normal(0, 1, (1, 8)))])
    distance = detectable(found.with_numbers(seeds=8), 0.05, 0.8)
    sd = found.se * math.sqrt(8)
    hits = 0
    for _ in range(2000):
        again = contrast([Side(1, random.normal(distance, sd, (1, 8)))])
        hits += 2 * again.p_above(0) < 0.05
    assert 0.74 <= hits / 2000 <= 0.86


def test_seeds_and_users_that_are_needed():
    found = contrast(random_sides(6, users=500, seeds=(3, 3)))
    near = seeds_needed(found, 0.4)
    assert 3 < near < 50
    assert detectable(found.with_numbers(seeds=near)) <= 0.4 < detectable(found.with_numbers(seeds=near - 1))
    too_near = 0.05
    assert seeds_needed(found, too_near) is None
    users = units_needed(found, too_near, seeds=2000)
    assert users > 500
    assert detectable(found.with_numbers(seeds=2000, units=users)) <= too_near
    assert units_needed(found, 1e-9, seeds=3) is None  # the seeds' part alone is too much
    assert seeds_needed(contrast([Side(1, np.zeros((5, 1)))]), 1.0) is None
