"""The threshold keeps its promise, and the score is chosen without a look at test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.applications.classifiers import Learning, solve
from recsys.applications.service.refusal import calibrate, conformal_threshold
from recsys.applications.service.tasks import load_service


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200, unique=True), st.floats(0, 0.99))
def test_at_most_the_rate_lies_below_the_threshold(scores, rate):
    line = conformal_threshold(np.array(scores), rate)
    assert np.sum(np.array(scores) < line) <= rate * (len(scores) + 1)


def test_the_promise_holds_for_a_further_question():
    random = np.random.default_rng(0)
    drawn = random.normal(size=(4000, 60))
    refused = [row[-1] < conformal_threshold(row[:-1], 0.1) for row in drawn]
    assert np.mean(refused) == pytest.approx(0.1 - 0.1 / 60 - 1 / 60 * 0, abs=0.02)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_out_of_range(rate):
    with pytest.raises(ValueError, match="false refusals"):
        conformal_threshold(np.arange(9.0), rate)


def test_an_encoder_refuses_more_of_outside_than_of_inside():
    service = load_service("demo_store", shots=10, judged=150, tested=200)
    refusal = calibrate(solve(service.task, Learning("zero_shot")), service, 0.2)
    assert refusal.metrics["share_outside_refused"] > refusal.metrics["share_inside_refused"]
    assert refusal.metrics["auc_outside"] > 0.7
    assert refusal.chosen in set(refusal.table["score"])


def test_without_questions_out_of_scope_nothing_is_refused():
    service = load_service("demo_store")
    service.outside["test"].clear()
    refusal = calibrate(solve(service.task, Learning("tfidf")), service)
    assert (len(refusal.table), refusal.metrics) == (0, {})
    assert refusal.threshold == -np.inf
