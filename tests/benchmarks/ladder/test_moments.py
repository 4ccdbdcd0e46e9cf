"""Whom the ladder asks: nothing from after the moment, the same masks in either state."""

from dataclasses import replace

import pandas as pd
import pytest

from recsys.benchmarks.ladder.moments import asked, returning
from recsys.data.splits import Split
from recsys.data.tables import Dataset
from recsys.models.next_item.data import NextItemData


def shop(rows, cuts=("2020-02-01", "2020-03-01"), items=9):
    """rows: user, item, day of the year 2020."""
    events = pd.DataFrame(rows, columns=["user", "item", "day"])
    events["time"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(events.pop("day"), unit="D")
    events = events.sort_values(["user", "time"], kind="stable", ignore_index=True)
    events["order"] = events.groupby("user").cumcount()
    first, second = map(pd.Timestamp, cuts)
    parts = {
        "train": events[events["time"] < first],
        "validation": events[(events["time"] >= first) & (events["time"] < second)],
        "test": events[events["time"] >= second],
    }
    users = int(events["user"].max()) + 1
    split = Split(**parts, kind="global_time", n_users=users, n_items=items, boundaries={"test_from": second})
    table = Dataset("shop", pd.DataFrame({"item": range(items)}), pd.DataFrame(), events)
    return NextItemData(table, split, parts["train"], None, None)


DAYS = [(0, 0, 0), (0, 1, 40), (0, 2, 70), (0, 3, 70), (0, 0, 75), (0, 4, 90), (1, 5, 1), (1, 6, 80)]


def test_a_basket_is_asked_for_together_and_nothing_later_is_known():
    seen_days = set()
    for seed in range(12):
        found = asked(shop(DAYS), seed)
        assert found.users.tolist() == [0, 1]
        targets = set(found.targets.query("user == 0")["item"])
        known = found.histories["moment"].query("user == 0")["item"].tolist()
        assert targets in ({2, 3}, {4})  # item 0 is a repeat
        assert known == ([0, 1] if targets == {2, 3} else [0, 1, 2, 3, 0])
        assert found.histories["training"].query("user == 0")["item"].tolist() == [0]
        assert set(found.seen.query("user == 0")["item"]) == set(known)
        seen_days.add(frozenset(targets))
    assert len(seen_days) == 2, "the moment is drawn"


def test_what_precedes_the_test_part_is_known_in_the_second_in_which_the_cut_falls():
    """A split by position in time may put one second's events on both sides (MovieLens: 24 pairs)."""
    data = shop([(0, 0, 0), (0, 1, 80), (0, 2, 80), (1, 3, 0), (1, 4, 80)])
    whole = pd.concat([data.split.train, data.split.test])
    cut = (whole["user"] == 0) & (whole["item"] == 1)
    earlier = cut | whole["item"].isin([0, 3])
    split = replace(data.split, train=whole[earlier], test=whole[~earlier])
    found = asked(replace(data, split=split, train=split.train))
    assert found.targets.query("user == 0")["item"].tolist() == [2]
    assert found.histories["moment"].query("user == 0")["item"].tolist() == [0, 1]
    assert set(found.seen.query("user == 0")["item"]) == {0, 1}


def test_states_differ_by_what_happened_since_training_alone(asked, store):
    stale, fresh = (asked.histories[state] for state in ("training", "moment"))
    assert len(fresh) > len(stale)
    both = stale.merge(fresh, on=["user", "item", "order"])
    assert len(both) == len(stale)
    marked = asked.targets.merge(asked.seen, on=["user", "item"])
    assert marked.empty
    assert len(asked.users) == len(set(asked.users))


def test_who_comes_back_is_counted_with_repeats():
    data = shop(DAYS)
    later, days = returning(data, days=15.0)
    assert days == pytest.approx(15.0)  # the log ends on day 90
    assert later.users.tolist() == [0, 1]
    assert set(later.later.itertuples(index=False, name=None)) == {(0, 0), (0, 4), (1, 6)}
    assert later.histories["moment"].query("user == 0")["item"].tolist() == [0, 1, 2, 3]
    assert later.histories["training"].query("user == 0")["item"].tolist() == [0]


def test_a_log_without_repeats_or_times_has_no_such_question(store):
    assert returning(store) is None  # the demo store's goods are bought once
    once = [row for row in DAYS if row != (0, 0, 75)]
    assert returning(shop(once)) is None


def test_a_test_part_of_repeats_alone_is_refused():
    with pytest.raises(ValueError, match="nobody meets anything new"):
        asked(shop([(0, 0, 0), (0, 1, 40), (0, 0, 70)]))
