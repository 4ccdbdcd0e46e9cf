"""The probe finds an event of the test period in training, and nothing where there is none."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recsys.data.errors import LeakError
from recsys.data.leaks import check_leaks
from recsys.data.splits import leave_one_out, split
from recsys.data.tables import Dataset, check, place_in_history
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.leak_probe import another_future, leak_probe, planted
from recsys.models.next_item.model_settings import ModelSettings

USERS, ITEMS, EVENTS = 70, 30, 9
PLAN = ModelSettings(trials=2, settings={"epochs": 3.0}, options={"width": 8, "layers": 1})
VECTORS = np.random.default_rng(0).normal(size=(ITEMS, 12)).astype(np.float32)


@pytest.fixture(autouse=True)
def given_vectors(monkeypatch):
    monkeypatch.setattr(NextItemData, "text_vectors", lambda self, backbone="minilm": VECTORS)


def shop():
    """Walks round the catalogue, a view before each purchase, searches between; times of all users mixed."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(USERS):
        start, moments = rng.integers(ITEMS), np.sort(rng.integers(0, 10_000, size=EVENTS))
        for place, moment in enumerate(moments):
            item = int(start + place) % ITEMS
            rows += [(user, -1, "search", moment, "lamp"), (user, item, "view", moment, None)]
            rows += [(user, item, "purchase", moment, None)]
    events = pd.DataFrame(rows, columns=["user", "item", "kind", "time", "query"])
    events["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(events["time"], unit="h")
    events.insert(3, "order", place_in_history(events["user"]))
    items = pd.DataFrame({"item": range(ITEMS), "source_id": range(ITEMS)})
    items["title"] = [f"thing number {item}" for item in range(ITEMS)]
    return check(
        Dataset("shop", items, pd.DataFrame({"user": range(USERS), "source_id": range(USERS)}), events)
    )


@pytest.fixture(scope="module")
def data():
    dataset = shop()
    parts = split(dataset)
    titles = dataset.items["title"].tolist()
    return NextItemData(dataset, parts, parts.train, titles, titles)


def test_another_future_changes_the_test_period_and_nothing_else(data):
    other, since = another_future(data, seed=1), data.split.boundaries["test_from"]
    check(other.dataset)
    for name in ("train", "validation"):
        pd.testing.assert_frame_equal(getattr(other.split, name), getattr(data.split, name))
    pd.testing.assert_frame_equal(other.train, data.train)
    old, new = data.split.test, other.split.test
    assert (old["item"].to_numpy() != new["item"].to_numpy()).all()
    assert (old["time"].to_numpy() == new["time"].to_numpy()).all()
    assert (old["user"].to_numpy() != new["user"].to_numpy()).any()
    assert sorted(old["user"]) == sorted(new["user"])
    before, after = (each.dataset.events.loc[lambda events: events["time"] < since] for each in (data, other))
    pd.testing.assert_frame_equal(before.reset_index(drop=True), after.reset_index(drop=True))
    assert (other.dataset.events["kind"].value_counts() == data.dataset.events["kind"].value_counts()).all()
    check_leaks(other.split, other.dataset)
    again = split(other.dataset)  # the split of the other data set is the other split
    assert again.boundaries == data.split.boundaries
    pd.testing.assert_frame_equal(again.train.reset_index(drop=True), data.train.reset_index(drop=True))


def test_another_seed_is_another_future(data):
    first, again, second = (another_future(data, seed).split.test for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first["item"].equals(second["item"])


@pytest.mark.parametrize("name", ["random", "popularity", "popularity_window", "item_knn", "ease", "bpr"])
def test_untrained_and_tuned_models_know_nothing_of_the_test_period(data, name):
    rows = leak_probe(name, data, PLAN).set_index("what")
    assert list(rows.index) == ["training events", "popularity counts", "scores"]
    assert rows["equal"].all()
    assert (rows["difference"] == 0).all()


@pytest.mark.parametrize("name", ["titles", "title_sequence", "sequence"])
def test_trained_models_know_nothing_of_the_test_period(data, name):
    rows = leak_probe(name, data, PLAN).set_index("what")
    assert {"training samples", "sample contents", "model's popularity counts", "item vectors"} < set(
        rows.index
    )
    assert rows["equal"].all()


def test_the_text_model_knows_nothing_of_the_test_period(data):
    quick = {"epochs": 1, "warmup_share": 0.0, "mixed_precision": "no"}  # every sample is learned from
    plan = replace(PLAN, settings=quick, backbone="random-bert", options={"layers": 1, "further": "masked"})
    rows = leak_probe("text", data, plan).set_index("what")
    assert rows["equal"].all()
    rows = leak_probe("text", planted(data), plan).set_index("what")
    assert not rows.loc[["sample contents", "item vectors", "scores"], "equal"].any()


def test_a_planted_event_is_caught_by_the_probe_and_by_the_leak_check(data):
    check_leaks(data.split, data.dataset)
    leaking = planted(data)
    assert len(leaking.train) == len(data.train) + 1
    assert len(leaking.split.test) == len(data.split.test) - 1
    with pytest.raises(LeakError, match="future events in an earlier part"):
        check_leaks(leaking.split, leaking.dataset)
    rows = leak_probe("titles", leaking, PLAN).set_index("what")
    wrong = ["training events", "popularity counts", "sample contents", "model's popularity counts"]
    assert not rows.loc[[*wrong, "item vectors", "scores"], "equal"].any()
    assert rows.loc["popularity counts", "difference"] == 1
    assert (rows.loc[~rows["equal"], "difference"] > 0).all()
    for name in ("popularity", "item_knn"):
        rows = leak_probe(name, leaking, PLAN).set_index("what")
        assert not rows.loc[["training events", "popularity counts"], "equal"].any()
    assert not leak_probe("popularity", leaking, PLAN).set_index("what").loc["scores", "equal"]


def test_a_model_that_reads_the_test_part_behind_the_tables_is_caught(data, monkeypatch):
    """Nothing is wrong with the tables: only two fits can tell."""

    class Peeking:
        def __init__(self, events):
            self.counts = np.bincount(events["item"].clip(lower=0), minlength=ITEMS)

        def score(self, users):
            return np.tile(self.counts, (len(users), 1))

    def peeking(name, data, plan):
        return type("Fitted", (), {"model": Peeking(data.dataset.events)})

    monkeypatch.setattr("recsys.models.next_item.leak_probe.fit", peeking)
    rows = leak_probe("popularity", data, PLAN).set_index("what")["equal"]
    assert rows.to_dict() == {"training events": True, "popularity counts": True, "scores": False}


def test_what_cannot_be_probed_is_refused(data):
    one_out = replace(data, split=leave_one_out(data.dataset))
    with pytest.raises(ValueError, match="shop is split by leave_one_out"):
        leak_probe("popularity", one_out, PLAN)
    strange = replace(data, train=planted(data).train.assign(order=999))
    with pytest.raises(ValueError, match="none of the data set's"):
        another_future(strange)
    with pytest.raises(ValueError, match="no event to plant"):
        planted(replace(data, split=replace(data.split, test=data.split.test[:0])))
    with pytest.raises(ValueError, match="no user has a training event"):
        leak_probe("popularity", replace(data, train=data.train[:0]), PLAN)
