"""The articles' classifier, mended: it learns, keeps its bias, and its report counts what it says."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from recsys.baselines.popularity import Popularity
from recsys.data.histories import histories
from recsys.data.splits import Split
from recsys.encoders.backbone import load_backbone
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.models.articles.printed_classifier import PRINTED, PrintedClassifier, report
from recsys.models.labelled.sequence_classifier import SequenceClassifier

WORDS = ["apple", "boat", "chair", "dog", "engine", "flower", "guitar", "horse", "island", "jacket", "king"]
WORDS += ["lemon", "mirror", "needle", "orange", "pencil"]
M, USERS = len(WORDS), 160
FAST = replace(PRINTED, epochs=4, learning_rate=3e-3)


def cycle(users=USERS, length=5):
    """Users walk round the catalogue item by item: train, one event of validation, one of test."""
    rows = [(u, (u * 7 + step) % M, step) for u in range(users) for step in range(length)]
    events = pd.DataFrame(rows, columns=["user", "item", "order"])
    parts = [events[events["order"] < length - 2], *(events[events["order"] == length - k] for k in (2, 1))]
    return Split(*parts, kind="leave_one_out", n_users=users, n_items=M)


def fitted(data, settings=FAST, **rest):
    texts = rest.pop("texts", WORDS)
    model = PrintedClassifier(texts, "random-bert", settings, layers=1, **rest)
    return model.fit(data.train, data.n_users, data.n_items)


@pytest.fixture(scope="module")
def data():
    return cycle()


@pytest.fixture(scope="module")
def learned(data):
    return fitted(data)


def ndcg(model, data, part):
    return ranking_metrics(evaluate(model, data, part))[0]["ndcg@10"]


def test_it_learns_a_planted_cycle(learned, data):
    popular = Popularity().fit(data.train, data.n_users, data.n_items)
    assert ndcg(learned, data, "validation") > ndcg(popular, data, "validation") + 0.2
    known = learned.with_history(pd.concat([data.train, data.validation]))
    assert ndcg(known, data, "test") > ndcg(popular, data, "test") + 0.2
    assert report(known, data, "test")[0]["accuracy"] > 3 / M


def test_the_printed_settings():
    assert (PRINTED.epochs, PRINTED.batch_size, PRINTED.learning_rate) == (5, 16, 2e-5)
    assert (PRINTED.optimizer, PRINTED.schedule, PRINTED.warmup_share) == ("adamw", "constant", 0)
    assert PRINTED.clip_norm is None
    assert PRINTED.weight_decay == 0


def test_scores_are_the_logits_and_hold_the_bias(learned, data):
    users = np.arange(5)
    with torch.inference_mode():
        learned.network.head.bias += torch.arange(M) * 0.1  # trained at a low rate, it is near 0
    learned._store_item_vectors()
    scores = learned.score(users)
    batch = learned.network.backbone.tokenizer(
        [" ; ".join(WORDS[i] for i in learned.known.of(u)[::-1]) for u in users],
        padding="max_length",
        max_length=128,
        return_tensors="pt",
    )
    with torch.inference_mode():
        logits = learned.network(batch["input_ids"], batch["attention_mask"]).numpy()
        learned.network.head.bias -= torch.arange(M) * 0.1
    learned._store_item_vectors()
    # padded to 128 as printed: the same to rounding
    np.testing.assert_allclose(scores, logits, atol=1e-5)
    np.testing.assert_allclose(scores - learned.score(users), np.tile(np.arange(M) * 0.1, (5, 1)), atol=1e-5)


def test_the_bias_is_trained(learned):
    assert learned.network.item_vectors().shape == (M, 65)
    assert (learned.network.head.bias != 0).all()


def test_one_sample_per_user_or_one_per_prefix():
    events = pd.DataFrame({"user": [0, 0, 0, 1, 2, 2, 2], "item": [0, 1, 2, 3, 4, 5, 4]})
    known = histories(events, 3)

    def samples(**options):
        model = PrintedClassifier(WORDS, "random-bert", **options)
        model.network = SequenceClassifier(load_backbone("random-bert", layers=1), M)
        return model.samples(known), model.network.backbone.tokenizer

    last, tokenizer = samples()
    batch = last.collate(np.arange(len(last)))
    assert batch["target"].tolist() == [2, 4]
    read = tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True)
    assert read == ["boat ; apple", "flower ; engine"]
    assert samples(samples="prefixes")[0].collate(np.arange(4))["target"].tolist() == [1, 2, 5, 4]
    assert samples(repeats=False)[0].collate(np.arange(2))["target"].tolist() == [2, 5]


def test_users_without_history_and_items_without_title():
    data = cycle(users=24)
    train = data.train[data.train["user"] != 3]
    model = fitted(replace(data, train=train), replace(FAST, epochs=1), texts=[""] * M)
    scores = model.score(np.array([3, 4, 5]))
    assert scores[0].tolist() == np.bincount(train["item"], minlength=M).tolist()
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[1], scores[2], atol=1e-5)  # nothing to tell them apart by


def test_a_decoder_reads_the_newest_title_last():
    data = cycle(users=16)
    settings = replace(PRINTED, max_steps=1, mixed_precision="bf16", length_buckets=True)
    model = PrintedClassifier(WORDS, "random-gpt", settings, max_tokens=8, layers=1)
    model.fit(data.train, data.n_users, data.n_items)
    assert model._texts([[0, 1]]) == ["apple ; boat"]
    assert np.isfinite(model.score(np.arange(4))).all()


def test_the_same_seed_gives_the_same_scores():
    data, brief = cycle(users=32), replace(FAST, epochs=1)
    first, again, other = (fitted(data, replace(brief, seed=s)).score(np.arange(3)) for s in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="samples must be"):
        PrintedClassifier(WORDS, samples="all")
    with pytest.raises(ValueError, match="one text for each of 3 items"):
        PrintedClassifier(["a"], "random-bert").build(3)


class Table:
    def __init__(self, scores):
        self.scores = np.asarray(scores, dtype=float)

    def score(self, users):
        return self.scores[users]


def by_hand():
    # true: 0, 0, 1, 2; user 3's first event counts, by its time and not by its row
    test = pd.DataFrame(
        {"user": [0, 1, 2, 3, 3], "item": [0, 0, 1, 3, 2], "time": pd.to_datetime([1, 1, 1, 9, 1])}
    )
    empty = test.iloc[:0]
    return Split(empty, empty, test, kind="global_time", n_users=4, n_items=4)


def test_the_report_of_a_hand_example():
    # said: 0, 1, 1, 1
    model = Table([[9, 0, 0, 0], [0, 9, 0, 0], [0, 9, 0, 0], [0, 9, 0, 0]])
    numbers, table = report(model, by_hand(), "test", batch=3)
    assert numbers["accuracy"] == 0.5
    # f1 of 0: 2·1·½/1.5 = 2/3; of 1: 2·⅓·1/(4/3) = 1/2; of 2: 0
    assert numbers["macro_f1"] == pytest.approx((2 / 3 + 1 / 2) / 3)
    assert numbers["weighted_f1"] == pytest.approx((2 * 2 / 3 + 1 / 2) / 4)
    assert (numbers["users"], numbers["commonest"], numbers["said"]) == (4, 0.5, 2)
    assert table.index.tolist() == [0, 1, 2]
    assert table["support"].tolist() == [2, 1, 1]
    assert table.loc[1, "precision"] == pytest.approx(1 / 3)


def test_a_report_that_is_right_everywhere_and_one_of_nothing():
    numbers, table = report(Table(np.eye(4)[[0, 0, 1, 2]]), by_hand(), "test")
    assert numbers["accuracy"] == numbers["macro_f1"] == numbers["weighted_recall"] == 1
    assert len(table) == 3
    with pytest.raises(ValueError, match="holds no events"):
        report(Table(np.eye(4)), by_hand(), "validation")
    with pytest.raises(ValueError, match="part must be"):
        report(Table(np.eye(4)), by_hand(), "train")
