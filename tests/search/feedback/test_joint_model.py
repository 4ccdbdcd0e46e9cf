"""Four tasks from one trunk: a chain of probabilities that learns, is calibrated, and says what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from recsys.metrics.classification import expected_calibration_error
from recsys.search.errors import SearchError
from recsys.search.feedback.joint_model import SETTINGS, STAGES, JointFeedback

QUICK = replace(SETTINGS, epochs=30)  # few views here: as many steps as a log gives in 6


def planted(count, seed=0):
    """Views whose outcomes follow from one feature and one dimension of the match."""
    rng = np.random.default_rng(seed)
    match, features = rng.normal(size=(count, 8)), rng.normal(size=(count, 3))
    worth = features[:, 0] + match[:, 0]
    click = rng.random(count) < expit(worth - 0.5)
    cart = click & (rng.random(count) < expit(worth))
    purchase = cart & (rng.random(count) < 0.4)
    rating = np.where(purchase, np.clip(3 + features[:, 1], 1, 5), np.nan)
    return match, features, np.column_stack([click, cart, purchase, rating]).astype(float)


@pytest.fixture(scope="module")
def model():
    return JointFeedback(settings=QUICK).fit(*planted(4000)).calibrate(*planted(2000, 1))


def test_it_learns_every_task(model):
    match, features, truth = planted(3000, 2)
    found = model.predict(match, features)
    for place, stage in enumerate(STAGES):
        hit = truth[:, place] == 1
        assert found[stage][hit].mean() > 1.2 * found[stage][~hit].mean()
    rated = np.isfinite(truth[:, 3])
    error = np.mean((found["rating"][rated] - truth[rated, 3]) ** 2)
    assert error < 0.6 * truth[rated, 3].var()


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_stage_is_never_likelier_than_the_one_before(model, calibrated, monkeypatch):
    match, features, _ = planted(500, 3)
    monkeypatch.setitem(model.lines, "cart", (1.0, 2.0))  # as another kind of views may ask for
    found = model.predict(match * 5, features * 5, calibrated=calibrated)
    assert (found["cart"] <= found["click"] + 1e-7).all()
    assert (found["purchase"] <= found["cart"] + 1e-7).all()
    assert all(((found[stage] >= 0) & (found[stage] <= 1)).all() for stage in STAGES)
    assert ((found["rating"] >= 1) & (found["rating"] <= 5)).all()


def test_calibration_mends_a_shifted_level():
    match, features, truth = planted(4000)
    model = JointFeedback(("click",), QUICK).fit(match, features, truth)
    later = planted(4000, 5)
    later[2][:, 0] *= np.random.default_rng(0).random(4000) < 0.5  # people click half as often now
    model.calibrate(*later)
    asked = planted(4000, 6)
    asked[2][:, 0] *= np.random.default_rng(1).random(4000) < 0.5
    errors = [
        expected_calibration_error(asked[2][:, 0], model.predict(*asked[:2], calibrated=own)["click"])
        for own in (False, True)
    ]
    assert errors[1] < 0.3 * errors[0]


def test_a_falling_line_mends_the_level_alone():
    match, features, truth = planted(2000)
    model = JointFeedback(("click",), QUICK).fit(match, features, truth)
    before = model.predict(match, features, calibrated=False)["click"]
    turned = truth.copy()
    turned[:, 0] = np.random.default_rng(0).random(2000) < 0.05 * (before < np.median(before)) + 0.01
    found = model.calibrate(match, features, turned).predict(match, features)["click"]
    assert found.mean() == pytest.approx(turned[:, 0].mean(), rel=0.1)
    assert (np.diff(found[np.argsort(before)]) >= 0).all()


def test_the_same_seed_gives_the_same_model():
    one, two = (JointFeedback(settings=QUICK).fit(*planted(600), seed=3) for _ in range(2))
    asked = planted(50, 1)[:2]
    for stage in STAGES:
        np.testing.assert_array_equal(one.predict(*asked)[stage], two.predict(*asked)[stage])
    assert JointFeedback(("rating",), QUICK).fit(*planted(600)).predict(*asked).keys() == {"rating"}


def test_what_cannot_be_learnt_is_said():
    match, features, truth = planted(100)
    with pytest.raises(SearchError, match="differ in number"):
        JointFeedback().fit(match[:5], features, truth)
    with pytest.raises(SearchError, match="NaN"):
        JointFeedback().fit(match, np.where(features > 0, np.nan, features), truth)
    with pytest.raises(SearchError, match="all alike"):
        JointFeedback().fit(match, features, truth * [1, 1, 0, 1])
    with pytest.raises(SearchError, match="tasks must be"):
        JointFeedback(("views",))
