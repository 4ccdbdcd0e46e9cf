"""The overlay says what the engine will say, wherever the engine stands."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.streaming.live_lists import LiveLists
from recsys.streaming.overlay import Overlay, lists_of
from recsys.streaming.shard_batch import apply_batch
from recsys.streaming.sharding import shards_of
from recsys.streaming.state_columns import empty_states, fold
from recsys.streaming.stores.opening import open_store
from recsys.streaming.top_lists import TopLists
from tests.streaming.strategies import SPEC, VECTORS, logs


def engine(store, rows, batch=0):
    shards = shards_of(rows, store.shards)
    for shard in range(store.shards):
        apply_batch(store, shard, batch, rows[shards == shard], [], VECTORS)


@given(logs(), st.data())
@settings(deadline=None, max_examples=60)
def test_overlay_and_engine_agree_bit_for_bit(tmp_path_factory, rows, data):
    folder = tmp_path_factory.mktemp("stores")
    first = data.draw(st.integers(0, len(rows)))
    behind, ahead = (open_store(folder / name, SPEC, 2) for name in ("behind", "ahead"))
    engine(ahead, rows)
    engine(behind, rows[:first])
    overlay = Overlay(behind, VECTORS, refresh=data.draw(st.sampled_from([0.0, 100.0])))
    middle = data.draw(st.integers(first, len(rows)))
    overlay.observe(rows[first:middle])
    if data.draw(st.booleans()):  # the engine gains on it in between
        engine(behind, rows[first:middle], 1)
        overlay.forget()
    overlay.observe(rows[middle:])
    want = ahead.states(VECTORS)
    assert overlay.states(want["user"].tolist()).tobytes() == want.tobytes()


def test_what_the_engine_has_passed_is_dropped(tmp_path):
    rows = clicks([1, 2, 1])
    store = open_store(tmp_path, SPEC, 2)
    overlay = Overlay(store, VECTORS)
    assert overlay.observe(rows) == [1, 2]
    assert overlay.forget() == 2
    engine(store, rows)
    assert overlay.forget() == 0
    assert overlay.states([1])["counts"][0].sum() == 2


def clicks(users):
    from recsys.streaming.events import EVENT

    rows = np.zeros(len(users), dtype=EVENT)
    rows["offset"] = rows["id"] = rows["time"] = np.arange(len(users))
    rows["user"], rows["kind"], rows["item"] = users, 2, np.arange(len(users)) % 6
    return rows


def test_live_lists_are_those_of_the_states(tmp_path):
    rows = clicks([1, 2, 1, 3, 1])
    ranker = TopLists(VECTORS, np.arange(6), k=3)
    with LiveLists(Overlay(open_store(tmp_path, SPEC, 2), VECTORS), ranker) as live:
        for row in rows.tolist():
            live.put(row)
    want = fold(empty_states(np.array([1, 2, 3]), SPEC), rows, VECTORS, SPEC)
    assert len(live.waits) == 5
    for user, top in zip((1, 2, 3), ranker.of_states(want), strict=True):
        assert live.lists[user].tolist() == top.tolist()


def test_an_error_in_the_loop_reaches_the_caller(tmp_path):
    class Broken:
        def of_states(self, states):
            raise RuntimeError("no index")

    with (
        pytest.raises(RuntimeError, match="no index"),
        LiveLists(Overlay(open_store(tmp_path, SPEC, 2), VECTORS), Broken()) as live,
    ):
        live.put(clicks([1]).tolist()[0])


def test_sequence_ranker_lists_as_the_model_scores(tmp_path):
    import pandas as pd

    from recsys.models.next_item.title_sequence import TitleSequence
    from recsys.streaming.sequence_ranker import SequenceRanker
    from recsys.training.settings import TrainingSettings

    random = np.random.default_rng(0)
    events = pd.DataFrame({"user": np.repeat(np.arange(8), 5), "item": random.integers(0, 12, 40)})
    events["order"] = np.tile(np.arange(5), 8)
    settings_ = TrainingSettings(epochs=1, batch_size=8, learning_rate=1e-3)
    torch.manual_seed(0)
    model = TitleSequence(None, settings=settings_, width=8, max_items=10).fit(events, 8, 12)
    rows = clicks([4, 4, 4, 5])
    rows["item"] = [3, 99, 7, 50]  # 99 and 50 came after the model
    states = fold(empty_states(np.array([4, 5, 6]), SPEC), rows, VECTORS, SPEC)
    tops = SequenceRanker(model, k=4).of_states(states)
    asked = pd.DataFrame({"user": [0, 0], "item": [3, 7], "order": [0, 1]})
    scores = model.with_history(asked).score(np.array([0]))[0]
    scores[[3, 7]] = -np.inf
    assert tops[0].tolist() == np.argsort(-scores, kind="stable")[:4].tolist()
    popular = set(np.argsort(-model.popularity, kind="stable")[:2].tolist())
    assert popular & set(tops[1].tolist())
    assert tops[1].tolist() == tops[2].tolist()


def test_no_users_no_lists(tmp_path):
    assert lists_of(Overlay(open_store(tmp_path, SPEC, 1), VECTORS), TopLists(VECTORS, np.ones(6)), []) == {}
