"""The published row is matched to every digit by the leak; on real files, where there are any."""

import os
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from recsys.baselines.leak_example import METRICS, PUBLISHED, leak_table, popularity_positions
from recsys.baselines.popularity import Popularity, counted_events
from recsys.data import sources
from recsys.data.files import locations
from recsys.data.load import load_dataset
from recsys.data.splits import leave_one_out
from recsys.metrics.ranking import evaluate, ranking_metrics

NEIGHBOUR = Path(__file__).resolve().parents[3] / "shared" / "data"
TRAINING_ONLY = {"beauty": (0.0075, 0.0041, 0.0115, 0.0055), "sports": (0.0057, 0.0041, 0.0091, 0.0052)}


@pytest.fixture
def real_split(monkeypatch):
    """Function: a split of a real data set; skips, naming it, where its file is not on this machine."""

    def split(name):
        if not os.environ.get("RECSYS_DATA") and NEIGHBOUR.is_dir():
            monkeypatch.setenv("RECSYS_DATA", str(NEIGHBOUR))
        sequences = next(file for file in sources.get(name).files if file.role == "sequences")
        if locations.find(sequences) is None:
            pytest.skip(f"real data not at hand: {sequences.path}")
        return leave_one_out(load_dataset(name, titles=False))

    return split


def test_beauty_to_every_digit(real_split):
    table = leak_table(popularity_positions(real_split("beauty")), "beauty")
    assert tuple(table.loc["all", "id"]) == PUBLISHED["beauty"] == tuple(table.loc["published", "not said"])
    assert tuple(table.loc["train", "id"]) == TRAINING_ONLY["beauty"]
    assert tuple(table.loc["train", "expected"]) == (0.0074, 0.0041, 0.0115, 0.0054)
    # what leaks is the others' held-out purchases, not the user's own
    assert table.loc["all but own", "id"]["hr@10"] == table.loc["all", "id"]["hr@10"]


def test_sports_to_every_digit(real_split):
    split = real_split("sports")
    for count, anchor in (("all", PUBLISHED["sports"]), ("train", TRAINING_ONLY["sports"])):
        model = Popularity().fit(counted_events(split, count), split.n_users, split.n_items)
        means, _ = ranking_metrics(evaluate(model, split), (5, 10))
        assert tuple(round(means[name], 4) for name in METRICS) == anchor


def test_the_leak_lifts_what_is_to_be_predicted():
    """Four items sold once each; the test item's own sale puts it first only where it is counted."""
    events = pd.DataFrame({"user": [0, 1, 2, 3], "item": [0, 1, 2, 3]})
    split = SimpleNamespace(
        train=events,
        validation=events.iloc[:0],
        test=pd.DataFrame({"user": [0], "item": [3]}),
        n_users=4,
        n_items=4,
    )
    positions = popularity_positions(split)
    places = {key: table[["better", "equal"]].to_numpy().tolist() for key, table in positions.items()}
    assert places["all", "id"] == places["all", "expected"] == [[0, 0]]
    assert places["train", "id"] == [[2, 0]]
    assert places["train", "expected"] == [[0, 2]]
    assert list(leak_table(positions, "no published row").index.get_level_values(0)) == [
        *["all"] * 2,
        "all but own",
        *["train"] * 2,
    ]
