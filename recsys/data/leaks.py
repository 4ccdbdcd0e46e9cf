"""Leak checks: fails when a split, or a text made for training, contains what training must not see.

Every check compares values (users, places in histories, times, texts), not how a split was made, so a table
that was joined, re-indexed or edited on the way is caught as well.
"""

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from recsys.data.errors import LeakError
from recsys.data.splits import PARTS, Split, normal_query
from recsys.data.tables import Dataset

SHOWN = 3  # offending rows quoted
HELD_OUT = ("validation", "test")
MINIMUM_WORDS = 3  # a shorter title counts only where it is the whole text


def check_leaks(split: Split, dataset: Dataset, training_texts: pd.DataFrame | None = None) -> None:
    """Raise if training or tuning could see held-out data.

    For every split: each event is one of the data set's and is in one part only. By kind:

    - global_time: no event lies on the wrong side of a boundary, and no review was written after the end of
      its part.
    - leave_one_out: no user's event is later than one in a later part, and validation and test hold at most
      one event a user.
    - by_salt: no user is in two parts. by_query: no query is in two parts.

    Args:
        split, dataset: the split and what it was made from.
        training_texts: columns text and, where each text is about one user, user: what a text model is
            trained on. With users, a text must not quote the title of an item, or a review, that only the
            user's held-out events contain; without users, none that no training event contains. Words are
            compared, case folded. A phrase inside a longer one that training knows does not count; titles
            and reviews below three words, and queries, count only where they are the whole text, because
            any description may hold them.

    Raises:
        LeakError: names what leaks, in how many rows, and the first of them.

    Example:
        >>> from recsys.data.load import load_dataset
        >>> from recsys.data.splits import split
        >>> shop = load_dataset("demo_store", size="small")
        >>> check_leaks(split(shop), shop)
    """
    _check_rows(split, dataset)
    checks: dict[str, Callable[[Split], None]] = {
        "global_time": _check_times,
        "leave_one_out": _check_places,
        "by_query": _check_queries,
        "by_salt": _check_folds,
    }
    if split.kind not in checks:
        raise ValueError(f"no leak check for splits of kind {split.kind!r}; there are {', '.join(checks)}")
    checks[split.kind](split)
    if training_texts is not None:
        _check_texts(split, dataset, training_texts)


def _fail(what: str, rows: pd.DataFrame) -> None:
    columns = [name for name in ("part", "user", "item", "order", "time", "query", "text") if name in rows]
    shown = "; ".join(
        ", ".join(f"{name} {str(value)[:60]}" for name, value in zip(columns, row, strict=True))
        for row in rows[columns].head(SHOWN).itertuples(index=False, name=None)
    )
    raise LeakError(f"leak: {what} ({len(rows)} rows, first: {shown})")


def _parts(split: Split) -> pd.DataFrame:
    tables = [getattr(split, part).assign(part=part) for part in PARTS]
    return pd.concat(tables)


def _check_rows(split: Split, dataset: Dataset) -> None:
    """(user, order) names an event of the data set, so it can be compared whatever the row labels are."""
    rows = _parts(split)
    key = ["user", "order"]
    repeated = rows[rows.duplicated(key, keep=False)].sort_values(key)
    if len(repeated):
        _fail("the same event stands in two parts, or twice in one", repeated)
    columns = [name for name in ("item", "time") if name in dataset.events]
    there = dataset.events[key + columns]
    joined = rows.merge(there, on=key, how="left", suffixes=("", "_there"))
    # An event that is not there at all has a missing value, which equals nothing.
    wrong = [(joined[name] != joined[f"{name}_there"]).to_numpy() for name in columns]
    wrong = np.logical_or.reduce(wrong)
    if wrong.any():
        _fail("events that the data set does not have, or that were changed", joined[wrong])


def _check_times(split: Split) -> None:
    validation_from, test_from = split.boundaries["validation_from"], split.boundaries["test_from"]
    if not validation_from <= test_from:
        raise LeakError(f"leak: validation would begin at {validation_from}, after test at {test_from}")
    rows = _parts(split)
    time = rows["time"]
    due = np.where(time >= test_from, 2, np.where(time >= validation_from, 1, 0))
    part = rows["part"].map({name: number for number, name in enumerate(PARTS)}).to_numpy()
    if (part < due).any():
        _fail("future events in an earlier part than their time allows", rows[part < due])
    if (part > due).any():
        _fail("events of the past are used as if they were still to come", rows[part > due])
    if "review_time" in rows:
        end = rows["part"].map({"train": validation_from, "validation": test_from})
        later = rows["review_time"] >= end  # false where either is missing
        if later.any():
            _fail("future reviews: written after the end of their part", rows[later])


def _check_places(split: Split) -> None:
    for part in HELD_OUT:
        held_out = getattr(split, part)
        several = held_out[held_out["user"].duplicated(keep=False)]
        if len(several):
            _fail(f"more than one {part} event of a user", several.assign(part=part))
    for earlier, later in (("train", "validation"), ("train", "test"), ("validation", "test")):
        first = getattr(split, later).groupby("user")["order"].min()
        rows = getattr(split, earlier)
        future = rows[rows["order"] > rows["user"].map(first)]
        if len(future):
            _fail(
                f"future events in {earlier}: later than the user's {later} event",
                future.assign(part=earlier),
            )


def _check_folds(split: Split) -> None:
    _check_one_part(_parts(split), "user", "a user is in two folds")


def _check_queries(split: Split) -> None:
    rows = _parts(split)
    _check_one_part(rows.assign(query=normal_query(rows["query"])), "query", "a query is in two folds")


def _check_one_part(rows: pd.DataFrame, column: str, what: str) -> None:
    parts_of = rows.drop_duplicates([column, "part"]).groupby(column)["part"].size()
    torn = parts_of.index[parts_of > 1]
    if len(torn):
        _fail(what, rows[rows[column].isin(torn)].sort_values(column, kind="stable"))


def _check_texts(split: Split, dataset: Dataset, training_texts: pd.DataFrame) -> None:
    if "text" not in training_texts:
        raise ValueError("training_texts needs a column text (and user, where each text is about one user)")
    by_user = "user" in training_texts
    known = _phrases([split.train], dataset, by_user)
    hidden = _phrases([split.validation, split.test], dataset, by_user)
    owners = training_texts["user"] if by_user else np.zeros(len(training_texts), dtype=int)
    quotes = [
        _quotes(_words(text), hidden.get(owner, {}), known.get(owner, {}))
        for owner, text in zip(owners, training_texts["text"], strict=True)
    ]
    if any(quotes):
        _fail("held-out items, queries or reviews are quoted in training text", training_texts[quotes])


def _quotes(text: str, hidden: dict[str, bool], known: dict[str, bool]) -> bool:
    """Whether a text is one of the hidden phrases, or contains one that may be looked for inside texts."""
    if text in hidden and text not in known:
        return True
    found = [phrase for phrase, inside in hidden.items() if inside and phrase in text and phrase not in known]
    if not found:
        return False
    # "eau de parfum" inside a text's "rose eau de parfum", which training knows, is no leak.
    for phrase in sorted(known, key=len, reverse=True):
        text = text.replace(phrase, " | ")  # a mark that is no word
    return any(phrase in text for phrase in found)


def _phrases(tables: list[pd.DataFrame], dataset: Dataset, by_user: bool) -> dict[int, dict[str, bool]]:
    """Titles, reviews and queries of the tables' events, by owner of a text (a user, or 0 for all).

    The value says whether a phrase means something inside a longer text: titles and reviews of some length
    do, a query is made of words that any description may hold.
    """
    result: dict[int, dict[str, bool]] = {}
    title = dataset.items["title"].to_numpy() if "title" in dataset.items else None
    for table in tables:
        owners = table["user"].to_numpy() if by_user else np.zeros(len(table), dtype=int)
        columns = {name: table[name].to_numpy() for name in ("query", "review") if name in table}
        if title is not None:
            item = table["item"].to_numpy()
            columns["title"] = np.where(item >= 0, title[item], None)
        for name, values in columns.items():
            for owner, phrase in zip(owners, map(_words, values), strict=True):
                if phrase.strip():
                    inside = name != "query" and phrase.count(" ") > MINIMUM_WORDS
                    seen = result.setdefault(owner, {})
                    seen[phrase] = seen.get(phrase, False) or inside
    return result


def _words(text: object) -> str:
    """Case-folded words between single blanks, and a blank at either end so that only whole words match."""
    words = re.findall(r"\w+", text.casefold()) if isinstance(text, str) else []
    return f" {' '.join(words)} "
