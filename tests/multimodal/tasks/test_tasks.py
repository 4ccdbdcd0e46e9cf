"""The tasks end to end on the demo store, with modalities that need no packaged network."""

import numpy as np
import pandas as pd
import pytest

from recsys.data.load import load_dataset
from recsys.data.tables import Dataset
from recsys.metrics.ranking import ranking_metrics
from recsys.multimodal.classifier import FitSettings
from recsys.multimodal.features import FeatureError
from recsys.multimodal.tasks.classification import classify
from recsys.multimodal.tasks.next_item import load_task, next_items, split_by_order
from recsys.multimodal.tasks.outcome import class_positions
from recsys.multimodal.tasks.rival import against_rival
from recsys.multimodal.tasks.subjects import Subjects, load_subjects
from recsys.multimodal.tasks.wiring import planted


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("RECSYS_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def subjects() -> Subjects:
    return load_subjects("demo_store", 500)


def test_only_pictures_tell_the_colour_and_only_words_the_category(subjects):
    settings = FitSettings(operator="linear")
    by_words = classify(subjects, "colour", ("words",), settings, trials=1).metrics
    assert by_words["hr@1"] < 0.3  # eight colours
    both = classify(subjects, "colour", ("words", "colours"), settings, trials=1)
    assert both.metrics["hr@1"] > by_words["hr@1"] + 0.2
    assert both.metrics["shapley_colours"] > both.metrics["shapley_words"] + 0.1
    damage = both.tables["damage"].set_index("knock_out")["accuracy"]
    assert damage["none"] == both.metrics["hr@1"]
    assert damage[["constant", "noise", "shuffled"]].max() < damage["none"] - 0.1
    category = classify(subjects, "material", ("words",), settings, trials=1).metrics
    assert category["hr@1"] > 0.8


def test_a_rival_without_the_pictures_is_what_spoilt_pictures_are_held_against(subjects):
    settings = FitSettings(operator="concatenation", modality_dropout=0.3, epochs=6)
    names = ("words", "colours")
    told = classify(subjects, "colour", names, settings, missing="colours", trials=1, rival=True)
    lists = told.tables["lists"]
    assert lists["list"].tolist() == told.positions["user"].tolist()
    for kind in ("constant", "noise", "shuffled", "missing", "none", "half"):
        assert set(lists[f"{kind}:difference"]) <= {-1, 0, 1}
    gained = told.metrics["hr@1"] - told.metrics["rival_hr@1"]
    assert lists["none:difference"].mean() == pytest.approx(gained)
    assert gained > 0.2
    assert 0 < lists["half:difference"].mean() < gained
    assert abs(lists["missing:difference"].mean()) < 0.1
    with pytest.raises(FeatureError, match="no modality left"):
        against_rival(None, {"colours": None}, None, None, "colours", settings, ())


def test_a_second_task_decodes_nothing(subjects):
    first, second = (
        classify(subjects, label, ("colours",), FitSettings(operator="linear"), trials=1)
        for label in ("colour", "pattern")
    )
    assert first.metrics["files_decoded"] in (0, len(subjects.table))
    assert second.metrics["files_decoded"] == 0


def test_metrics_follow_from_positions(subjects):
    outcome = classify(subjects, "pattern", ("colours",), FitSettings(operator="linear"), trials=1)
    again, _ = ranking_metrics(outcome.positions, (1, 5))
    assert again["hr@1"] == pytest.approx(outcome.metrics["hr@1"])
    with pytest.raises(FeatureError, match="no label 'taste'"):
        classify(subjects, "taste", ("colours",), FitSettings())


def test_a_class_that_training_never_saw_cannot_be_right():
    scores = np.log(np.array([[0.9, 0.1], [0.4, 0.6]]))
    positions = class_positions(scores, np.array([0, 2]), np.array([10, 11]))
    found, _ = ranking_metrics(positions, (1,))
    assert found["hr@1"] == 0.5


def test_parts_do_not_overlap_and_a_label_without_value_is_left_out(subjects):
    rows = np.concatenate(list(subjects.parts.values()))
    assert len(np.unique(rows)) == len(rows) == len(subjects.table)
    table = subjects.table.assign(colour=[None, *subjects.table["colour"][1:]])
    own = Subjects("own", table, subjects.parts, subjects.labels)
    codes, _, parts = own.coded("colour")
    assert codes[0] == -1
    assert 0 not in np.concatenate(list(parts.values()))


def small_log(users: int = 60, items: int = 40, seed: int = 0) -> Dataset:
    """Two tastes, told by the titles; views without purchases."""
    random = np.random.default_rng(seed)
    rows = [
        (user, item)
        for user in range(users)
        for item in random.permutation(np.arange(user % 2, items, 2))[:10]
    ]
    events = pd.DataFrame(rows, columns=["user", "item"]).assign(kind="view")
    events["order"] = events.groupby("user").cumcount()
    titles = [("iron hammer", "silk dress")[item % 2] + f" number {item}" for item in range(items)]
    table = pd.DataFrame({"item": np.arange(items), "source_id": np.arange(items), "title": titles})
    people = pd.DataFrame({"user": np.arange(users), "source_id": np.arange(users)})
    people["gender"] = np.where(np.arange(users) % 2, "F", "M")
    return Dataset("beauty", table, people, events)


def test_cold_items_are_out_of_training_and_found_by_their_words():
    task = load_task(small_log(), cold_share=0.2)
    assert len(task.cold) > 2
    assert not set(task.split.train["item"]) & set(task.cold)
    assert set(task.split.test["item"]) & set(task.cold)
    behaviour = next_items(task, "ease").metrics["hr@10_cold_items"]
    found = next_items(task, "side_information", ("words",))
    assert found.metrics["hr@10_cold_items"] > behaviour + 0.2
    unseen = set(found.positions.loc[found.positions["train_count"] == 0, "item"])
    assert set(task.cold) >= unseen >= set(task.cold) & set(found.positions["item"])


def test_splits_follow_each_user_s_order():
    split, cold = split_by_order(small_log())
    assert len(cold) == 0
    for before, after in (("train", "validation"), ("validation", "test")):
        last = getattr(split, before).groupby("user")["order"].max()
        first = getattr(split, after).groupby("user")["order"].min()
        assert (last < first).all()


def test_a_profile_serves_and_unknown_models_are_named():
    task = load_task(small_log())
    found = next_items(task, "side_information", ("profile",))
    assert found.metrics["ndcg@10"] > next_items(task, "random").metrics["ndcg@10"]
    with pytest.raises(FeatureError, match="no model 'magic'"):
        next_items(task, "magic")
    with pytest.raises(FeatureError, match="at least one modality"):
        next_items(task, "side_information")


def test_late_fusion_of_recommenders_names_its_weights():
    found = next_items(load_task(small_log()), "late", ("words",))
    assert {"ease", "words"} <= set(found.tables["trials"])
    assert 0 < found.metrics["coverage@10"] <= 1
    lists = found.tables["lists"].set_index("list")
    assert set(lists.index) == set(found.positions["user"])
    assert lists["novelty@10"].mean() == pytest.approx(found.metrics["novelty@10"])
    assert lists["diversity@10"].mean() == pytest.approx(found.metrics["diversity@10"])
    assert lists["coverage@10"].mean() >= found.metrics["coverage@10"]


def test_a_tree_measures_diversity_where_there_is_one():
    plain, log = small_log(), small_log()
    log.items["category"] = np.where(log.items["item"] % 2, "Dresses > Silk", "Tools > Hammers")
    found = next_items(load_task(log), "side_information", ("tree",))
    assert found.metrics["diversity@10"] < 0.2  # one taste a user
    assert "text" not in found.features
    assert "text" in next_items(load_task(plain), "popularity").features


def test_planted_shoppers_buy_one_colour_of_one_category():
    store = load_dataset("demo_store", size="small")
    colours = np.array(["red", "blue"])[np.arange(store.n_items) % 2]
    events, colour, category = planted(store, colours, 30, 0)
    last = events.groupby("user").tail(1)
    assert (colours[last["item"]] == colour).all()
    top = store.items["category"].str.split(" > ").str[0].to_numpy()
    assert (top[events["item"]] == category[events["user"]]).all()
    assert not events.duplicated().any()
