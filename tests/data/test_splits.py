"""Splits divide events without loss, without overlap, and where they say they do."""

import dataclasses
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.leaks import check_leaks
from recsys.data.load import load_dataset
from recsys.data.splits import PARTS, by_salt, global_time, leave_one_out, split
from tests.data.small_log import datasets, make_dataset, ordered_dataset, timed_dataset

SHARES = st.sampled_from([{"train": 0.8, "validation": 0.1, "test": 0.1}, {"a": 0.5, "b": 0.5}, {"all": 1.0}])


def assert_partition(made, dataset):
    rows = pd.concat([getattr(made, part) for part in PARTS]).sort_index()
    pd.testing.assert_frame_equal(rows, dataset.events)
    assert (made.n_users, made.n_items) == (dataset.n_users, dataset.n_items)


@settings(max_examples=40, deadline=None)
@given(dataset=datasets(with_times=False))
def test_leave_one_out_holds_back_the_last_two(dataset):
    made = leave_one_out(dataset)
    assert_partition(made, dataset)
    count = dataset.events.groupby("user").size()
    long = count.index[count >= 3]
    for part, from_end in (("test", 1), ("validation", 2)):
        held_out = getattr(made, part).set_index("user")["order"]
        pd.testing.assert_series_equal(held_out, count[long] - from_end, check_names=False, check_dtype=False)
    check_leaks(made, dataset)


@settings(max_examples=40, deadline=None)
@given(dataset=datasets(), shares=st.tuples(st.floats(0.05, 0.4), st.floats(0.05, 0.4)))
def test_global_time_cuts_all_histories_at_the_same_moments(dataset, shares):
    try:
        made = global_time(dataset, *shares)
    except ValueError as error:
        if "too many share one time" not in str(error):
            raise
        return
    assert_partition(made, dataset)
    first, second = made.boundaries["validation_from"], made.boundaries["test_from"]
    assert made.train["time"].max() < first == made.validation["time"].min()
    assert made.validation["time"].max() < second == made.test["time"].min()
    check_leaks(made, dataset)


def test_global_time_keeps_the_shares_where_times_differ():
    made = global_time(timed_dataset(), validation_share=0.1, test_share=0.2)
    assert [len(getattr(made, part)) for part in PARTS] == [168, 24, 48]


def test_global_time_takes_only_the_kinds_asked_for():
    dataset = timed_dataset()
    events = dataset.events.assign(kind=np.where(dataset.events["order"] % 2, "view", "purchase"))
    dataset = dataclasses.replace(dataset, events=events)
    for made in (global_time(dataset), leave_one_out(dataset), split(dataset, "by_salt")):
        assert set(pd.concat([made.train, made.validation, made.test])["kind"]) == {"purchase"}
    assert len(pd.concat([global_time(dataset, kinds="view").train])) == 96
    with pytest.raises(ValueError, match="no events of kind cart; it has purchase, view"):
        leave_one_out(dataset, kinds=["cart"])


@settings(max_examples=40, deadline=None)
@given(dataset=datasets(), salt=st.text(max_size=5))
def test_by_salt_keeps_users_whole(dataset, salt):
    made = split(dataset, "by_salt", salt=salt)
    assert_partition(made, dataset)
    folds = [set(getattr(made, part)["user"]) for part in PARTS]
    assert sum(map(len, folds)) == len(set.union(*folds))
    check_leaks(made, dataset)


@settings(max_examples=40, deadline=None)
@given(dataset=datasets())
def test_by_query_keeps_queries_whole(dataset):
    shouted = dataset.events["query"].where(
        dataset.events["order"] % 2 == 0, "  " + dataset.events["query"].str.upper()
    )
    dataset = dataclasses.replace(dataset, events=dataset.events.assign(query=shouted))
    made = split(dataset, "by_query", shares={"train": 0.4, "validation": 0.3, "test": 0.3})
    assert_partition(made, dataset)
    folds = [set(getattr(made, part)["query"].str.lower().str.strip()) for part in PARTS]
    assert sum(map(len, folds)) == len(set.union(*folds))
    check_leaks(made, dataset)


@given(
    ids=st.lists(st.integers() | st.text(max_size=4)),
    more=st.lists(st.integers()),
    salt=st.text(),
    shares=SHARES,
)
def test_an_ids_part_depends_on_nothing_but_id_and_salt(ids, more, salt, shares):
    alone = by_salt(ids, salt, shares)
    assert by_salt([*more, *ids], salt, shares)[len(more) :].tolist() == alone.tolist()
    assert set(alone.tolist()) <= set(shares)
    assert by_salt(ids[::-1], salt, shares)[::-1].tolist() == alone.tolist()


def test_by_salt_keeps_shares_and_salts_are_independent():
    ids = range(20_000)
    shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
    one, two = by_salt(ids, "one", shares), by_salt(ids, "two", shares)
    for part, share in shares.items():
        # Four standard deviations of a binomial share.
        assert abs(np.mean(one == part) - share) < 4 * np.sqrt(share * (1 - share) / len(ids))
    agreement = sum(share**2 for share in shares.values())
    assert abs(np.mean(one == two) - agreement) < 4 * np.sqrt(agreement * (1 - agreement) / len(ids))


def test_by_salt_is_the_same_in_every_process():
    program = "from recsys.data.splits import by_salt; print(*by_salt(['a', 'b', 7], 'salt'))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {" ".join(by_salt(["a", "b", 7], "salt")) + "\n"}


def test_default_follows_the_data():
    assert split(timed_dataset()).kind == "global_time"
    assert split(ordered_dataset()).kind == "leave_one_out"


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: split(ordered_dataset(), "global_time"), "no event times: use leave_one_out"),
        (lambda: split(ordered_dataset(), "by_user"), "unknown kind of split 'by_user'"),
        (lambda: global_time(timed_dataset(), 0.5, 0.5), "leave a rest"),
        (lambda: global_time(make_dataset([0, 1, 2], [5, 5, 5])), "too many share one time"),
        (lambda: by_salt([1], "s", {"train": 0.5}), "sum to 1"),
        (lambda: by_salt([1, None], "s"), "an id is missing"),
        (
            lambda: split(
                dataclasses.replace(ordered_dataset(), events=ordered_dataset().events.drop(columns="query")),
                "by_query",
            ),
            "no event has a query",
        ),
    ],
    ids=range(7),
)
def test_impossible_splits_are_refused(action, message):
    with pytest.raises(ValueError, match=message):
        action()


def test_real_beauty_is_split_as_in_the_published_tables(real_data):
    real_data("s3rec/Beauty.txt")
    beauty = load_dataset("beauty", titles=False)
    made = split(beauty)
    assert made.kind == "leave_one_out"
    assert (len(made.train), len(made.validation), len(made.test)) == (153_776, 22_363, 22_363)
    check_leaks(made, beauty)
