"""Methods on the same footing: the search, what is chosen, and what a method costs."""

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft.adapter_files import load_adapter
from recsys.models.tuning.comparison import costs, learn, learn_words, next_place, rate_at, shortened
from recsys.models.tuning.task import Labelled, NextItem, load_tuned_task
from recsys.models.tuning_method import Tuning
from recsys.training.settings import TrainingSettings
from tests.models.labelled.small_tasks import classes

BRIEF = TrainingSettings(epochs=1, max_steps=6, learning_rate=1, head_learning_rate=1e-2, batch_size=32)


class Scripted:
    """A task whose models score what the script says for their rate."""

    primary = "score"

    def __init__(self, scores: dict[float, float]):
        self.scores, self.asked = scores, []

    def fit(self, tuning, settings, progress=False):
        self.asked.append(settings)
        return settings

    def judge(self, model, part):
        assert part == "validation"
        return {"score": self.scores[model.learning_rate]}, None


def test_the_best_rate_on_validation_is_trained_with_from_the_start():
    task = Scripted({1e-3: 0.4, 3.16e-3: 0.3, 3.16e-4: 0.1})
    learnt = learn(task, Tuning("lora"), replace(BRIEF, max_steps=30), 1e-3, 3, 1 / 3)
    assert [settings.max_steps for settings in task.asked] == [10, 10, 10, 30]
    assert learnt.settings.learning_rate == task.asked[-1].learning_rate == 1e-3
    assert learnt.rates["metric"].tolist() == [0.4, 0.3, 0.1]


def test_a_search_follows_what_gets_better():
    task = Scripted({1e-3: 0.1, 3.16e-3: 0.1, 1e-2: 0.2, 3.16e-2: 0.1, 3.16e-4: 0.1})
    learnt = learn(task, Tuning("lora"), BRIEF, 1e-3, 5)
    assert learnt.rates["learning_rate"].tolist() == [1e-3, 3.16e-3, 1e-2, 3.16e-2, 3.16e-4]
    assert learnt.settings.learning_rate == 1e-2


def test_a_single_rate_is_taken_unseen():
    task = Scripted({})
    assert learn(task, Tuning("lora"), BRIEF, 0.5, 1).settings.learning_rate == 0.5
    assert len(task.asked) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"tries": 0}, "at least one"), ({"first": 0.0}, "above 0"), ({"search_share": 0}, "search_share")],
)
def test_searches_without_sense_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        learn(Scripted({}), Tuning("lora"), BRIEF, **arguments)


@given(scores=st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_a_search_leaves_no_gap_and_tries_nothing_twice(scores):
    found = {}
    place = 0
    for score in scores:
        assert place not in found
        found[place] = score
        place = next_place(found)
    assert sorted(found) == list(range(min(found), max(found) + 1))
    rates = [rate_at(1e-3, place) for place in sorted(found)]
    assert rates == sorted(set(rates))


@given(share=st.floats(0.01, 1), steps=st.one_of(st.none(), st.integers(1, 500)))
def test_a_shortened_training_is_a_share_of_it(share, steps):
    told = shortened(replace(BRIEF, max_steps=steps, epochs=2), share)
    if steps is None:
        assert told.epochs == pytest.approx(2 * share)
    else:
        assert share * steps - 1e-6 <= told.max_steps < share * steps + 1


@pytest.mark.parametrize("method", ["full", "frozen", "lora"])
def test_costs_are_those_of_the_method(small_task, tmp_path, method):
    task = Labelled(small_task(classes()), "random-bert", 1)
    learnt = learn(task, Tuning(method), BRIEF, 1e-3, 1)
    found = costs(task, learnt)
    backbone = learnt.model.network.backbone
    assert found["trainable_parameters"] == sum(p.numel() for p in backbone.parameters() if p.requires_grad)
    assert found["head_parameters"] == 3 * backbone.width + 3
    assert found["memory_gradients"] == 4 * (found["trainable_parameters"] + found["head_parameters"])


def test_words_alone_are_a_method_of_labelled_tasks(small_task):
    task = Labelled(small_task(classes()), "random-bert", 1)
    learnt = learn_words(task)
    assert task.judge(learnt.model, "test")[0]["accuracy"] == 1
    assert len(learnt.rates) == 3
    assert costs(task, learnt).keys() == {"search_seconds"}
    with pytest.raises(ValueError, match="tfidf needs texts with labels"):
        learn_words(load_tuned_task("demo_store", "random-bert"))


def test_next_purchases_are_a_task_too(tmp_path):
    task = load_tuned_task("demo_store", "random-bert", judged=40, tested=40)
    assert isinstance(task, NextItem)
    learnt = learn(task, Tuning("lora"), BRIEF, 1e-3, 2)
    metrics, positions = task.judge(learnt.model, "test")
    assert 0 <= metrics["ndcg@10"] <= 1
    assert isinstance(positions, pd.DataFrame)
    assert (
        costs(task, learnt)["head_parameters"]
        == learnt.model.items.shape[1] * (learnt.model.items.shape[1] + 1) + 1
    )


def test_adapters_of_the_comparison_reload(small_task, tmp_path):
    from recsys.encoders.peft.adapter_files import save_adapter

    task = Labelled(small_task(classes()), "random-bert", 1)
    model = learn(task, Tuning("lora"), BRIEF, 1e-2, 1).model
    save_adapter(model.network.backbone, tmp_path)
    fresh = load_backbone("random-bert", layers=1, seed=BRIEF.seed)
    load_adapter(fresh, tmp_path)
    before = model.outputs(task.task.test)
    model.network.backbone = fresh
    assert (model.outputs(task.task.test) == before).all()


def test_the_head_s_rate_is_the_task_s_own_or_the_one_given():
    assert load_tuned_task("demo_store", "random-bert").head_rate == NextItem.head_rate
    assert load_tuned_task("demo_store", "random-bert", head_rate=0.5).head_rate == 0.5
    with pytest.raises(ValueError, match="head_rate must be at least 0"):
        load_tuned_task("demo_store", "random-bert", head_rate=-1)
