"""Next items by packaged backbones: learnt, interrupted and resumed to the same bits, or refused by name."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.models.next_item.text_recommender import Reading, TextRecommender
from recsys.models.tuning_method import Tuning
from recsys.training.settings import TrainingSettings
from tests.encoders.packaged.small_llama import small_smollm2  # noqa: F401 - fixture
from tests.encoders.packaged.small_weights import small_e5, small_use  # noqa: F401 - fixtures
from tests.models.next_item.test_text_recommender import SPLIT, WORDS
from tests.training.planted_cycle import EVERYBODY, ITEMS, USERS

QUICK = TrainingSettings(epochs=6, learning_rate=3e-3, head_learning_rate=1e-2, batch_size=32)


def fitted(backbone, method, settings, folder=None):
    reading = Reading(max_items=2, max_tokens=48)
    model = TextRecommender(WORDS, backbone, tuning=Tuning(method), reading=reading, settings=settings)
    return model.fit(SPLIT.train, USERS, ITEMS, folder=folder)


@pytest.mark.usefixtures("small_e5", "small_use")
@pytest.mark.parametrize(
    ("backbone", "method"),
    [
        ("e5-small-multilingual", "lora"),
        ("e5-small-multilingual", "full"),
        ("use-multilingual", "frozen"),
        ("smollm2-135m", "lora"),
        ("smollm2-135m", "full"),
    ],
)
def test_resumes_to_the_same_bits(backbone, method, tmp_path, monkeypatch, request):
    if backbone == "smollm2-135m":
        request.getfixturevalue("small_smollm2")
    told = replace(QUICK, epochs=1, checkpoint_minutes=0)
    whole = fitted(backbone, method, told)
    loss, calls = TextRecommender.loss, []

    def breaking(self, network, batch):
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("the power is gone")
        return loss(self, network, batch)

    monkeypatch.setattr(TextRecommender, "loss", breaking)
    with pytest.raises(RuntimeError, match="the power is gone"):
        fitted(backbone, method, told, tmp_path)
    resumed = fitted(backbone, method, told, tmp_path)
    assert len(calls) < 2 * whole.result.steps
    np.testing.assert_array_equal(resumed.score(EVERYBODY), whole.score(EVERYBODY))


@pytest.mark.usefixtures("small_use")
def test_a_frozen_table_is_refused_by_name():
    with pytest.raises(ValueError, match="use-multilingual is frozen"):
        fitted("use-multilingual", "full", QUICK)
