"""Dated news of Chinese companies, good or bad for them.

Source: wwwxmu/Dataset-of-financial-news-sentiment-classification; no licence stated, so for local evaluation
only. Two files: 7,046 headlines labelled by hand ("seed"), and 2,400 news with their bodies ("news"), half of
them good, whose labels were spread from the headlines by a search, so they are noisy. 2016-03-22 to
2019-02-14, with months that have no news at all. 53 % of the titles of the second file also stand in the
first, word for word: of equal titles the news stays, with its body, and the headline is left out, so that no
split by date or by chance shows a title on both sides. Codes are texts: as numbers they would lose zeros.
"""

import re

import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.files.spreadsheet import read_sheet
from recsys.data.labelled.csv_files import read_table
from recsys.data.labelled.dataset import LabelledTexts, cleaning_counts, file_of
from recsys.data.registry import Source
from recsys.data.splits import normal_query

LABELS = ["positive", "negative"]  # the second is what an alarm looks for
COLUMNS = {"日期": "time", "公司": "firm", "代码": "code", "正负面": "good", "标题": "text", "正文": "body"}
SEED_COLUMNS = {"A": "time", "B": "firm", "C": "code", "D": "good", "E": "text"}
DATE = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日")


def load(source: Source) -> LabelledTexts:
    """The data set of a registry entry of family "company_news".

    Returns:
        table, by time: text (the title), label (1: negative), time (day), firm, code, body ("" of a
        headline), origin ("news" or "seed").

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.labelled.dataset.load_labelled`; NotData also for a
            date or a label that is none.
    """
    news = read_table(source, "news", dict.fromkeys(COLUMNS, str)).rename(columns=COLUMNS)
    news["origin"] = "news"
    tables = [news]
    if source.role("seed") is not None:
        tables.append(_seed(source))
    raw = pd.concat(tables, ignore_index=True)
    raw[["firm", "code", "body"]] = raw[["firm", "code", "body"]].fillna("")
    title = normal_query(raw["text"].fillna(""))
    faults = {"empty title": title == "", "title stands before": title.duplicated() & (title != "")}
    kept = raw[~(faults["empty title"] | faults["title stands before"])].copy()
    kept["time"] = [_day(source, text) for text in kept["time"]]
    if wrong := sorted(set(kept["good"]) - {"0", "1"}):
        raise NotData(f"data set {source.name}: labels are 0 and 1, not {wrong[0]!r}")
    kept["label"] = (kept["good"] == "0").astype("int64")
    kept = kept.sort_values("time", kind="stable", ignore_index=True)
    columns = ["text", "label", "time", "firm", "code", "body", "origin"]
    return LabelledTexts(source.name, kept[columns], list(LABELS), cleaning_counts(len(raw), faults))


def _seed(source: Source) -> pd.DataFrame:
    path = sources.local_file(source.name, file_of(source, "seed"))
    rows = pd.DataFrame(read_sheet(path)[1:]).rename(columns=SEED_COLUMNS)
    missing = set(SEED_COLUMNS.values()) - set(rows)
    if missing:
        raise NotData(f"{path}: columns missing: {', '.join(sorted(missing))}; is it the right file?")
    return rows[list(SEED_COLUMNS.values())].fillna("").assign(body="", origin="seed")


def _day(source: Source, text: str) -> pd.Timestamp:
    found = DATE.match(str(text))
    if not found:
        raise NotData(f"data set {source.name}: {text!r} is no date such as 2018年5月11日")
    return pd.Timestamp(*map(int, found.groups()))


FAMILY = Family(load, ("news", "seed"))
