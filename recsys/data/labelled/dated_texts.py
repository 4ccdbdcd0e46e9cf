"""Dated texts on firms from one CSV, with a label or without: what a reader brings to watch an own company.

An entry of RECSYS_SOURCES, the options being columns of the file:

    my_firm:
      family: dated_texts
      files: [{name: news.csv, path: /data/news.csv}]
      options: {text: headline, time: published, firm: company, label: bad}

time: ISO 8601, or an option `format` for another form (strptime). firm may be left out: all texts then
concern one. label: 1 for bad news, 0 for other; left out, every text counts, and an alarm looks for bursts.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.labelled.csv_files import read_table, require
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts
from recsys.data.registry import Source

OPTIONS = ("text", "time", "firm", "label", "format")
LABELS = ["positive", "negative"]


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "dated_texts".

    Returns:
        table, by time: text, time, firm, label (1: bad news; without labels the code of the firm).

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`; NotData also for a
            time that is none.
    """
    options = source.options
    named = {name: options.get(name, "") for name in ("text", "time", "firm", "label") if name in options}
    types = {column: int if name == "label" else str for name, column in named.items()}
    raw = read_table(source, "texts", types).rename(columns={column: name for name, column in named.items()})
    faults = {"empty text": raw["text"] == "", "no time": raw["time"] == ""}
    kept = raw[~(faults["empty text"] | faults["no time"])].copy()
    try:
        kept["time"] = pd.to_datetime(kept["time"], format=options.get("format", "ISO8601"), utc=True)
    except ValueError as error:
        raise NotData(
            f"data set {source.name}: {error}; say how times are written in options: format"
        ) from None
    kept["time"] = kept["time"].dt.tz_localize(None)
    kept = kept.assign(firm=kept.get("firm", source.name))
    kept = kept.sort_values("time", kind="stable", ignore_index=True)
    labels = list(LABELS)
    if "label" in kept:
        require(kept, "label", (0, 1), source)
    else:
        labels = sorted(kept["firm"].unique())
        kept["label"] = kept["firm"].map({firm: code for code, firm in enumerate(labels)})
    kept["label"] = kept["label"].astype("int64")
    columns = ["text", "label", "time", "firm"]
    return LabelledTexts(source.name, kept[columns], labels, cleaning_counts(len(raw), faults))


def _fault(roles: set[str], options: Mapping[str, Any]) -> str | None:
    if unknown := sorted(set(options) - set(OPTIONS)):
        return f"options: no {unknown[0]!r}; there are {', '.join(OPTIONS)}"
    if missing := [name for name in ("text", "time") if name not in options]:
        return f"options: name the column of {' and of '.join(missing)}"
    if wrong := [name for name, value in options.items() if not isinstance(value, str)]:
        return f"options: {wrong[0]} must be a text"
    return None


FAMILY = Family(load, ("texts",), _fault)
