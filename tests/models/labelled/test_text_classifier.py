"""Labelled tasks: their parts and metrics, and an encoder that learns them, wholly or through a method."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recsys.encoders.embed import embed_texts
from recsys.metrics.ranking import ranking_metrics
from recsys.models.labelled.pair_grader import PairGrader
from recsys.models.labelled.task import Part, judge, positions
from recsys.models.labelled.text_classifier import TaskCache, TextClassifier
from recsys.models.tuning_method import Tuning
from recsys.training.settings import TrainingSettings
from tests.models.labelled.small_tasks import classes, graded

QUICK = TrainingSettings(epochs=4, learning_rate=3e-3, head_learning_rate=1e-2, batch_size=32)


def fitted(task, method="full", settings=QUICK, **options):
    return TextClassifier(task, Tuning(method, options), "random-bert", 1, settings=settings).fit()


@pytest.mark.parametrize(
    ("data", "primary", "least"),
    [(classes(), "accuracy", 0.9), (classes(kinds=2), "auc", 0.9), (graded(), "ndcg@10", 0.95)],
)
def test_each_kind_of_task_is_learnt(small_task, data, primary, least):
    task = small_task(data)
    assert task.primary == primary
    model = fitted(task)
    assert model.judge(task.test)[primary] > least
    read = model.result.history["tokens"].sum()
    assert read == QUICK.epochs * model.samples.lengths.sum(), "both texts of a pair are read"


def test_the_parts_hold_whole_queries_and_shares_nest(small_task):
    task, small = small_task(graded()), small_task(graded(), train_share=0.3)
    parts = [set(part.lists) for part in (task.train, task.validation, task.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 60
    assert set(small.train.texts) < set(task.train.texts)
    assert all(
        a.split()[-1] == b.split()[-1] for a, b in zip(task.train.texts, task.train.pairs, strict=True)
    )
    assert small.test.texts == task.test.texts
    assert len(small_task(graded(), tested=2).test) == 6
    assert len(small_task(classes(), judged=7).validation) == 7
    with pytest.raises(ValueError, match=r"train_share must be in \(0, 1\]"):
        small_task(graded(), train_share=0)


def test_places_of_the_right_class_hold_the_accuracy(small_task):
    task = small_task(classes())
    outputs = np.random.default_rng(0).normal(size=(len(task.test), 3)).round(1)
    found = positions(task, task.test, outputs)
    hits = ranking_metrics(found, cutoffs=(1,))[0]["hr@1"]
    untied = found["equal"] == 0
    assert hits == pytest.approx(judge(task, task.test, outputs)["accuracy"], abs=1 - untied.mean())
    assert positions(small_task(graded()), None, outputs) is None


BRIEF = TrainingSettings(epochs=1, max_steps=1, learning_rate=1e-9, batch_size=32)


def test_a_grade_starts_from_the_line_of_cosines(small_task):
    task = small_task(graded())
    model = fitted(task, settings=BRIEF)
    backbone = model.network.backbone
    first = embed_texts(backbone, task.test.texts, precision="fp32")
    second = embed_texts(backbone, task.test.pairs, precision="fp32")
    cosines, found = (first * second).sum(axis=1), model.outputs(task.test)[:, 0]
    slope, bias = np.polyfit(cosines, found, 1)
    assert found == pytest.approx(slope * cosines + bias, abs=1e-4)
    assert model.judge(task.test)["rmse"] < np.std(task.test.labels) + 0.1
    assert 0 < model.judge(task.test)["ndcg@10_random"] < 1


def test_a_grade_of_one_text_starts_from_a_ridge(small_task):
    data = graded()
    table = data.table.drop(columns="text_pair").assign(text=data.table["text_pair"])
    task = small_task(replace(data, table=table))
    found = fitted(task, settings=BRIEF).judge(task.test)
    assert found["rmse"] < np.std(task.test.labels)


def test_the_head_starts_from_what_the_untuned_encoder_tells(small_task):
    task = small_task(classes())
    shared = TaskCache()
    first = TextClassifier(task, Tuning("lora"), "random-bert", 1, settings=BRIEF, shared=shared).fit()
    assert first.judge(task.test)["accuracy"] > 0.8
    start = shared.start
    second = TextClassifier(task, Tuning("bitfit"), "random-bert", 1, settings=BRIEF, shared=shared).fit()
    assert shared.start is start
    assert np.allclose(first.outputs(task.test), second.outputs(task.test), atol=0.05)


def test_a_line_through_equal_cosines_is_the_mean(bert):
    grader = PairGrader(bert)
    grader.start_from(np.full(4, 0.5), np.array([1.0, 2, 3, 2]))
    assert grader.head.bias.item() == 2
    assert not grader.head.weight.any()


@pytest.mark.parametrize("method", ["frozen", "last-1", "bitfit", "houlsby", "lora", "eva", "prefix"])
def test_methods_learn_what_they_name_and_nothing_else(small_task, method):
    task = small_task(classes())
    model = fitted(task, method, TrainingSettings(epochs=1, max_steps=3, learning_rate=1e-2, batch_size=32))
    learning = sum(p.numel() for p in model.network.backbone.parameters() if p.requires_grad)
    assert model.counts["trainable"] == learning
    assert (learning == 0) == (method == "frozen")
    assert all(p.requires_grad for p in model.network.head.parameters())


def test_a_frozen_encoder_trains_its_head_at_the_rate_given(small_task):
    settings = TrainingSettings(
        epochs=1,
        learning_rate=3e-3,
        head_learning_rate=1e-2,
        batch_size=32,
        warmup_share=0,
        schedule="constant",
    )
    model = fitted(small_task(classes()), "frozen", settings)
    assert set(model.result.history["learning_rate"]) == {3e-3}


def test_adalora_comes_down_to_its_budget_while_the_task_is_learnt(small_task):
    task = small_task(classes())
    model = fitted(task, "adalora", init_r=4, target_r=2)
    backbone = model.network.backbone
    kept = [int(mask.sum()) for mask in backbone.adaptive_rank.mask.values()]
    assert sum(kept) <= 2 * len(kept) < 4 * len(kept)
    assert model.judge(task.test)["accuracy"] > 0.5


def test_without_the_allocator_the_end_is_refused(small_task, monkeypatch):
    from recsys.encoders.peft.adaptive_rank import AdaptiveRank

    monkeypatch.setattr(AdaptiveRank, "on_step", lambda self, step: None)
    with pytest.raises(RuntimeError, match="ranks are left, the budget is"):
        fitted(small_task(classes()), "adalora", init_r=4, target_r=2)


def test_the_same_seed_gives_the_same_outputs_and_reading_changes_nothing(small_task):
    task = small_task(classes())
    one, other = fitted(task, "lora"), fitted(task, "lora")
    torch.rand(7)
    assert np.array_equal(one.outputs(task.test), other.outputs(task.test))
    assert np.array_equal(one.outputs(task.test), one.outputs(task.test))


def test_parts_that_come_and_go_are_each_read(small_task):
    task = small_task(classes())
    model = fitted(task, settings=BRIEF)
    expected = model.outputs(task.test)
    for row, text in enumerate(
        task.test.texts[:5]
    ):  # each one is gone before the next, whose id may be the same
        found = model.outputs(Part([text], task.test.labels[row : row + 1], None, None))
        assert found[0] == pytest.approx(expected[row], abs=0.05)
