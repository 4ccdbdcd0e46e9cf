"""A method's name, rank and places, as a notebook says them."""

import pytest

from recsys.encoders.backbone import load_backbone
from recsys.encoders.peft.methods import apply_method
from recsys.encoders.peft.registry import METHODS, usual_rate
from recsys.models.tuning.comparison import learn_by_name
from recsys.models.tuning_method import Tuning, tuning
from recsys.training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("lora", {"r": 5}),
        ("adalora", {"init_r": 10, "target_r": 5}),
        ("prefix", {"num_virtual_tokens": 5}),
        ("houlsby", {"size": 5}),
        ("vera", {"r": 5}),
    ],
)
def test_a_rank_is_what_stands_in_its_place(method, options):
    found = tuning(method, rank=5)
    assert found.options == options
    assert apply_method(load_backbone("random-bert"), method, **found.options)["trainable"] > 0


def test_places_are_named():
    found = tuning("lora", places="query+key")
    assert found.options == {"target_modules": ["query", "key"]}
    with pytest.raises(ValueError, match=r"target_modules \['lookup'\] not found .*: it has .*query"):
        apply_method(load_backbone("random-bert"), "lora", **tuning("lora", places="lookup").options)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"method": "full", "rank": 4}, "full has no rank"),
        ({"method": "bitfit", "rank": 4}, "bitfit has no rank"),
        ({"method": "ia3", "rank": 4}, "ia3 has no rank"),
        ({"method": "houlsby", "places": "query"}, "no modules of your choice"),
        ({"method": "prefix", "places": "query"}, "no modules of your choice"),
        ({"method": "lorra"}, "method must be one of full, frozen"),
    ],
)
def test_what_a_method_does_not_take_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        tuning(**arguments)


def test_words_take_nothing():
    settings = TrainingSettings(epochs=1, learning_rate=1, batch_size=8)
    with pytest.raises(ValueError, match="tfidf has no rank"):
        learn_by_name(None, "tfidf", settings, rank=4)


def test_every_method_has_a_usual_rate():
    assert all(1e-5 <= usual_rate(name) <= 1e-1 for name in METHODS)
    assert usual_rate("last-3") == usual_rate("last-1") < usual_rate("lora") < usual_rate("prefix")
    assert usual_rate("full") < usual_rate("last-1")


def test_only_a_frozen_backbone_learns_nothing():
    settings = TrainingSettings(epochs=1, learning_rate=0.5, head_learning_rate=0.1, batch_size=8)
    assert Tuning("lora").settings(settings) == settings
    assert Tuning("frozen").settings(settings).head_learning_rate is None
