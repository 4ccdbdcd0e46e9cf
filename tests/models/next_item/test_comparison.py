"""Every name fits, is judged alike, and is refused where its data set has nothing for it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.baselines.category_popularity import CategoryPopularity
from recsys.code.registry import RegistryError
from recsys.data.load import load_dataset
from recsys.data.splits import global_time, leave_one_out
from recsys.data.tables import Dataset
from recsys.metrics.ranking import ranking_metrics
from recsys.models.next_item import comparison, evaluation, shown_lists
from recsys.models.next_item import data as next_item_data
from recsys.models.next_item.data import NextItemData, load_next_item
from recsys.models.next_item.model_settings import ModelSettings, model_settings
from recsys.models.next_item.text_recommender import Reading
from recsys.models.next_item.zero_shot import ZeroShot

USERS, ITEMS, STEPS = 60, 12, 6
ENCODERS = ("text", "text_ids", "text_lora", "printed")  # a trained encoder reads titles
BUCKETED = ("title_sequence_bucketed", "title_cosine_bucketed")
TRAINED = (
    "sasrec_bce",
    "sasrec",
    "sequence",
    "titles",
    "title_sequence",
    "title_cosine",
    *BUCKETED,
    *ENCODERS,
)
SHORT = {"epochs": 1, "max_steps": 3}


def shop(titles: bool = True) -> Dataset:
    """Every user walks round a circle of items; titles name the place, categories its half."""
    start = np.arange(USERS) % ITEMS
    walk = (start[:, None] + np.arange(STEPS)) % ITEMS
    events = pd.DataFrame(
        {"user": np.repeat(np.arange(USERS), STEPS), "item": walk.ravel(), "kind": "purchase"}
    )
    events["order"] = np.tile(np.arange(STEPS), USERS)
    items = pd.DataFrame({"item": np.arange(ITEMS), "source_id": np.arange(ITEMS)})
    if titles:
        items["title"] = [f"thing number {code}" for code in range(ITEMS)]
        items["category"] = ["low" if code < ITEMS // 2 else "high" for code in range(ITEMS)]
    users = pd.DataFrame({"user": np.arange(USERS), "source_id": np.arange(USERS)})
    return Dataset("circle", items, users, events)


@pytest.fixture
def data(monkeypatch) -> NextItemData:
    monkeypatch.setattr(next_item_data, "load_dataset", lambda name: shop())
    loaded = load_next_item("circle")
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(ITEMS, 16)).astype(np.float32)
    loaded._vectors["minilm"] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return loaded


def plan(name: str) -> ModelSettings:
    backbone = "random-bert" if name in ENCODERS else "minilm"
    settings = SHORT if name in TRAINED else {}
    return ModelSettings(trials=1, settings=settings, backbone=backbone, judged_users=10)


@pytest.mark.parametrize("name", [name for name in comparison.names() if name != "popularity_window"])
def test_every_name_fits_and_is_judged(data, name):
    fitted = comparison.fit(name, data, plan(name))
    metrics, positions = evaluation.judge(fitted.model, data)
    assert len(positions) == USERS
    assert 0 <= metrics["ndcg@10"] <= 1
    assert metrics["ndcg@10"] == pytest.approx(ranking_metrics(positions)[0]["ndcg@10"])
    assert {"coverage@10", "novelty@10", "ndcg@10_validation"} <= metrics.keys()
    costs = comparison.costs(fitted)
    assert costs["fit_seconds"] > 0
    assert ("steps" in costs) == (name in TRAINED)


def test_unknown_names_are_refused(data):
    with pytest.raises(RegistryError, match=r"no model 'bert'.*random.*title_sequence.*ease"):
        comparison.fit("bert", data, ModelSettings())


@pytest.mark.parametrize("name", ["text", "titles", "title_sequence", "zero_shot", "printed"])
def test_models_of_texts_need_titles(monkeypatch, name):
    monkeypatch.setattr(next_item_data, "load_dataset", lambda _: shop(titles=False))
    bare = load_next_item("circle")
    with pytest.raises(ValueError, match="circle has no titles"):
        comparison.fit(name, bare, plan(name))
    with pytest.raises(ValueError, match="no categories"):
        comparison.fit("category_popularity", bare, ModelSettings())


def test_the_test_part_is_not_read_before_it_is_judged(data):
    hidden = replace(data.split, test=None)
    blind = NextItemData(data.dataset, hidden, data.train, data.titles, data.described)
    blind._vectors = data._vectors
    for name in ("title_sequence", "item_knn"):
        one = comparison.fit(name, data, plan(name)).model.score(np.arange(5))
        assert np.array_equal(one, comparison.fit(name, blind, plan(name)).model.score(np.arange(5)))


def test_shares_are_nested_and_everybody_is_judged(monkeypatch):
    monkeypatch.setattr(next_item_data, "load_dataset", lambda _: shop())
    small, large = (load_next_item("circle", share) for share in (0.2, 0.6))
    users = set(small.train["user"])
    assert users < set(large.train["user"])
    assert 0.05 * USERS < len(users) < 0.5 * USERS
    fitted = comparison.fit("item_knn", small, ModelSettings(trials=1))
    assert len(evaluation.judge(fitted.model, small)[1]) == USERS
    for share in (0, 1.5):
        with pytest.raises(ValueError, match=r"train_share must be in \(0, 1\]"):
            load_next_item("circle", share)


def test_bands_count_training_events(data):
    fitted = comparison.fit("popularity", data, ModelSettings())
    metrics, positions = evaluation.judge(fitted.model, data)
    counts = data.train["item"].value_counts()
    assert (positions["train_count"] == positions["item"].map(counts).fillna(0)).all()
    assert "ndcg@10_frequent" in metrics
    assert "ndcg@10_cold" not in metrics


def test_fewer_users_are_spread_and_the_same(data):
    positions = evaluation.judge(comparison.fit("random", data, ModelSettings()).model, data, users=7)[1]
    assert positions["user"].tolist() == evaluation.evenly(data.split.test["user"], 7).tolist()
    assert {0, USERS - 1} <= set(positions["user"])


OURS = {"seed": 0, "trials": 2, "judged_users": 10}


def test_a_parameter_left_alone_is_the_models_own():
    plan = model_settings("text", **OURS, learning_rate=0.0, layers=0, start="pretrained", epochs=0.5)
    assert plan.settings == {"epochs": 0.5}
    assert plan.options == {"reading": Reading("newest_first", 2, 48), "pretrained": True}
    assert model_settings("popularity", **OURS, layers=0, order="newest_first").options == {}


@pytest.mark.parametrize(
    ("model", "asked", "said"),
    [
        ("titles", {"layers": 2}, "titles does not take layers=2: it takes learning_rate"),
        ("sasrec", {"most_per_user": 3}, "sasrec does not take most_per_user=3"),
        ("ease", {"epochs": 2.0, "backbone": "gpt2"}, r"epochs=2.0, backbone='gpt2': it takes none of these"),
        ("text", {"start": "ranodm"}, "start must be 'pretrained' or 'random', not 'ranodm'"),
        ("text", {"trainable": "none", "learning_rate": 0.1}, "does not learn"),
    ],
)
def test_nothing_is_ignored_in_silence(model, asked, said):
    """Such runs once finished, with the parameter in their record and without it in the model."""
    with pytest.raises(ValueError, match=said):
        model_settings(model, **OURS, **asked)


def test_misspelt_parameters_are_named():
    with pytest.raises(TypeError, match="no parameter layer; there are learning_rate"):
        model_settings("text", **OURS, layer=2)


@pytest.mark.parametrize("name", ["item_knn", "ease", "als", "bpr", "zero_shot", "text", "sequence"])
def test_new_users_get_what_is_popular_from_every_model(data, name):
    """EASE and item kNN once gave them zeros, and the catalogue's order decided."""
    without = data.train[data.train["user"] != 3]
    model = comparison.fit(name, replace(data, train=without), plan(name)).model.with_history(without)
    counts = np.bincount(without["item"], minlength=ITEMS)
    assert np.array_equal(model.score(np.array([2, 3]))[1], counts)


def test_new_users_are_counted_apart(data):
    assert (
        "ndcg@10_new_users"
        not in evaluation.judge(comparison.fit("popularity", data, ModelSettings()).model, data)[0]
    )
    parts = {name: getattr(data.split, name) for name in ("train", "validation")}
    parts = {name: table[table["user"] != 3] for name, table in parts.items()}
    unknown = replace(data, train=parts["train"], split=replace(data.split, **parts))
    metrics, positions = evaluation.judge(
        comparison.fit("popularity", unknown, ModelSettings()).model, unknown
    )
    of_three = ranking_metrics(positions[positions["user"] == 3])[0]["ndcg@10"]
    assert metrics["ndcg@10_new_users"] == pytest.approx(of_three)


def test_the_rule_of_the_category(data):
    categories = data.dataset.items["category"]
    rule = CategoryPopularity(categories).fit(data.train, USERS, ITEMS)
    scores = rule.score(np.arange(USERS))
    newest = data.train.sort_values("order").groupby("user")["item"].last()
    for user in (0, 7, 11):
        same = (categories == categories[newest[user]]).to_numpy()
        assert scores[user][same].min() > scores[user][~same].max()
    nobody = rule.with_history(data.train[data.train["user"] != 3]).score(np.array([3]))
    assert np.array_equal(nobody[0], rule.counts)
    with pytest.raises(ValueError, match="12 categories were given for 5 items"):
        CategoryPopularity(categories).fit(data.train, USERS, 5)


def test_zero_shot_ranks_by_the_newest_title():
    text = np.eye(4, dtype=np.float32)
    text[1] = [0.8, 0.6, 0, 0]
    train = pd.DataFrame({"user": [0, 0], "item": [3, 0], "order": [0, 1]})
    scores = ZeroShot(text).fit(train, 2, 4).score(np.array([0, 1]))
    assert scores[0].argsort()[::-1][:2].tolist() == [0, 1]
    assert not scores[1].any()


def test_lists_in_words(data):
    model = comparison.fit("popularity", data, ModelSettings()).model
    user = shown_lists.example_user(data)
    shown = shown_lists.shown_to(model, data, user)
    past = set(data.known.loc[data.known["user"] == user, "item"].map(lambda i: f"thing number {i}"))
    assert set(shown["history, newest first"]) <= past
    assert not past & set(shown["shown, best first"])
    near = shown_lists.nearest_titles(data, 2, k=3, backbone="random-bert")
    assert len(near) == 3
    assert near["cosine"].is_monotonic_decreasing
    assert "thing number 2" not in set(near["title"])


def test_reading_reaches_the_text_model(data):
    asked = {"order": "oldest_first", "items_read": 1, "tokens_read": 16, "max_steps": 3}
    told = model_settings("text", **(OURS | {"judged_users": 0}), backbone="random-bert", **asked)
    fitted = comparison.fit("text", data, told)
    assert fitted.model.reading.order == "oldest_first"
    assert fitted.model.result.best_metric is None
    assert leave_one_out(data.dataset).kind == data.split.kind


@pytest.mark.parametrize("name", ["item_knn", "bpr", "sasrec", "sequence", "title_sequence"])
def test_baselines_and_trained_models_are_searched_with_one_budget(data, name):
    asked = replace(plan(name), trials=3, trained_trials=3)
    fitted = comparison.fit(name, data, asked)
    tried = fitted.trials if fitted.searched is None else fitted.searched
    assert len(tried) == 3
    assert tried["chosen"].sum() == 1
    assert tried.loc[tried["chosen"], "ndcg@10"].item() == tried["ndcg@10"].max()
    costs = comparison.costs(fitted)
    assert costs["search_trials"] == 3
    seconds = comparison.fit(name, data, replace(asked, search_seconds=1e-6))
    assert comparison.costs(seconds)["search_trials"] == 1  # the defaults always count


def test_a_search_holds_what_the_caller_fixed(data):
    asked = replace(plan("sequence"), trained_trials=3)
    asked = replace(asked, settings=asked.settings | {"learning_rate": 0.005})
    fitted = comparison.fit("sequence", data, asked)
    assert "learning_rate" not in fitted.searched
    assert fitted.model.settings.learning_rate == 0.005
    with pytest.raises(ValueError, match="cannot be searched with judged_users=0"):
        comparison.fit("sequence", data, replace(asked, judged_users=0))


def test_a_search_gets_no_event_of_the_test_period(data):
    blind = data.without_test()
    events = blind.dataset.events
    assert not events.index.isin(data.split.test.index).any()
    assert len(events) == len(data.split.train) + len(data.split.validation)
    assert blind.without_test() is blind
    log = load_next_item_of_demo_store().without_test()
    times = log.dataset.events["time"]
    assert times.max() < log.split.boundaries["test_from"]
    assert {"view", "purchase"} <= set(log.dataset.events["kind"])


def load_next_item_of_demo_store() -> NextItemData:
    dataset = load_dataset("demo_store")
    return NextItemData(dataset, global_time(dataset), global_time(dataset).train, None, None)
