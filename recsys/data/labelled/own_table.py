"""Anybody's labelled texts, in one CSV file: a class or a grade for each text, or for each pair of texts.

A YAML file named by RECSYS_SOURCES says what the columns are::

    my_reviews:
      family: labelled_table
      title: Reviews of my shop
      files:
        - {name: reviews.csv, path: /data/reviews.csv}
      options:
        columns: {text: comment, label: stars, group: product}
        classes: {"1": bad, "2": bad, "3": null, "4": good, "5": good}     # null: left out and counted
        separator: ";"
        encoding: latin-1

Then `recsys data show my_reviews`, and notebooks 02_backbones and 03 take `dataset="my_reviews"`. Without
`classes` each value is a class of its own; `graded: true` reads the labels as numbers instead, and then a
group is needed (the query whose texts are ranked).
"""

import codecs
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.files.archives import read_bytes
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts
from recsys.data.registry import Source

COLUMNS = ("text", "label", "text_pair", "group", "part")


class Options(BaseModel):
    """How the file is written and what it means.

    columns: our name (text and label; text_pair, group and part where there are such) -> the file's. No split
        divides a group; part is the file's own division into "train" and "test".
    classes: label as written -> name of its class, in the order of first naming, or null: left out.
    graded: labels are numbers, such as the relevance of a text to its group's query.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: dict[str, str]
    classes: dict[str, str | None] = Field(default_factory=dict)
    graded: bool = False
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"

    @model_validator(mode="after")
    def _complete(self):
        if unknown := [name for name in self.columns if name not in COLUMNS]:
            raise ValueError(f"no column {unknown[0]!r} is known: {', '.join(COLUMNS)}")
        if missing := [name for name in ("text", "label") if name not in self.columns]:
            raise ValueError(f"columns must name {' and '.join(missing)}")
        if len(set(self.columns.values())) < len(self.columns):
            raise ValueError("two of the columns are one column of the file")
        if self.graded and self.classes:
            raise ValueError("either graded or classes")
        if self.graded and "group" not in self.columns:
            raise ValueError("graded texts need a column group: the query that they were graded for")
        return self


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "labelled_table".

    Rows without a text (of a pair: without either) or a label are dropped and counted.

    Raises:
        DataUnavailable: the file cannot be had, or (NotData) holds a value that its options do not explain.
    """
    options = Options.model_validate(source.options)
    sources.note_options(source)
    path = sources.local_file(source.name, source.role("texts").name)
    raw = _read(path, options)
    faults = {f"empty {name}": raw[name] == "" for name in COLUMNS if name in raw}
    if options.classes:
        unknown = set(raw["label"]) - {"", *options.classes}
        if unknown:
            raise NotData(f"{path}: label {min(unknown)!r} is not in the map `classes`; null leaves it out")
        faults["left out by classes"] = raw["label"].map(options.classes).isna() & (raw["label"] != "")
    table = raw[~pd.DataFrame(faults).any(axis=1)].reset_index(drop=True)
    if table.empty:
        raise NotData(f"{path}: no text is left of {len(raw)} rows")
    labels = [] if options.graded else _codes(table, options)
    if options.graded:
        table["label"] = _grades(path, table["label"])
    if len(labels) == 1:
        raise NotData(f"{path}: all labels are {labels[0]!r}: there is nothing to tell apart")
    return LabelledTexts(source.name, table, labels, cleaning_counts(len(raw), faults))


def _read(path: Path, options: Options) -> pd.DataFrame:
    """Under our names, every value a trimmed text, "" where there is none."""
    try:
        marked = codecs.lookup(options.encoding).name == "utf-8"
        text = read_bytes(path).decode("utf-8-sig" if marked else options.encoding)
        form = {"sep": options.separator, "dtype": str, "keep_default_na": False}
        # pandas would call the second of two equal columns "name.1", and the first would be taken in silence
        names = pd.read_csv(io.StringIO(text), header=None, nrows=1, **form).iloc[0].tolist()
        if twice := [name for name in options.columns.values() if names.count(name) > 1]:
            raise ValueError(f"column {twice[0]} stands {names.count(twice[0])} times")
        table = pd.read_csv(io.StringIO(text), **form)
    except UnicodeDecodeError as error:
        raise NotData(
            f"{path}: not {options.encoding} text (byte {error.start}); name its encoding"
        ) from None
    except (ValueError, LookupError) as error:
        raise NotData(f"{path}: no readable table ({' '.join(str(error).split())})") from None
    if missing := [theirs for theirs in options.columns.values() if theirs not in table]:
        raise NotData(f"{path}: no column {missing[0]}; it has {', '.join(map(str, table.columns))}")
    found = {ours: table[theirs].fillna("").str.strip() for ours, theirs in options.columns.items()}
    return pd.DataFrame(found)


def _codes(table: pd.DataFrame, options: Options) -> list[str]:
    """Puts codes in the place of the labels; returns the classes' names."""
    named = table["label"].map(options.classes) if options.classes else table["label"]
    order = dict.fromkeys(options.classes.values()) if options.classes else sorted(set(named))
    labels = [name for name in order if name in set(named)]
    table["label"] = named.map({name: code for code, name in enumerate(labels)}).astype("int64")
    return labels


def _grades(path: Path, written: pd.Series) -> pd.Series:
    grades = pd.to_numeric(written, errors="coerce")
    if (wrong := ~np.isfinite(grades)).any():
        raise NotData(f"{path}: label {written[wrong].iloc[0]!r} is no number, and graded is true")
    return grades.astype("float64")


def fault(roles: set[str], options: Mapping[str, Any]) -> str | None:
    """What is wrong with an entry's options, in one line; None where nothing is."""
    try:
        Options.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["options", *map(str, first["loc"])])
        return f"{place}: {first['msg'].removeprefix('Value error, ')}"
    return None


FAMILY = Family(load, ("texts",), fault)
