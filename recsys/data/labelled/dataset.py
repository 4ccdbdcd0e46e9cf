"""Texts with one label each (intents, sentiments, relevance grades): load by name, check, split.

Logs of events are loaded by `recsys.data.load`; labelled texts have no users and no order, and so have a
table and a split of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.errors import RegistryError, TableError
from recsys.data.families import LABELLED
from recsys.data.registry import Source, unknown
from recsys.data.splits import PARTS, SHARES, by_salt, normal_query

FIRST_ROWS = 3  # shown by describe_labelled
SHOWN_CHARACTERS = 60  # of each text in those rows
SHOWN_LABELS = 15  # of the most and least frequent ones together, in the distribution


@dataclass(frozen=True)
class LabelledTexts:
    """One data set of N labelled texts.

    name: as in the registry, for instance "banking77".
    table: N rows, index 0 ... N - 1, in the order of the source. Columns: text (str, not empty), label (int64
        code into `labels`, or a float64 grade where `labels` is empty), and where the source has them
        text_pair (str: the second text of a labelled pair), group (rows of one group always fall into one
        part of a split), part ("train" or "test", the source's own division), and further columns of its
        loader.
    labels: names of the label codes; empty where the label is a grade.
    cleaning: rows that the loader dropped, by reason; "rows read" - "rows dropped" = "rows kept".
    """

    name: str
    table: pd.DataFrame
    labels: list[str]
    cleaning: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def graded(self) -> bool:
        """Whether the label is a grade (float) instead of a class (code)."""
        return not self.labels

    @property
    def group(self) -> pd.Series | None:
        """Group of each row (no split divides a group); None where the source has no groups."""
        return self.table.get("group")


def load_labelled(name: str) -> LabelledTexts:
    """Load a data set of labelled texts by name, checked.

    Args:
        name: "home_depot", "banking77", "womens_clothing", "chinese_reviews", "atec", "lcqmc", or an entry of
            RECSYS_SOURCES with one of these families.

    Raises:
        RegistryError: no such data set; the message gives the nearest name and all names.
        DataUnavailable: a file cannot be obtained or read; one line says how to mend it.
        TableError: the table breaks a rule of `LabelledTexts`.

    Example:
        >>> intents = load_labelled("banking77")
        >>> train = intents.table.iloc[labelled_split(intents)["train"]]
        >>> intents.labels[train["label"].iloc[0]]
        'card_arrival'
    """
    every = sources.all_sources()
    known = [source.name for source in every.values() if source.family in LABELLED]
    if name not in known:
        if name in every or name == sources.DEMO_STORE:
            raise RegistryError(
                f"{name} is a log of events, not labelled texts: use recsys.data.load.load_dataset "
                f"(labelled texts: {', '.join(sorted(known))})"
            )
        raise RegistryError(unknown("labelled data set", name, known, "the registry"))
    source = every[name]
    return check_labelled(LABELLED.load(source.family).load(source))


def check_labelled(data: LabelledTexts) -> LabelledTexts:
    """The data set itself, once its table keeps the rules of `LabelledTexts`; raises TableError otherwise."""
    table = data.table
    missing = [column for column in ("text", "label") if column not in table]
    if missing:
        raise TableError(f"data set {data.name}: no column {' and '.join(missing)}")
    if not table.index.equals(pd.RangeIndex(len(table))):
        raise TableError(f"data set {data.name}: the index does not count 0, 1, 2, ...")
    wanted = "float64" if data.graded else "int64"
    if table["label"].dtype != wanted:
        raise TableError(f"data set {data.name}: label is {table['label'].dtype}, not {wanted}")
    label = table["label"]
    in_range = np.isfinite(label) if data.graded else label.between(0, len(data.labels) - 1)
    broken = {"label: not finite" if data.graded else "label: no code of a name": ~in_range}
    for column in ("text", "text_pair"):
        if column in table:
            broken[f"{column}: empty or no text"] = ~table[column].map(_is_filled).astype(bool)
    if "group" in table:
        broken["group: missing"] = table["group"].isna()
    if "part" in table:
        broken["part: neither train nor test"] = ~table["part"].isin(["train", "test"])
    for rule, rows in broken.items():
        if rows.any():
            first = ", ".join(map(str, np.flatnonzero(rows)[:5]))
            raise TableError(f"data set {data.name}: {rule} ({int(rows.sum())} rows, first at {first})")
    return data


def labelled_split(
    data: LabelledTexts, salt: str = "recsys", shares: Mapping[str, float] = SHARES
) -> dict[str, np.ndarray]:
    """Row numbers of the parts train, validation and test, each ascending, by a salted hash.

    What is hashed is the row's group where there is one, else its text, so groups and equal texts stay whole
    (case and blanks make no difference). A row's part depends on nothing but that, the salt and the shares;
    parts are not stratified by label, and with few or uneven groups they miss their shares by some per cent.

    Where the source has a test part of its own, it is kept, and the rest is divided into train and
    validation in the proportion of their shares. A text that would still be in several parts (because it is
    in two groups, or in the source's train and test) is kept in one of them only, test before validation
    before train; its other rows are left out, so the three parts may not cover all rows.

    Raises:
        ValueError: the shares are not those of train, validation and test, or do not sum to 1.
    """
    if set(shares) != set(PARTS):
        raise ValueError(f"shares must be given for {', '.join(PARTS)}, got {', '.join(map(str, shares))}")
    table = data.table
    texts = normal_query(table["text"])
    if "text_pair" in table:
        texts = texts + "\0" + normal_query(table["text_pair"])
    keys = texts
    if "group" in table:
        group = table["group"]
        keys = group if pd.api.types.is_numeric_dtype(group) else normal_query(group)
    if "part" in table:
        rest = shares["train"] + shares["validation"]
        part = by_salt(keys, salt, {name: shares[name] / rest for name in ("train", "validation")})
        part = np.where(table["part"] == "test", "test", part)
    else:
        part = by_salt(keys, salt, {name: shares[name] for name in PARTS})
    rank = pd.Series([PARTS.index(name) for name in part], index=table.index, dtype="int64")
    stays = rank == rank.groupby(texts).transform("max")
    return {name: np.flatnonzero(stays & (rank == number)) for number, name in enumerate(PARTS)}


def describe_labelled(name: str) -> dict[str, Any]:
    """What `recsys data show` prints: provenance, counts, label distribution, parts, cleaning, first rows.

    Raises:
        as `load_labelled`.
    """
    data = load_labelled(name)
    entry = next(row for row in sources.listing() if row["name"] == name)
    facts = {key: entry[key] for key in ("name", "title", "licence", "source", "size", "where")}
    facts["rows"] = f"{len(data):,}"
    if data.group is not None:
        facts["groups"] = f"{data.group.nunique():,}, never divided by a split"
    facts["grades" if data.graded else "labels"] = _distribution(data)
    parts = labelled_split(data)
    facts["split by salt"] = ", ".join(f"{part}: {len(rows):,}" for part, rows in parts.items())
    facts["cleaning"] = ", ".join(f"{reason}: {count:,}" for reason, count in data.cleaning.items())
    facts["columns"] = ", ".join(f"{column} ({kind})" for column, kind in data.table.dtypes.items())
    head = data.table.head(FIRST_ROWS)
    facts["first rows"] = "\n" + head.to_string(index=False, max_colwidth=SHOWN_CHARACTERS)
    return facts


def cleaning_counts(read: int, dropped: Mapping[str, np.ndarray | pd.Series]) -> dict[str, int]:
    """The `cleaning` of a table: each reason's count, which may overlap, and the three totals.

    Args:
        read: rows of the file.
        dropped: reason -> [read] whether it holds for a row; the row is dropped if any does.
    """
    counts = {reason: int(np.sum(rows)) for reason, rows in dropped.items()}
    gone = int(np.logical_or.reduce([np.zeros(read, bool), *map(np.asarray, dropped.values())]).sum())
    return counts | {"rows read": read, "rows dropped": gone, "rows kept": read - gone}


def file_of(source: Source, role: str) -> str:
    """Name of the source's file with that role. Raises RegistryError where the entry has none."""
    file = source.role(role)
    if file is None:
        raise RegistryError(f"data set {source.name}: no file has the role {role!r}; add it to the entry")
    return file.name


def _is_filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _distribution(data: LabelledTexts) -> str:
    counts = data.table["label"].value_counts()
    if data.graded:
        return ", ".join(f"{grade:g}: {count:,}" for grade, count in counts.sort_index().items())
    shown = [f"{data.labels[code]}: {count:,}" for code, count in counts.items()]
    if len(shown) > SHOWN_LABELS:
        half = SHOWN_LABELS // 2
        shown = [*shown[:half], f"... {len(shown) - 2 * half} more ...", *shown[-half:]]
    return f"{len(data.labels)}: " + ", ".join(shown)
