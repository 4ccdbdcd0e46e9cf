"""Backbones compared: every way answers every kind of task, or says why it does not; pairs of two classes."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.benchmarks.backbones import comparison as backbone_comparison
from recsys.benchmarks.backbones.comparison import catalogue_memory, compare
from recsys.benchmarks.backbones.costs import sizes
from recsys.data.labelled.dataset import LabelledTexts
from recsys.encoders.backbone import load_backbone
from recsys.models.labelled import task as labelled_task
from recsys.models.next_item import data as next_item_data
from recsys.models.next_item.data import load_next_item
from recsys.models.prompting.generator import Generator
from recsys.models.tuning.task import Labelled, NextItem
from recsys.training.settings import TrainingSettings
from tests.encoders.packaged.small_weights import small_e5, small_use  # noqa: F401 - fixtures
from tests.models.labelled.small_tasks import WORDS, classes, graded
from tests.models.next_item.test_comparison import shop

QUICK = TrainingSettings(epochs=4, learning_rate=3e-3, head_learning_rate=1e-2, batch_size=32)


def same_or_not(n: int = 300) -> LabelledTexts:
    """Two texts of the same words, or of others."""
    kinds = np.arange(n) % 3
    other = (kinds + (np.arange(n) // 3) % 2) % 3
    table = {"text": [f"{WORDS[k]} {i}" for i, k in enumerate(kinds)], "text_pair": [WORDS[k] for k in other]}
    label = (kinds == other).astype(np.int64)
    return LabelledTexts("atec", pd.DataFrame(table | {"label": label}), ["different", "same"])


@pytest.fixture
def asked(monkeypatch):
    """Function: `compare` on a small set in the place of a real one."""

    def run(data: LabelledTexts, backbone="random-bert", method="full", seed=0, **options):
        def load(dataset, name, layers, train_share, judged, tested, seed):
            monkeypatch.setattr(labelled_task, "load_labelled", lambda _: data)
            return Labelled(
                labelled_task.load_task(data.name, train_share, judged, tested), name, layers or None
            )

        monkeypatch.setattr(backbone_comparison, "load_tuned_task", load)
        return compare("small", backbone, method, replace(QUICK, seed=seed), rates_tried=1, **options)

    return run


@pytest.mark.parametrize("method", ["trivial", "zero_shot", "tfidf", "full", "lora", "frozen"])
@pytest.mark.parametrize("data", [classes(), classes(kinds=2), graded(), same_or_not()], ids=lambda d: d.name)
def test_every_way_answers_every_kind_of_task(asked, data, method):
    found = asked(data, method=method).metrics
    assert np.isfinite(list(found.values())).all()
    assert 0 <= found["quality"] <= 1
    assert ("steps" in found) == (method in ("full", "lora", "frozen"))


def test_a_fresh_test_is_another_one_for_another_seed(asked):
    def quality(seed, fresh):
        found = asked(classes(), method="trivial", tested=15, fresh_test=fresh, seed=seed)
        assert (found.positions is None) == fresh, "rows of different tests must not be paired"
        return found.metrics["quality"]

    assert len({quality(seed, False) for seed in range(4)}) == 1
    assert len({quality(seed, True) for seed in range(4)}) > 1
    assert quality(1, True) == quality(1, True)


def test_tuning_learns_pairs_of_two_classes(asked):
    found = asked(same_or_not())
    assert found.metrics["auc"] == found.metrics["quality"] > 0.9
    assert found.positions is not None
    assert found.metrics["accuracy"] == pytest.approx(
        ((found.positions["better"] == 0) & (found.positions["equal"] == 0)).mean()
    )
    assert asked(same_or_not(), method="trivial").metrics["auc"] == 0.5


@pytest.mark.usefixtures("small_e5", "small_use")
@pytest.mark.parametrize(
    ("backbone", "method"),
    [("e5-small-multilingual", "lora"), ("e5-small-multilingual", "houlsby"), ("use-multilingual", "frozen")],
)
def test_packaged_backbones_are_tuned_like_others(asked, backbone, method):
    found = asked(classes(), backbone, method)
    assert found.metrics["quality"] > 0.5


@pytest.mark.usefixtures("small_use")
def test_a_frozen_backbone_refuses_to_be_tuned_by_name(asked):
    with pytest.raises(ValueError, match="use-multilingual is frozen"):
        asked(classes(), "use-multilingual", "full")


def test_few_labels_and_prompts(asked):
    shown = asked(same_or_not(), "random-gpt", "prompt", shots=2, tested=8)
    assert 0 <= shown.metrics["auc"] <= 1
    none = asked(same_or_not(), "random-gpt", "prompt", shots=0, tested=8)
    assert none.metrics["mflops"] < shown.metrics["mflops"], "examples are read too"
    with pytest.raises(ValueError, match="say how many shots"):
        asked(same_or_not(), "random-gpt", "prompt", tested=8)
    with pytest.raises(ValueError, match="leave seconds at 0"):
        asked(classes(), method="trivial", seconds=1.0)
    written = asked(same_or_not(), "random-gpt", "write", shots=2, tested=8)
    assert written.metrics["mflops"] > 0


def test_the_share_of_answers_is_of_the_test(asked, monkeypatch):
    answers = {8: " 是", 5: "?"}
    monkeypatch.setattr(
        Generator, "write", lambda self, prompts, most: [answers[len(prompts)]] * len(prompts)
    )
    written = asked(same_or_not(), "random-gpt", "write", shots=2, tested=8, judged=5)
    assert written.metrics["answered_share"] == 1, "validation's five say nothing"


def test_operations_are_those_of_what_answers(asked):
    for method in ("trivial", "tfidf"):
        found = asked(classes(), method=method).metrics
        assert found["mflops"] == found["parameters"] == 0, "no backbone is asked"
    assert "mflops" not in asked(classes(), method="zero_shot").metrics, "`sizes` knows"


def test_a_generative_model_orders_a_shops_first_results_anew(monkeypatch):
    monkeypatch.setattr(next_item_data, "load_dataset", lambda name: shop())
    task = NextItem(load_next_item("circle"), judged=3, tested=8)
    monkeypatch.setattr(backbone_comparison, "load_tuned_task", lambda *given, **options: task)
    monkeypatch.setattr(backbone_comparison, "RETRIEVER", "random-bert")
    found = compare("circle", "random-gpt", "prompt", QUICK)
    before = compare("circle", "random-bert", "zero_shot", QUICK)
    assert found.metrics["mflops"] > 0
    assert found.positions["user"].tolist() == before.positions["user"].tolist()
    assert found.positions["better"].tolist() != before.positions["better"].tolist()
    with pytest.raises(ValueError, match='use "prompt", which ranks'):
        compare("circle", "random-gpt", "write", QUICK)


@pytest.mark.parametrize("name", ["random-bert", "e5-small-multilingual", "use-multilingual"])
def test_an_encoder_is_not_asked_to_write(asked, name):
    with pytest.raises(ValueError, match=f"{name} is an encoder: it writes nothing"):
        asked(same_or_not(), name, "prompt", shots=2, tested=8)


@pytest.mark.usefixtures("small_e5", "small_use")
def test_sizes_tell_tables_from_what_is_multiplied():
    texts = ["red summer dress", "boat"]
    for name in ("random-bert", "random-gpt", "e5-small-multilingual", "use-multilingual"):
        found = sizes(load_backbone(name), texts)
        assert 0 < found["parameters_without_words"] <= found["parameters"]
        assert found["mflops"] > 0
    small, large = (sizes(load_backbone("random-bert", layers=n), texts)["mflops"] for n in (1, 2))
    assert 1.5 * small < large <= 2 * small + 1e-9


@pytest.mark.usefixtures("small_use")
def test_sizes_of_a_frozen_model_count_its_table_and_what_is_done_once_a_text():
    model = load_backbone("use-multilingual").model
    one, two = (sizes(load_backbone("use-multilingual"), [text]) for text in ("red", "red red"))
    rest = sum(p.numel() for p in model.parameters())
    assert one["parameters"] == rest + model.table.numel()
    assert one["parameters_without_words"] == rest
    a_token = model.project.weight.numel()
    a_token += sum(c.weight.numel() for b in model.branches for c in (b.convolution1, b.convolution2))
    tokens = two["tokens"] - one["tokens"]
    assert two["mflops"] - one["mflops"] == pytest.approx(2e-6 * a_token * tokens)
    once = ("output", "d0", "d1", "d2", "d3", "p1", "p3")
    a_text = sum(getattr(model, name).weight.numel() for name in once)
    assert one["mflops"] == pytest.approx(2e-6 * (a_token * one["tokens"] + a_text))


def test_an_outcome_names_the_texts_whose_reading_costs(asked):
    single = asked(classes(), method="trivial", tested=7)
    assert len(single.texts) == 7
    assert single.max_tokens == 64
    paired = asked(same_or_not(), method="trivial", tested=7)
    assert len(paired.texts) == 14, "a pair is read as two texts"
    assert (single.texts_each, paired.texts_each) == (1, 2)
    reader = load_backbone("random-bert")
    one, two = (sizes(reader, paired.texts, 64, each)["mflops"] for each in (1, 2))
    assert two == 2 * one


def test_what_cannot_be_asked_is_refused_by_name(asked):
    for method in ("full", "tfidf"):
        with pytest.raises(ValueError, match=f"shots=0 leaves {method} nothing to learn from"):
            asked(classes(), method=method, shots=0)
    with pytest.raises(ValueError, match="prompt asks the whole model: leave layers at 0"):
        asked(same_or_not(), "random-gpt", "prompt", shots=0, tested=8, layers=1)


def test_memory_asks_for_the_titles_of_the_named_data_set(monkeypatch):
    asked = []
    monkeypatch.setattr(backbone_comparison, "load_dataset", lambda name: shop())
    monkeypatch.setattr(backbone_comparison, "load_generator", lambda name: name)
    monkeypatch.setattr(
        backbone_comparison, "memory_table", lambda *given, **options: asked.append((*given, options))
    )
    catalogue_memory("movielens_multimodal", "random-gpt", 5, seed=2)
    catalogue_memory("beauty", "random-gpt", 5)
    titles = shop().items["title"].tolist()
    assert asked[0] == ("random-gpt", titles, "Film", {"most": 5, "seed": 2})
    assert asked[1][2] == "Product"
    assert catalogue_memory("beauty", "random-gpt", 0).empty
    monkeypatch.setattr(backbone_comparison, "load_dataset", lambda name: shop(titles=False))
    with pytest.raises(ValueError, match="beauty has no titles"):
        catalogue_memory("beauty", "random-gpt", 5)
