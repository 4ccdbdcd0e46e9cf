"""Ranges hold what they propose, and what means nothing is refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.training.hyperparameter_search.spaces import (
    Choice,
    Real,
    SpaceError,
    Whole,
    read_space,
    settings_at,
    written,
)

UNITS = st.floats(0, 1, exclude_max=True)
RANGES = st.one_of(
    st.tuples(st.floats(1e-6, 10), st.floats(1.01, 1e4), st.booleans()).map(
        lambda t: Real(t[0], t[0] * t[1], t[2])
    ),
    st.tuples(st.integers(1, 50), st.integers(1, 500), st.booleans()).map(
        lambda t: Whole(t[0], t[0] + t[1], t[2])
    ),
    st.lists(st.one_of(st.none(), st.integers(), st.text()), min_size=1, max_size=5, unique_by=repr).map(
        lambda values: Choice(tuple(values))
    ),
)


@given(one=RANGES, unit=UNITS)
def test_a_range_holds_whatever_it_proposes(one, unit):
    assert one.holds(one.at(unit))


@given(one=RANGES)
def test_what_is_written_is_read_again(one):
    assert read_space(written({"x": one})) == {"x": one}


def test_every_whole_number_is_reached():
    assert {Whole(2, 5).at(k / 40) for k in range(40)} == {2, 3, 4, 5}
    assert {Whole(1, 4, log=True).at(k / 400) for k in range(400)} == {1, 2, 3, 4}


def test_logarithms_spread_evenly():
    one = Real(1e-4, 1, log=True)
    assert settings_at({"rate": one}, [0.5]) == {"rate": 0.01}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "the space is empty"),
        ({"rate": {"real": [1, 1]}}, r"rate: the range \[1, 1\] is empty"),
        ({"rate": {"real": [2, 1]}}, r"rate: the range \[2, 1\] is empty"),
        ({"rate": {"real": ["a", 1]}}, "rate: a range of numbers got 'a'"),
        ({"rate": {"real": [0, 1], "log": True}}, "rate: a logarithm needs low > 0"),
        ({"k": {"whole": [1.5, 3]}}, "k: a range of whole numbers got 1.5"),
        ({"k": {"whole": [1, 2, 3]}}, r"k: whole takes \[low, high\]"),
        ({"k": {"whole": [1, 2], "real": [1, 2]}}, "k: .* is no range; write"),
        ({"k": {"whole": [1, 2], "step": 2}}, "k: .* is no range; write"),
        ({"k": [1, 2]}, r"k: \[1, 2\] is no range; write"),
        ({"k": {"choice": []}}, "k: a choice needs at least one value"),
        ({"k": {"choice": [1, 1]}}, "k: a choice names one value twice"),
        ({"k": {"choice": [[1]]}}, "k: a choice holds text"),
        ({"k": {"real": [float("nan"), 1]}}, "k: a range of numbers got nan"),
    ],
)
def test_ranges_that_mean_nothing_are_refused(raw, said):
    with pytest.raises(SpaceError, match=said):
        read_space(raw)
