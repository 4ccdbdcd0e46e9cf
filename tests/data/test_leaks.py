"""Each kind of leak is planted, and caught; sound splits and texts pass."""

import dataclasses

import pandas as pd
import pytest

from recsys.data.errors import LeakError
from recsys.data.leaks import check_leaks
from recsys.data.splits import Split, global_time, leave_one_out, split
from recsys.data.tables import Dataset
from tests.data.small_log import ordered_dataset, timed_dataset


def with_rows(made: Split, **tables: pd.DataFrame) -> Split:
    return dataclasses.replace(made, **tables)


def move(made: Split, source: str, target: str, rows: slice) -> Split:
    """Some rows of one part put into another, as a joined table with new row labels."""
    moved = getattr(made, source).iloc[rows]
    return with_rows(
        made,
        **{
            source: getattr(made, source).drop(moved.index),
            target: pd.concat([getattr(made, target), moved], ignore_index=True),
        },
    )


def caught(made: Split, dataset, texts: pd.DataFrame | None = None) -> str:
    with pytest.raises(LeakError) as error:
        check_leaks(made, dataset, texts)
    return str(error.value)


@pytest.fixture
def timed():
    dataset = timed_dataset()
    return dataset, global_time(dataset)


@pytest.fixture
def ordered():
    dataset = ordered_dataset()
    return dataset, leave_one_out(dataset)


@pytest.mark.parametrize(
    ("source", "target"), [("test", "train"), ("test", "validation"), ("validation", "train")]
)
def test_future_event_in_an_earlier_part(timed, source, target):
    dataset, made = timed
    message = caught(move(made, source, target, slice(3, 4)), dataset)
    assert "future events in an earlier part" in message
    assert "1 rows" in message
    assert f"part {target}" in message


def test_past_event_in_a_later_part(timed):
    dataset, made = timed
    assert "events of the past" in caught(move(made, "train", "test", slice(0, 2)), dataset)


def test_review_written_after_the_part_has_ended(timed):
    dataset, made = timed
    written = dataset.events["time"] + pd.Timedelta("48h")
    events = dataset.events.assign(review="as described", rating=4.0, review_time=written)
    dataset = dataclasses.replace(dataset, events=events)
    made = global_time(dataset)
    late = events.loc[made.train.index, "review_time"] >= made.boundaries["validation_from"]
    assert late.any()
    for column in ("review", "rating", "review_time"):
        assert (made.train[column].isna() == late).all()
        assert made.test[column].notna().all()
    check_leaks(made, dataset)
    message = caught(with_rows(made, train=events.loc[made.train.index]), dataset)
    assert f"future reviews: written after the end of their part ({late.sum()} rows" in message


def test_shifted_boundaries(timed):
    dataset, made = timed
    later = {**made.boundaries, "validation_from": made.boundaries["test_from"] + pd.Timedelta("1D")}
    assert "after test at" in caught(dataclasses.replace(made, boundaries=later), dataset)


def test_event_that_stands_in_two_parts(timed):
    dataset, made = timed
    doubled = pd.concat([made.train, made.test.iloc[[0]]], ignore_index=True)
    assert "the same event stands in two parts" in caught(with_rows(made, train=doubled), dataset)


def test_event_whose_time_or_item_was_changed(timed):
    dataset, made = timed
    earlier = made.train.assign(time=made.train["time"] - pd.Timedelta("1h"))
    assert f"{len(earlier)} rows" in caught(with_rows(made, train=earlier), dataset)
    other = made.test.assign(item=(made.test["item"] + 1) % dataset.n_items)
    assert "were changed" in caught(with_rows(made, test=other), dataset)


def test_event_that_the_data_set_does_not_have(ordered):
    dataset, made = ordered
    invented = made.train.iloc[[0]].assign(order=99)
    assert "does not have" in caught(with_rows(made, train=pd.concat([made.train, invented])), dataset)


@pytest.mark.parametrize(
    ("source", "target"), [("test", "train"), ("validation", "train"), ("test", "validation")]
)
def test_last_event_of_a_user_in_an_earlier_part(ordered, source, target):
    dataset, made = ordered
    # A swap keeps the number of rows of each part.
    swapped = getattr(made, source).iloc[[0]]
    user = swapped["user"].iloc[0]
    rows = getattr(made, target)
    out = rows[rows["user"] == user].iloc[[-1]]
    made = with_rows(
        made,
        **{
            source: pd.concat([getattr(made, source).drop(swapped.index), out]),
            target: pd.concat([rows.drop(out.index), swapped]),
        },
    )
    assert f"future events in {target}" in caught(made, dataset)


def test_two_test_events_of_a_user(ordered):
    dataset, made = ordered
    assert "more than one test event" in caught(move(made, "validation", "test", slice(0, 1)), dataset)


def test_user_in_two_folds(ordered):
    dataset, _ = ordered
    made = split(dataset, "by_salt", shares={"train": 0.5, "validation": 0.25, "test": 0.25})
    assert not made.test.empty
    check_leaks(made, dataset)
    assert "a user is in two folds" in caught(move(made, "test", "train", slice(0, 1)), dataset)


def test_query_in_two_folds(ordered):
    dataset, _ = ordered
    made = split(dataset, "by_query", shares={"train": 0.5, "validation": 0.25, "test": 0.25})
    assert not made.test.empty
    check_leaks(made, dataset)
    assert "a query is in two folds" in caught(move(made, "test", "train", slice(0, 1)), dataset)
    relabelled = dataset.events["query"].where(
        dataset.events.index != made.test.index[0], made.train["query"].iloc[0]
    )
    dataset = dataclasses.replace(dataset, events=dataset.events.assign(query="  " + relabelled.str.upper()))
    rows = {part: dataset.events.loc[getattr(made, part).index] for part in ("train", "validation", "test")}
    assert "a query is in two folds" in caught(with_rows(made, **rows), dataset)


def test_unknown_kind_is_not_waved_through(ordered):
    dataset, made = ordered
    with pytest.raises(ValueError, match="no leak check for splits of kind 'odd'"):
        check_leaks(dataclasses.replace(made, kind="odd"), dataset)


def history_texts(made: Split, dataset) -> pd.DataFrame:
    titles = made.train["item"].map(dataset.items["title"])
    return titles.groupby(made.train["user"]).agg(" then ".join).rename("text").reset_index()


def fresh_target(made: Split) -> pd.Series:
    """A test event whose item the user has not bought in training."""
    known = set(zip(made.train["user"], made.train["item"], strict=True))
    return next(row for _, row in made.test.iterrows() if (row["user"], row["item"]) not in known)


def test_own_test_item_in_a_users_training_text(ordered):
    dataset, made = ordered
    texts = history_texts(made, dataset)
    check_leaks(made, dataset, texts)
    target = fresh_target(made)
    title = dataset.items["title"][target["item"]]
    mine = texts["user"] == target["user"]
    planted = texts.assign(text=texts["text"].where(~mine, texts["text"] + f", wants a {title.upper()}!"))
    message = caught(made, dataset, planted)
    assert "quoted in training text (1 rows" in message
    assert f"user {target['user']}" in message
    # The same words in another user's text are no leak, if that user does not have the item to come.
    others = made.test[made.test["item"] != target["item"]]["user"]
    others = set(others) - set(made.validation["user"][made.validation["item"] == target["item"]])
    other = texts["user"] == min(others - {target["user"]})
    check_leaks(made, dataset, texts.assign(text=texts["text"].where(~other, texts["text"] + f" {title}")))


def unsold_in_training(made: Split, dataset: Dataset) -> tuple[Split, Dataset]:
    """The split and data set changed so that the first test event has an item that nobody bought before."""
    new_item = dataset.n_items
    row = made.test.index[0]
    items = pd.concat(
        [
            dataset.items,
            pd.DataFrame({"item": [new_item], "source_id": ["new"], "title": ["Walnut wine rack"]}),
        ],
        ignore_index=True,
    )
    events = dataset.events.copy()
    events.loc[row, "item"] = new_item
    dataset = dataclasses.replace(dataset, items=items, events=events)
    test = made.test.copy()
    test.loc[row, "item"] = new_item
    return dataclasses.replace(made, test=test, n_items=new_item + 1), dataset


def test_unseen_test_item_in_a_common_training_text(timed):
    dataset, made = timed
    made, dataset = unsold_in_training(made, dataset)
    texts = pd.DataFrame({"text": dataset.items["title"][made.train["item"].unique()].to_list()})
    check_leaks(made, dataset, texts)
    planted = pd.concat([texts, pd.DataFrame({"text": ["customers loved the walnut  wine-rack, again"]})])
    assert "walnut" in caught(made, dataset, planted)
    # Words in another order or only a part of the title are no quotation.
    check_leaks(made, dataset, pd.DataFrame({"text": ["a rack for wine, in walnut", "walnut wine"]}))


def test_title_inside_a_known_longer_title_is_no_leak(timed):
    dataset, made = timed
    made, dataset = unsold_in_training(made, dataset)
    items = dataset.items.copy()
    items.loc[made.train["item"].iloc[0], "title"] = "Large walnut wine rack deluxe"
    dataset = dataclasses.replace(dataset, items=items)
    text = "bought: Large Walnut Wine Rack Deluxe"
    check_leaks(made, dataset, pd.DataFrame({"text": [text]}))
    assert "quoted" in caught(made, dataset, pd.DataFrame({"text": [f"{text}; walnut wine rack"]}))


def test_held_out_review_and_query_in_training_text(timed):
    dataset, made = timed
    review = pd.Series("fine", index=dataset.events.index)
    review[made.test.index[0]] = "The second wash took the colour out"
    query = dataset.events["query"].copy()
    query[made.test.index[1]] = "rare words"
    dataset = dataclasses.replace(dataset, events=dataset.events.assign(review=review, query=query))
    made = global_time(dataset)
    check_leaks(made, dataset, pd.DataFrame({"text": ["fine", "some rare words in a description"]}))
    for text in ("It says: the second wash took the colour out.", "Rare words"):
        assert "quoted" in caught(made, dataset, pd.DataFrame({"text": [text]}))


def test_texts_need_their_column(ordered):
    dataset, made = ordered
    with pytest.raises(ValueError, match="needs a column text"):
        check_leaks(made, dataset, pd.DataFrame({"words": ["a"]}))
