"""The fine-tuned encoder over histories as texts: planted circle, cold items, truncation, odd texts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from recsys.data.histories import histories
from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.encoders.item_text import history_texts
from recsys.encoders.tokens import tokenise
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.models.next_item.further_pretraining import DEFAULTS, ContrastiveNetwork, further_pretrain
from recsys.models.next_item.text_recommender import SETTINGS, Reading, TextRecommender
from recsys.models.tuning_method import Tuning
from recsys.training.diverged import TrainingDiverged
from recsys.training.settings import TrainingSettings
from tests.training.planted_cycle import EVERYBODY, ITEMS, USERS, parts_by_order, planted_cycle

WORDS = ["apple", "boat", "chair", "dog", "engine", "flower", "guitar", "horse", "island", "jacket", "king"]
WORDS += ["lemon", "mirror", "needle", "orange", "pencil", "queen", "river"]
SPLIT = planted_cycle()
QUICK = TrainingSettings(epochs=6, learning_rate=3e-3, head_learning_rate=1e-2, batch_size=32)
BRIEF = replace(QUICK, max_steps=2)
HARMLESS = replace(QUICK, max_steps=1, learning_rate=1e-12, head_learning_rate=1e-12)  # as before training


def texted(settings=BRIEF, titles=WORDS, backbone="random-bert", layers=1, **rest):
    return TextRecommender(titles, backbone, layers, settings=settings, **rest)


def fitted(settings=BRIEF, events=SPLIT.train, split=None, folder=None, **rest):
    return texted(settings, **rest).fit(events, USERS, ITEMS, split, folder)


def ndcg(model, split=SPLIT, part="validation"):
    return ranking_metrics(evaluate(model, split, part))[0]["ndcg@10"]


@pytest.mark.parametrize("ids", [False, True])
def test_the_circle_is_learnt(ids):
    model = fitted(QUICK, split=SPLIT, ids=ids, reading=Reading(max_items=3))
    assert ndcg(model) > 0.9
    assert ndcg(model.with_history(pd.concat([SPLIT.train, SPLIT.validation])), part="test") > 0.9


def test_a_decoder_learns_too():
    model = fitted(QUICK, backbone="random-gpt", reading=Reading("oldest_first", max_items=3))
    assert model.network.backbone.kind == "decoder"
    batch = model.samples(model.known).collate(np.arange(6))
    assert batch["attention_mask"][:, -1].all()  # padded on the left
    assert ndcg(model) > 0.9


def test_only_with_ids_does_a_parameter_belong_to_an_item():
    def of_items(ids):
        return [name for name, p in fitted(ids=ids).network.named_parameters() if ITEMS in p.shape]

    assert of_items(False) == []
    assert of_items(True) == ["items.ids.weight"]


@pytest.mark.parametrize("ids", [False, True])
def test_before_the_first_step_the_ranking_is_by_the_cosine_of_history_and_title(ids):
    model = fitted(HARMLESS, ids=ids)
    backbone = load_backbone("random-bert", layers=1)
    texts = [" ; ".join(WORDS[item] for item in model.known.of(user)[::-1]) for user in EVERYBODY]
    cosines = (
        embed_texts(backbone, texts, precision="fp32") @ embed_texts(backbone, WORDS, precision="fp32").T
    )
    np.testing.assert_allclose(model.score(EVERYBODY), 20 * cosines, atol=1e-4)


def text_of(reading, history, titles=WORDS):
    backbone = load_backbone("random-bert", layers=1)
    ids = reading.tokens(backbone, [np.array(history)], titles).take([0])[0][0]
    return backbone.tokenizer.decode(ids, skip_special_tokens=True)


def test_what_is_cut_off_is_the_oldest():
    history = [0, 1, 2, 3, 4]
    assert text_of(Reading(max_items=3), history) == "engine ; dog ; chair"
    assert text_of(Reading("oldest_first", max_items=3), history) == "chair ; dog ; engine"
    assert text_of(Reading(max_tokens=5), history) == "engine ; dog"
    assert text_of(Reading("oldest_first", max_tokens=5), history) == "dog ; engine"


def test_the_newest_titles_are_read_when_scoring_as_in_training():
    for order in ("newest_first", "oldest_first"):
        model = fitted(reading=Reading(order, max_items=2))
        swapped = SPLIT.train.copy()
        swapped.loc[swapped["order"] == 0, "item"] = 5  # five events each: the oldest is not read
        other = model.with_history(swapped)
        np.testing.assert_array_equal(other.score(EVERYBODY), model.score(EVERYBODY))
        batch = model.samples(model.known).collate(np.array([3]))  # user 0's last transition
        past = [WORDS[item] for item in model.known.of(0)[2:4]]
        read = model.network.backbone.tokenizer.decode(batch["input_ids"][0], skip_special_tokens=True)
        assert read == " ; ".join(past if order == "oldest_first" else past[::-1])
        assert batch["target"].item() == model.known.of(0)[4]


@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
def test_cutting_long_titles_first_changes_no_token(order):
    titles = ["a" * 30 + " b" * 5000 + " c" * 30, "newest of all", "x y " * 2000]
    reading, backbone = Reading(order, max_tokens=20), load_backbone("random-bert", layers=1)
    pasts = [np.array(codes) for codes in ([0, 1], [1, 0], [2, 0, 1], [1, 2])]
    whole = history_texts(pasts, titles, order)
    wanted = tokenise(backbone, whole, max_tokens=20, keep=reading.keep)
    got = reading.tokens(backbone, pasts, titles)
    np.testing.assert_array_equal(got.ids, wanted.ids)
    np.testing.assert_array_equal(got.offsets, wanted.offsets)


def test_user_vectors_are_where_the_item_vectors_are():
    """embed_texts answers on the CPU: on a GPU the product of the two failed."""
    model = fitted()
    model.items = model.items.to("meta")
    model.network.log_scale = torch.nn.Parameter(model.network.log_scale.detach().to("meta"))
    assert model.user_vectors(np.array([0, 1])).device.type == "meta"


def test_an_empty_history_gets_popularity():
    events = SPLIT.train[SPLIT.train["user"] != 4]
    scores = fitted(events=events).score(np.array([4, 5]))
    np.testing.assert_array_equal(scores[0], np.bincount(events["item"], minlength=ITEMS))
    assert np.isfinite(scores[1]).all()


def test_of_ten_thousand_events_the_newest_are_read():
    model = fitted()
    items = np.random.default_rng(0).integers(ITEMS, size=10_000)
    events = pd.DataFrame({"user": 0, "item": items, "order": np.arange(10_000)})
    many = model.with_history(events).score(np.array([0]))
    np.testing.assert_allclose(model.with_history(events[-8:]).score(np.array([0])), many, atol=1e-6)
    assert len(model.samples(histories(events, 1))) == ITEMS - 1  # repeats are no targets


def test_odd_titles_are_scored():
    odd = ["", "", "🦊🛒", "红色连衣裙", "long " * 20_000, "\ud83d", "\n\t ", "x" * 100_000]
    titles = odd + WORDS[len(odd) :]
    for order in ("newest_first", "oldest_first"):
        model = fitted(titles=titles, reading=Reading(order))
        scores = model.score(EVERYBODY)
        assert np.isfinite(scores).all()
        np.testing.assert_allclose(scores[:, 0], scores[:, 1], atol=1e-5)  # neither has a title
    assert np.isfinite(fitted(titles=[""] * ITEMS).score(EVERYBODY)).all()


def test_a_loss_that_is_no_number_is_said(monkeypatch):
    def broken(self, network, batch):
        return network.log_scale * float("nan"), len(batch["target"])

    monkeypatch.setattr(TextRecommender, "loss", broken)
    with pytest.raises(TrainingDiverged, match="the loss is nan at step 1"):
        fitted()
    monkeypatch.undo()
    vectors = np.full((ITEMS, 64), np.nan, dtype=np.float32)
    with pytest.raises(TrainingDiverged):
        fitted(item_vectors=vectors)


def test_a_frozen_backbone_stays_as_it_is_and_the_head_learns_at_its_own_rate():
    model = fitted(replace(QUICK, warmup_share=0.0, schedule="constant"), tuning=Tuning("frozen"))
    loaded = load_backbone("random-bert", layers=1).state_dict()
    kept = model.network.backbone.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in loaded.items())
    assert model.result.history["learning_rate"].eq(QUICK.head_learning_rate).all()
    assert not torch.equal(model.network.items.map.weight, torch.eye(64))


def test_the_last_layers_alone_learn():
    model = fitted(layers=2, tuning=Tuning("last-1"))
    start = load_backbone("random-bert").state_dict()
    moved = {
        name for name, p in model.network.backbone.state_dict().items() if not torch.equal(p, start[name])
    }
    assert moved
    assert all("layer.1." in name for name in moved)


def test_a_title_lets_an_item_that_nobody_bought_be_found():
    # even items and their cold twins have one title; the circle runs over the even ones
    half = ITEMS // 2
    titles = [WORDS[item // 2] for item in range(ITEMS)]
    starts = np.random.default_rng(1).integers(half, size=USERS)
    rows = [
        (user, int(start + place) % half * 2 + (place >= 3), place)
        for user, start in enumerate(starts)
        for place in range(5)
    ]
    split = parts_by_order(pd.DataFrame(rows, columns=["user", "item", "order"]), USERS, ITEMS)
    assert (split.validation["item"] % 2 == 1).all()
    assert (split.train["item"] % 2 == 0).all()
    model = fitted(replace(QUICK, epochs=12), titles=titles, events=split.train, reading=Reading(max_items=2))
    scores = model.score(EVERYBODY)
    np.testing.assert_allclose(scores[:, 0::2], scores[:, 1::2], atol=1e-4)  # cold twins score the same
    assert ndcg(model, split) > 0.6  # the warm twin stands beside


def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    told = replace(QUICK, epochs=1, checkpoint_minutes=0)
    whole = fitted(told)
    loss, calls = TextRecommender.loss, []

    def breaking(self, network, batch):
        calls.append(1)
        if len(calls) == 6:
            raise RuntimeError("the power is gone")
        return loss(self, network, batch)

    monkeypatch.setattr(TextRecommender, "loss", breaking)
    with pytest.raises(RuntimeError, match="the power is gone"):
        fitted(told, folder=tmp_path)
    resumed = fitted(told, folder=tmp_path)
    assert len(calls) < 2 * whole.result.steps
    np.testing.assert_array_equal(resumed.score(EVERYBODY), whole.score(EVERYBODY))
    done = len(calls)
    again = fitted(told, folder=tmp_path)
    assert len(calls) == done
    np.testing.assert_array_equal(again.score(EVERYBODY), whole.score(EVERYBODY))


def test_a_seed_fixes_the_scores():
    first, again, other = (fitted(replace(BRIEF, seed=seed)).score(EVERYBODY) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-3)


def test_the_default_settings_run():
    assert np.isfinite(fitted(replace(SETTINGS, max_steps=1)).score(EVERYBODY)).all()


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=f"each of {ITEMS} items"):
        fitted(titles=WORDS[:-1])
    with pytest.raises(ValueError, match="one vector for each"):
        fitted(item_vectors=np.ones((3, 64), dtype=np.float32))
    with pytest.raises(ValueError, match="order must be"):
        fitted(reading=Reading("newest"))
    with pytest.raises(ValueError, match="max_tokens must be from"):
        fitted(reading=Reading(max_tokens=5000))
    with pytest.raises(ValueError, match="method must be one of full, frozen"):
        Tuning("some")
    with pytest.raises(ValueError, match="further must be"):
        fitted(further="always")
    with pytest.raises(ValueError, match="title 1 is None"):
        fitted(titles=["a", None])


@pytest.mark.parametrize("how", ["masked", "contrastive"])
def test_further_pretraining_comes_before_the_item_vectors(how):
    told = replace(DEFAULTS[how], learning_rate=1e-3, mixed_precision="no", max_steps=3, epochs=3)
    plain = fitted(HARMLESS)
    model = fitted(HARMLESS, further=how, further_settings=told)
    assert plain.further_result is None
    assert model.further_result.steps == 3
    assert not torch.allclose(model.network.items.text, plain.network.items.text, atol=1e-3)
    alone = load_backbone("random-bert", layers=1)
    further_pretrain(alone, WORDS, how, told)
    vectors = embed_texts(alone, WORDS, max_tokens=64, precision="fp32")
    np.testing.assert_array_equal(model.network.items.text.numpy(), vectors)
    # what reads the histories is what the item vectors are from
    read = embed_texts(alone, model.reading.texts([model.known.of(0)], WORDS), precision="fp32")
    np.testing.assert_allclose(model.score(np.array([0])), 20 * read @ vectors.T, atol=1e-4)


def test_further_pretraining_is_taken_from_the_folder_and_keeps_a_frozen_backbone_frozen(
    tmp_path, monkeypatch
):
    first = fitted(further="contrastive", tuning=Tuning("frozen"), folder=tmp_path)
    assert not any(p.requires_grad for p in first.network.backbone.parameters())

    def never(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(ContrastiveNetwork, "forward", never)
    monkeypatch.setattr(TextRecommender, "loss", never)
    again = fitted(further="contrastive", tuning=Tuning("frozen"), folder=tmp_path)
    np.testing.assert_array_equal(again.score(EVERYBODY), first.score(EVERYBODY))


def test_further_pretraining_takes_seed_and_precision_from_the_settings():
    a, b = (fitted(replace(HARMLESS, seed=seed), further="masked", pretrained=False) for seed in (0, 0))
    np.testing.assert_array_equal(a.score(EVERYBODY), b.score(EVERYBODY))
    np.testing.assert_array_equal(a.further_result.history["loss"], b.further_result.history["loss"])
