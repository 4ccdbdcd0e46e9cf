"""The study on the demo store: differences add up to the whole's, and repeat by seed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.applications.demand import study as module
from recsys.applications.demand import weekly
from recsys.applications.demand.study import DemandSettings, study
from recsys.applications.demand.weekly import DemandError, weekly_demand
from recsys.data.load import load_dataset
from tests.applications.demand.made_demand import made

SETTINGS = DemandSettings(
    methods="nothing seasonal_naive boosting network network_text",
    backbone="random-bert",
    test_weeks=6,
    refit_every=6,
    max_steps=5,
)


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "weekly_demand", lambda name, products: made(products or 12))
        yield SETTINGS


@pytest.fixture(scope="module")
def found(small):
    return study(small)


def test_differences_add_up_to_the_wholes(small, found):
    errors = found.errors.set_index("method")["wape"]
    naive = errors["seasonal_naive"] - errors["network_text"]
    assert found.lists["error_naive:difference"].mean() == pytest.approx(naive)
    words = errors["network"] - errors["network_text"]
    assert found.lists["error_words:difference"].mean() == pytest.approx(words)
    assert found.metrics["wape"] == pytest.approx(errors["network_text"])
    assert np.isfinite(list(found.metrics.values())).all()
    assert set(found.curve["level"]) == {0.5, 0.8, 0.9, 0.95}
    assert len(found.weekly) == small.test_weeks


def test_the_same_seed_gives_the_same(small, found):
    again = study(small)
    assert again.metrics == found.metrics
    assert again.curve.equals(found.curve)


def test_what_the_comparison_needs_is_named(small):
    with pytest.raises(DemandError, match="lack boosting"):
        study(DemandSettings(methods="nothing seasonal_naive network_text"))
    with pytest.raises(DemandError, match="one of the forecast levels"):
        study(DemandSettings(methods=small.methods, backbone="random-bert", ratio=0.7))


def test_weekly_demand_of_a_log_counts_its_purchases():
    demand = weekly_demand("demo_store")
    bought = load_dataset("demo_store").events.query("kind == 'purchase'")
    inside = (bought["time"] >= demand.weeks[0]) & (
        bought["time"] < demand.weeks[-1] + np.timedelta64(7, "D")
    )
    assert demand.sales.sum() == inside.sum()
    assert (demand.weeks.dayofweek == 0).all()
    assert demand.n_weeks == 52
    assert len(demand.titles) == len(demand.sales)
    assert len(weekly_demand("demo_store", products=50).sales) == 50


def test_a_purchase_without_a_number_is_one_piece(monkeypatch):
    """A blank made the sum of the whole product a blank, and the product was gone."""
    log = load_dataset("demo_store")
    pieces = pd.Series(2.0, index=log.events.index)
    pieces.iloc[np.flatnonzero(log.events["kind"] == "purchase")[::50]] = np.nan
    blank = replace(log, events=log.events.assign(quantity=pieces))
    monkeypatch.setattr(weekly, "load_dataset", lambda name, seed: blank)
    usual = weekly_demand("demo_store")
    monkeypatch.undo()
    counted = weekly_demand("demo_store")
    assert usual.sales.shape == counted.sales.shape
    assert counted.sales.sum() < usual.sales.sum() < 2 * counted.sales.sum()
