"""The files of the S3-Rec family: one user a line, `user item item ...`, oldest first, no timestamps.

Source: Zhou et al. 2020, "S3-Rec" (repository RUCAIBox/CIKM2020-S3Rec, folder data). Amazon reviews of 2014
in which every user and item has at least five; each review counts as one purchase. Only the order is known,
so there is no `time` and leave-one-out is the only possible split by order. Any file of this form loads,
given a registry entry (`recsys.data.registry`).

The files have no titles. Where the registry names a TransRec copy of the same log (repository
Linxyhaha/TransRec, with titles and categories under other ids), the items of both copies are paired
(`recsys.data.logs.item_matching`) and the titles copied, with HTML entities (&amp;, &#39;) unescaped.
"""

import hashlib
import html
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData, WrongChecksum
from recsys.data.families import Family, no_fault
from recsys.data.files.archives import load_object_array, read_text
from recsys.data.logs.item_matching import UNMATCHED, Sequences, match_items
from recsys.data.registry import Source
from recsys.data.tables import Dataset, place_in_history

LEVELS = " > "  # between the levels of a category path
# Two unrelated logs pair 3 % of their items by chance (Beauty with Sports), two copies all of them.
MINIMUM_MATCHED = 0.5


def load(source: Source, titles: bool = True) -> Dataset:
    """A data set of the family.

    Args:
        source: its registry entry, family "s3rec".
        titles: take titles and categories from the entry's title files, where it names any.

    Returns:
        items: source_id (the file's item id) and, with titles, title and category ("Beauty > Makeup > Nails";
            the first path where an item has several; None where an item has no partner or no title).
        users: source_id (the file's user id). events: kind "purchase", order; no time.

    Raises:
        DataUnavailable: a file cannot be had, is not of the family's form, or the derived item table is not
            the one whose sha256 the registry names.
    """
    log = read_sequences(_path(source, "sequences"))
    item_ids, item_codes = np.unique(log.item_ids, return_inverse=True)
    items = pd.DataFrame({"item": np.arange(len(item_ids)), "source_id": item_ids})
    user_ids, user_codes = np.unique(log.user_ids, return_inverse=True)
    events = pd.DataFrame({"user": user_codes[log.rows], "item": item_codes, "kind": "purchase"})
    events = events.sort_values("user", kind="stable", ignore_index=True)
    events["order"] = place_in_history(events["user"])
    cleaning = {"rows read": len(events), "rows dropped": 0, "rows kept": len(events)}
    if titles and source.role("titles"):
        table = item_table(source, log)
        # the pinned table holds texts as the source writes them; they are unescaped only when loaded
        items["title"] = table["title"].map(unescaped).where(table["title"] != "", None)
        if "category_path" in table:
            items["category"] = (
                table["category_path"].map(unescaped).where(table["category_path"] != "", None)
            )
        cleaning["items without a title"] = int(items["title"].isna().sum())
    users = pd.DataFrame({"user": np.arange(len(user_ids)), "source_id": user_ids})
    return Dataset(source.name, items, users, events, cleaning=cleaning)


def read_sequences(path: Path) -> Sequences:
    """The histories of one file, which may be compressed.

    Raises:
        NotData: a line is not `user item item ...` in whole numbers, or a user has two lines.
    """
    lines = [line.split() for line in read_text(path).splitlines()]
    lengths = np.array([len(line) for line in lines if line], dtype=np.int64) - 1
    try:
        numbers = np.array([token for line in lines for token in line], dtype=np.int64)
    except (ValueError, OverflowError):
        raise NotData(_first_bad_line(path, lines)) from None
    if len(lengths) == 0 or lengths.min() < 1:
        raise NotData(_first_bad_line(path, lines))
    is_user = np.zeros(len(numbers), dtype=bool)
    is_user[np.cumsum(lengths + 1) - (lengths + 1)] = True
    user_ids = numbers[is_user]
    if len(np.unique(user_ids)) < len(user_ids):
        values, counts = np.unique(user_ids, return_counts=True)
        raise NotData(f"{path}: user {values[counts > 1][0]} has more than one line; expected one a user")
    return Sequences(user_ids, numbers[~is_user], lengths)


def item_table(source: Source, log: Sequences) -> pd.DataFrame:
    """Our item ids with the ids, titles and category paths of the TransRec copy, one row an item.

    Columns s3rec_item_id, transrec_item_id (UNMATCHED where an item has no partner), title, category_path
    where the entry has categories; empty strings where there is none. Tabs and line breaks inside a title
    become blanks, as in the published table.

    Raises:
        NotData: the title file is no copy of this log.
        WrongChecksum: written as tab-separated values, the table is not the one that the registry pins.
    """
    copy = _path(source, "title_sequences")
    ours, theirs = match_items(log, read_sequences(copy))
    found = np.mean(theirs != UNMATCHED)
    if found < MINIMUM_MATCHED:
        raise NotData(f"{copy}: no copy of {source.name}'s log, only {found:.0%} of the items have a partner")
    table = pd.DataFrame({"s3rec_item_id": ours, "transrec_item_id": theirs})
    columns = {"title": "titles", "category_path": "categories"}
    for column, role in columns.items():
        if source.role(role):
            texts = _by_id(_path(source, role))
            table[column] = [_plain(texts.get(str(item))) if item != UNMATCHED else "" for item in theirs]
    got = hashlib.sha256(as_tsv(table).encode("utf-8")).hexdigest()
    if source.derived_sha256 and got != source.derived_sha256:
        raise WrongChecksum(
            f"{source.name}: the derived item table has the wrong sha256: expected {source.derived_sha256}, "
            f"got {got}; if its files are as pinned, "
            "this loader or recsys.data.logs.item_matching was changed"
        )
    return table


def as_tsv(table: pd.DataFrame) -> str:
    """Tab-separated values with a header and without quoting, the form whose sha256 is pinned."""
    rows = ["\t".join(table.columns)]
    rows += ["\t".join(map(str, row)) for row in table.itertuples(index=False, name=None)]
    return "\n".join(rows) + "\n"


def _path(source: Source, role: str) -> Path:
    return sources.local_file(source.name, source.role(role).name)


def _by_id(path: Path) -> dict[str, Any]:
    """id -> text or category paths of a TransRec file, which wraps them in a dict of one entry."""
    content = load_object_array(path)
    if isinstance(content, dict) and len(content) == 1:
        inner = next(iter(content.values()))
        content = inner if isinstance(inner, dict) else content
    if not isinstance(content, dict):
        raise NotData(f"{path}: expected a dict from item id to text, found {type(content).__name__}")
    return {str(key): value for key, value in content.items()}


def _plain(value: Any) -> str:
    """A title, or the first category path, on one line."""
    while isinstance(value, (list, tuple)) and value and isinstance(value[0], (list, tuple)):
        value = value[0]
    if isinstance(value, (list, tuple)):
        value = LEVELS.join(map(str, value))
    return "" if value is None else str(value).translate(str.maketrans("\t\n\r", "   "))


def unescaped(text: str) -> str:
    """Text with HTML entities unescaped, repeatedly, because some texts were escaped twice.

    Example:
        >>> unescaped("Wash &amp;amp; Go")
        'Wash & Go'
    """
    while (plain := html.unescape(text)) != text:  # ends: unescaping shortens the text or changes nothing
        text = plain
    return _plain(text)


def _first_bad_line(path: Path, lines: list[list[str]]) -> str:
    form = "expected `user item item ...` in whole numbers"
    for number, line in enumerate(lines, start=1):
        if len(line) == 1:
            return f"{path}, line {number}: a user without items; {form}"
        for token in line:
            if not token.lstrip("-").isdigit() or abs(int(token)) >= 2**63:
                return f"{path}, line {number}: {token[:40]!r}; {form}"
    return f"{path}: no lines; {form}"


def _fault(roles: set[str], options: dict[str, Any]) -> str | None:
    if len(roles & {"title_sequences", "titles"}) == 1:
        return "titles need both roles, title_sequences and titles"
    return no_fault(roles, options)


_TITLE_FILES = ("title_sequences", "titles", "categories")
FAMILY = Family(
    load,
    ("sequences", *_TITLE_FILES),
    _fault,
    folders=dict.fromkeys(_TITLE_FILES, "s3rec/transrec_{name}"),
)
