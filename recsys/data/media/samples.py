"""Labelled pictures, sounds and clips: one row per sample, with its file, text, labels and group.

A log of events with media goes through `recsys.data.load.load_dataset`; its items carry the same columns.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.data.errors import TableError
from recsys.data.splits import PARTS, SHARES, by_salt

FEW_GROUPS = 40  # with fewer, a hash may leave a part empty, so groups are dealt out by the shares instead
FILES = ("picture", "sound", "video")  # columns that hold paths of files, None where there is none


@dataclass(frozen=True)
class MediaSamples:
    """One data set of N samples.

    name: as in the registry, for instance "fashion_products".
    table: N rows, index 0 ... N - 1. Columns: source_id (unique), where the set has them picture, sound,
        video (path of a file as text, or None), text (str), group (rows of one group always fall into one
        part of a split), part (train, validation or test, the source's own division), and one column for
        each of `labels` (str, or None where the source has no label).
    labels: the columns that can be predicted, the main one first.
    classes: a table of the classes, one row each, where the source describes them (column `name` first).
    cleaning: what the loader met and dropped, by reason.
    """

    name: str
    table: pd.DataFrame
    labels: tuple[str, ...]
    classes: pd.DataFrame | None = None
    cleaning: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.table)


def check_samples(data: MediaSamples) -> MediaSamples:
    """The data set itself, once its table keeps the rules of `MediaSamples`; raises TableError otherwise."""
    table = data.table
    if not table.index.equals(pd.RangeIndex(len(table))):
        raise TableError(f"data set {data.name}: the index does not count 0, 1, 2, ...")
    broken = {"source_id: repeated or missing": table["source_id"].duplicated() | table["source_id"].isna()}
    for column in FILES:
        if column in table:
            there = table[column].dropna()
            missing = there.index[[not Path(path).is_file() for path in there]]
            broken[f"{column}: no such file"] = table.index.isin(missing)
    for column in data.labels:
        texts = table[column].map(lambda value: value is None or (isinstance(value, str) and value != ""))
        broken[f"{column}: neither a label nor None"] = ~texts.astype(bool)
    if "group" in table:
        broken["group: missing"] = table["group"].isna()
    if "part" in table:
        broken["part: another than train, validation, test"] = ~table["part"].isin(PARTS)
    for rule, rows in broken.items():
        rows = np.asarray(rows, dtype=bool)
        if rows.any():
            first = ", ".join(map(str, np.flatnonzero(rows)[:5]))
            raise TableError(f"data set {data.name}: {rule} ({int(rows.sum())} rows, first at {first})")
    return data


def sample_parts(
    data: MediaSamples, salt: str = "recsys", shares: dict[str, float] | None = None
) -> dict[str, np.ndarray]:
    """Row numbers of train, validation and test: the source's own parts, else by a salted hash of the group.

    Args:
        data: where the source has parts but no validation part, an eighth of the training groups (of the
            rows, where there are no groups) becomes one.
        shares: of the three parts, default 80, 10 and 10 %; not used where the source has parts.
    """
    shares = dict(shares or SHARES)
    keys = data.table["group"] if "group" in data.table else data.table["source_id"]
    if "part" not in data.table:
        part = by_salt(keys, salt, shares) if keys.nunique() > FEW_GROUPS else _few(keys, salt, shares)
    else:
        part = data.table["part"].to_numpy(dtype=object).copy()
        if not (part == "validation").any():
            drawn = by_salt(keys, salt, {"train": 0.875, "validation": 0.125})
            part = np.where(part == "train", drawn, part)
    return {name: np.flatnonzero(part == name) for name in PARTS}


def _few(keys: pd.Series, salt: str, shares: dict[str, float]) -> np.ndarray:
    """Part of every row: groups in the order of a salted hash, cut by the shares, at least one a part."""
    groups = sorted(keys.unique(), key=lambda key: hashlib.sha256(f"{salt}\0{key}".encode()).digest())
    if len(groups) < len(PARTS):
        raise TableError(f"{len(groups)} groups cannot be divided into {', '.join(PARTS)}")
    test = max(1, round(shares["test"] * len(groups)))
    validation = max(1, round(shares["validation"] * len(groups)))
    test = min(test, len(groups) - 2)
    validation = min(validation, len(groups) - test - 1)
    part = dict.fromkeys(groups, "train") | dict.fromkeys(groups[:validation], "validation")
    part |= dict.fromkeys(groups[validation : validation + test], "test")
    return keys.map(part).to_numpy(dtype=object)
