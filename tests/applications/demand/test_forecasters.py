"""Every forecaster answers in pieces, learns from the past alone, and gives the same for a seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.applications.demand.features import known_at, title_vectors
from recsys.applications.demand.forecaster import FORECASTERS, LEVELS, Common, training_samples
from recsys.applications.demand.rolling import choose, periods, roll, wape
from recsys.applications.demand.simple import croston, moving_average, seasonal_naive
from recsys.applications.demand.weekly import DemandError, WeeklyDemand
from tests.applications.demand.made_demand import made

UNTIL = 45


@pytest.fixture(scope="module")
def demand():
    return made(16)


@pytest.fixture(scope="module")
def common(demand):
    return Common(seed=1, text=title_vectors(demand.titles, "random-bert"), max_steps=5)


def changed_after(demand: WeeklyDemand, origin: int) -> WeeklyDemand:
    sales = demand.sales.copy()
    sales[:, origin:] = 1000 - sales[:, origin:]
    return WeeklyDemand(demand.name, sales, demand.weeks, demand.titles, demand.holiday)


@pytest.mark.parametrize("name", FORECASTERS)
def test_no_forecast_sees_a_later_week(name, demand, common):
    entry = FORECASTERS.load(name)
    answers = []
    for seen in (demand, changed_after(demand, UNTIL)):
        fitted = entry.make(common, entry.settings[0]).fit(seen, UNTIL, 2)
        answers.append(fitted.forecast(seen, UNTIL))
    np.testing.assert_array_equal(answers[0].point, answers[1].point)
    np.testing.assert_array_equal(answers[0].quantiles, answers[1].quantiles)


@pytest.mark.parametrize("name", FORECASTERS)
def test_forecasts_are_pieces_in_order_and_zero_where_nothing_sells(name, demand, common):
    sales = demand.sales.copy()
    sales[0] = 0
    sales[1, UNTIL - 14 :] = 0
    seen = WeeklyDemand(demand.name, sales, demand.weeks, demand.titles, demand.holiday)
    entry = FORECASTERS.load(name)
    answer = entry.make(common, entry.settings[-1]).fit(seen, UNTIL, 3).forecast(seen, UNTIL)
    assert answer.quantiles.shape == (len(sales), len(LEVELS))
    assert (answer.point >= 0).all()
    assert (np.diff(answer.quantiles, axis=1) >= 0).all()
    assert not answer.active[:2].any()
    assert (answer.point[:2] == 0).all()
    assert (answer.quantiles[:2] == 0).all()


def test_simple_rules_by_hand():
    past = np.array([[0.0, 4, 0, 2, 0, 6], [0, 0, 0, 0, 3, 5]])
    np.testing.assert_array_equal(seasonal_naive(past, 3, 2), [0 + 6 + 0, 3 + 5 + 3])
    np.testing.assert_array_equal(seasonal_naive(past, 1, 52), [6, 5])
    np.testing.assert_allclose(moving_average(past, 2, 4), [2 * 8 / 4, 2 * 8 / 2])
    # sizes 4, 2, 6 and intervals 2, 2 after the first sale; alpha 1 keeps the last of each
    np.testing.assert_allclose(croston(past, 1, 1.0), [0.5 * 6 / 2, 0.5 * 5 / 1])
    np.testing.assert_allclose(croston(np.array([[0.0, 7, 0, 0, 0]]), 1, 0.2), [0.9 * 7 / 3])
    assert croston(np.zeros((1, 9)), 4, 0.1)[0] == 0


@given(st.integers(1, 6), st.floats(0.05, 0.5))
@settings(max_examples=20, deadline=None)
def test_croston_of_a_steady_rhythm_is_its_rate(interval, alpha):
    past = np.zeros((1, 60))
    past[0, ::interval] = 12.0
    assert croston(past, 1, alpha)[0] == pytest.approx((1 - alpha / 2) * 12 / interval)


def test_what_is_known_is_in_units_of_the_products_level(demand):
    tenfold = WeeklyDemand(demand.name, demand.sales * 10, demand.weeks, None, demand.holiday)
    one, ten = known_at(demand, 40, 1), known_at(tenfold, 40, 1)
    np.testing.assert_allclose(ten.scale[one.active], 10 * one.scale[one.active])
    unequal = ~np.isclose(one.features[one.active], ten.features[one.active], atol=1e-4).all(axis=0)
    # the level itself and the shop's movement, which has one piece added to either side
    assert unequal.sum() <= 3


def test_samples_end_where_their_outcome_is_known(demand):
    now = training_samples(demand, 40, 3)
    later = training_samples(changed_after(demand, 40), 40, 3)
    np.testing.assert_array_equal(now.target, later.target)
    with pytest.raises(DemandError, match="too few to learn"):
        training_samples(demand, 6, 3)


def test_a_trained_method_beats_nothing_and_repeats_by_seed(demand, common):
    when = periods(demand, 6, 6)
    found = {}
    for name in ("nothing", "boosting"):
        entry, chosen = choose(name, demand, when, common)
        make = lambda entry=entry, chosen=chosen: entry.make(common, entry.settings[chosen.setting])  # noqa: E731
        found[name] = wape(roll(make, demand, when.test, 1, when.refit_every))
        assert found[name] == wape(roll(make, demand, when.test, 1, when.refit_every))
    assert found["nothing"] == pytest.approx(1.0)
    assert found["boosting"] < 0.8


def test_a_new_forecaster_is_one_file_and_one_line(demand, common, tmp_path, monkeypatch):
    (tmp_path / "last_week_forecaster.py").write_text(
        "from recsys.applications.demand.forecaster import Entry\n"
        "from recsys.applications.demand.simple import Simple\n"
        "LAST = Entry(lambda common, setting: Simple(lambda past, h: h * past[:, -1], common.levels))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(FORECASTERS._entries, "last_week", "last_week_forecaster:LAST")
    entry, _ = choose("last_week", demand, periods(demand, 6, 6), common)
    answer = entry.make(common, {}).fit(demand, UNTIL, 2).forecast(demand, UNTIL)
    np.testing.assert_array_equal(answer.point, np.where(answer.active, 2 * demand.sales[:, UNTIL - 1], 0))


def test_titles_are_needed_by_those_who_read_them(demand):
    with pytest.raises(DemandError, match="reads titles"):
        choose("network_text", demand, periods(demand, 6, 6), Common())
    with pytest.raises(DemandError, match="less than 12 to learn from"):
        periods(demand, 25, 4)
