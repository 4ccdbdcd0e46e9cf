"""A budget in seconds: search and training stay within it, or it is refused."""

import numpy as np
import pandas as pd
import pytest

from recsys.benchmarks.seconds_budget import steps_within
from recsys.training.settings import TrainingSettings

SETTINGS = TrainingSettings(epochs=4, learning_rate=3e-3, batch_size=32)


def timed_task(step: float):
    """A task of whose training each step takes so many seconds."""
    history = pd.DataFrame({"seconds": step * np.arange(1, 5)})
    model = type("Model", (), {"result": type("Result", (), {"history": history})})
    return type("Task", (), {"fit": staticmethod(lambda tuning, settings: model)})


def test_a_budget_in_seconds_gives_a_slower_model_fewer_steps():
    steps = [steps_within(timed_task(step), "lora", SETTINGS, 10) for step in (0.1, 0.5)]
    assert steps == [pytest.approx(100, abs=1), 20]
    with pytest.raises(ValueError, match="seconds must be above 0"):
        steps_within(None, "lora", SETTINGS, 0)


@pytest.mark.parametrize(
    ("step", "tries", "final"), [(0.125, 3, 50), (0.5, 1, 20), (0.875, 3, 5), (2.0, 3, 2)]
)
def test_search_and_training_together_stay_within_the_seconds(step, tries, final):
    task = timed_task(step)
    steps = steps_within(task, "lora", SETTINGS, 10, rates_tried=tries, search_share=0.2)
    assert steps == final, "each of three tries takes a fifth of the steps, rounded up; one rate is no search"


def test_seconds_that_hold_no_search_are_refused():
    with pytest.raises(ValueError, match=r"a step takes 4\.0 s: 10 s hold no training with 3 tries"):
        steps_within(timed_task(4.0), "lora", SETTINGS, 10, rates_tried=3, search_share=0.2)
