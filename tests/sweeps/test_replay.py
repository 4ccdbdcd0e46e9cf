"""Replayed searches cost what the table says, see only what they paid for, and find what is there."""

import itertools

import pandas as pd
import pytest

from recsys.sweeps.replay import METHODS, TableError, answer_table, replay, replay_all
from recsys.sweeps.spec import Method
from recsys.sweeps.studies.tables import planted_table

EPOCHS = 9
NAMES = ["rate", "size"]


def full_table() -> pd.DataFrame:
    """Quality rises with the epochs to 1 − |rate − 3| / 10 − |size − 1| / 20; an epoch costs 1 s."""
    rows = []
    for rate, size in itertools.product(range(8), range(4)):
        top = 1 - abs(rate - 3) / 10 - abs(size - 1) / 20
        rows += [
            {"rate": rate, "size": size, "epoch": e, "core_seconds": float(e), "q": top * (1 - 0.5**e)}
            for e in range(1, EPOCHS + 1)
        ]
    return pd.DataFrame(rows)


TABLE = answer_table(full_table(), NAMES, "q")


def test_the_table_must_hold_every_combination():
    frame = full_table()
    with pytest.raises(TableError, match="31 of 32 combinations"):
        answer_table(frame[~((frame["rate"] == 2) & (frame["size"] == 2))], NAMES, "q")
    with pytest.raises(TableError, match="lacks core_seconds"):
        answer_table(frame.drop(columns="core_seconds"), NAMES, "q")
    with pytest.raises(TableError, match="1 rows without q"):
        answer_table(frame.assign(q=frame["q"].where(frame.index != 5)), NAMES, "q")


@pytest.mark.parametrize("sampler", ["random", "quasi_random", "tpe", "grid"])
def test_a_replayed_trial_costs_what_the_table_says(sampler):
    trials = replay(TABLE, Method(sampler=sampler), core_seconds=90, seed=2)
    assert (trials["core_seconds"] == EPOCHS).all()
    assert trials["counts"].sum() == 10
    assert not trials.duplicated(NAMES).any()
    for row in trials.to_dict("records"):
        assert row["q"] == TABLE.of(row)[-1][2]


def test_a_trial_that_came_to_the_tables_last_epoch_is_whole():
    """Found by the grid: the measured table has six rows, and all halving's trials ended as stopped."""
    whole = replay_all(TABLE, METHODS, 150, repeats=1)
    assert set(whole.loc[whole["state"] == "done", "method"]) == {method.name for method in METHODS}


def test_halving_ends_most_trials_early_and_finds_as_much_for_less():
    plain = replay_all(TABLE, [Method(sampler="random")], 150, repeats=6)
    halved = replay_all(TABLE, [Method(sampler="random", scheduler="asha")], 150, repeats=6)
    assert (halved["state"] == "stopped").mean() > 0.4
    per_repeat = halved.groupby("repeat")["number"].count() / plain.groupby("repeat")["number"].count()
    assert per_repeat.min() > 1.3
    stopped = halved[halved["state"] == "stopped"]
    assert (stopped["core_seconds"] < EPOCHS).all()


def test_a_repeat_is_its_seed_and_the_whole_table_ends_a_search():
    one = replay(TABLE, Method(sampler="tpe"), 90, seed=5)
    pd.testing.assert_frame_equal(one, replay(TABLE, Method(sampler="tpe"), 90, seed=5))
    assert not one[NAMES].equals(replay(TABLE, Method(sampler="tpe"), 90, seed=6)[NAMES])
    everything = replay(TABLE, Method(sampler="grid"), 1e9, seed=0)
    assert len(everything) == 32
    assert everything["q"].max() == TABLE.best


def test_values_that_are_no_numbers_are_looked_up_too():
    frame = full_table()
    frame["size"] = frame["size"].map({0: None, 1: "a", 2: "b", 3: ""}).astype(object)
    table = answer_table(frame, NAMES, "q")
    assert len(replay(table, Method(sampler="tpe"), 90, seed=0)) == 10


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_searcher_spends_its_budget(method):
    """TPE was not told of its repeats, proposed the same points again, and ended after half of it."""
    table = planted_table()
    for seed in range(3):
        trials = replay(table, method, 100.0, seed)
        assert trials["spent"].iloc[-1] >= 100.0
        assert not trials.duplicated(list(table.space)).any()
