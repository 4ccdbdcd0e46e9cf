"""A budget in seconds: search and training stay within it, or it is refused."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from recsys.benchmarks.backbones import seconds_budget
from recsys.benchmarks.backbones.seconds_budget import steps_within
from recsys.models.tuning.task import NextItem
from recsys.training.settings import TrainingSettings

SETTINGS = TrainingSettings(epochs=4, learning_rate=3e-3, batch_size=32)


class Clock:
    """Stands for `perf_counter`: goes on only where the task says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timed_task(monkeypatch):
    """Makes tasks of whose training each step takes so many seconds, and what stands around the steps."""
    clock = Clock()
    monkeypatch.setattr(seconds_budget, "perf_counter", clock)

    def task(step: float, start: float = 0.0, once: float = 0.0):
        to_come = [once]

        def fit(tuning, settings):
            clock.now += start + settings.max_steps * step + (to_come.pop() if to_come else 0)
            history = pd.DataFrame({"seconds": step * np.arange(1, settings.max_steps + 1)})
            return SimpleNamespace(result=SimpleNamespace(history=history))

        return SimpleNamespace(fit=fit)

    return task


def test_a_budget_in_seconds_gives_a_slower_model_fewer_steps(timed_task):
    steps = [steps_within(timed_task(step), "lora", SETTINGS, 10)[0] for step in (0.1, 0.5)]
    assert steps == [pytest.approx(100, abs=1), 20]
    with pytest.raises(ValueError, match="seconds must be above 0"):
        steps_within(None, "lora", SETTINGS, 0)


@pytest.mark.parametrize(
    ("step", "tries", "final"), [(0.125, 3, 50), (0.5, 1, 20), (0.875, 3, 5), (2.0, 3, 2)]
)
def test_search_and_training_together_stay_within_the_seconds(timed_task, step, tries, final):
    task = timed_task(step)
    steps = steps_within(task, "lora", SETTINGS, 10, rates_tried=tries, search_share=0.2)
    assert steps == (final, 0), (
        "each of three tries takes a fifth of the steps, rounded up; one rate is no search"
    )


def test_seconds_that_hold_no_search_are_refused(timed_task):
    with pytest.raises(ValueError, match=r"10 s hold no training with 3 tries"):
        steps_within(timed_task(4.0), "lora", SETTINGS, 10, rates_tried=3, search_share=0.2)


def test_what_comes_before_the_steps_counts_for_each_training_and_a_head_once(timed_task):
    assert steps_within(timed_task(0.125, start=1.25), "lora", SETTINGS, 10) == (70, 0), "10 s less 1.25"
    # four trainings: 10 - 5 = 5 s hold 40 steps, 25 of them and three times 5
    search = {"rates_tried": 3, "search_share": 0.2}
    assert steps_within(timed_task(0.125, start=1.25), "lora", SETTINGS, 10, **search) == (25, 0)
    assert steps_within(timed_task(0.125, once=5.0), "lora", SETTINGS, 10, **search) == (25, 5)
    with pytest.raises(ValueError, match=r"4\.0 s once and 1\.2 s for each training: 9 s hold no training"):
        steps_within(timed_task(0.125, start=1.25, once=4.0), "lora", SETTINGS, 9, **search)


def test_vectors_of_a_shops_titles_are_made_before_the_clock_starts(timed_task):
    class Shop(NextItem):
        item_vectors = property(lambda self: asked.append(None))
        fit = staticmethod(timed_task(0.125).fit)

    asked: list[None] = []
    assert steps_within(Shop(None), "lora", SETTINGS, 10) == (80, 0)
    assert len(asked) == 1
