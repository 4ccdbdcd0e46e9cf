"""Tuning on behaviour: titles bought in a row come nearer; what cannot be learnt from is refused."""

import numpy as np
import pandas as pd
import pytest

from recsys.benchmarks.ladder.title_tuning import successors, tune_on_successors
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.ensembling.errors import EnsembleError

TEXTS = [
    "red shoe",
    "blue shoe",
    "red sock",
    "green lamp",
    "oak table",
    "steel knife",
    "red shoe",
    "wool hat",
]


def walks(users=60):
    """Everybody buys item i, then i + 1."""
    rows = [(user, (user + step) % 6, step) for user in range(users) for step in range(3)]
    return pd.DataFrame(rows, columns=["user", "item", "order"])


def test_pairs_stay_within_a_user_and_differ_in_text():
    events = pd.DataFrame({"user": [0, 0, 0, 1, 1], "item": [0, 6, 3, 1, 2], "order": [0, 1, 2, 0, 1]})
    first, second = successors(events, 2, TEXTS)
    # items 0 and 6 read the same; user 0's last and user 1's first are no pair
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(6, 3), (1, 2)]


def test_what_is_bought_in_a_row_comes_nearer():
    backbone = load_backbone("random-bert", seed=0)

    def nearness():
        vectors = embed_texts(backbone, TEXTS[:6], precision="fp32")
        cosine = vectors @ vectors.T
        pairs = np.arange(6), (np.arange(6) + 1) % 6
        return cosine[pairs].mean() - cosine[~np.eye(6, dtype=bool)].mean()

    before = nearness()
    for seed in range(4):
        tune_on_successors(backbone, TEXTS, walks(200), 200, 400, seed)
    assert nearness() > before
    assert not backbone.training


def test_nothing_to_learn_from_is_said():
    single = pd.DataFrame({"user": [0, 1], "item": [0, 1], "order": [0, 0]})
    with pytest.raises(EnsembleError, match="bought in a row"):
        tune_on_successors(load_backbone("random-bert"), TEXTS, single, 2, 10, 0)
