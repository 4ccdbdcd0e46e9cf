"""Merged LoRA runs of a text recommender on a small random encoder: one plain model that learnt."""

from dataclasses import replace

import pytest

from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.one_model.merged_text import MergedTextRecommender
from recsys.models.tuning_method import Tuning
from tests.models.next_item.test_text_recommender import QUICK, SPLIT, WORDS, ndcg
from tests.training.planted_cycle import ITEMS, USERS


def merged(settings=QUICK, split=None, **rest):
    model = MergedTextRecommender(WORDS, backbone="random-bert", layers=1, settings=settings, **rest)
    return model.fit(SPLIT.train, USERS, ITEMS, split)


def test_the_merged_model_is_plain_and_better_than_before_training():
    learnt = merged(SPLIT and QUICK, SPLIT)
    assert learnt.network.backbone.peft is None
    assert learnt.settings == QUICK
    untrained = replace(QUICK, max_steps=1, learning_rate=1e-12, head_learning_rate=1e-12)
    assert ndcg(learnt) > ndcg(merged(untrained)) + 0.1


def test_what_cannot_be_merged_is_refused(tmp_path):
    for wrong in ({"adapters": 1}, {"way": "mean"}, {"tuning": Tuning("full")}):
        with pytest.raises(EnsembleError, match="two LoRA adapters"):
            MergedTextRecommender(WORDS, backbone="random-bert", **wrong)
    with pytest.raises(EnsembleError, match="without a folder"):
        MergedTextRecommender(WORDS, backbone="random-bert").fit(SPLIT.train, USERS, ITEMS, None, tmp_path)
