"""Texts of items and of users' histories, as inputs of a language model.

Truncation. `tokenise(keep="start")` cuts the end of a text: with order "newest_first" that drops the oldest
items, as it should. With "oldest_first" (for a decoder, whose last token attends to everything) use
keep="end", otherwise the newest items are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import pandas as pd

MAX_ITEMS = 50  # 128 tokens hold about 15 titles


def item_texts(
    items: pd.DataFrame, fields: Sequence[str] = ("title",), separator: str = " ; ", absent_ok: bool = False
) -> list[str]:
    """One text per item: its fields, in the order asked for, joined; runs of blanks become one.

    Args:
        items: the items table of `recsys.data.tables.Dataset`, M rows.
        fields: columns, for instance ("title", "category") for the title and the path "A > B > C".
        separator: between the fields that an item has; missing values (None, NaN, "") are skipped.
        absent_ok: True skips a column that the table lacks.

    Returns:
        M strings; "" for an item of which nothing is known.

    Raises:
        ValueError: no fields, or a column that is not there (unless `absent_ok`).

    Example:
        >>> items = pd.DataFrame({"title": ["Red  shoe", None], "category": ["Fashion > Shoes", "Mugs"]})
        >>> item_texts(items, ("title", "category"))
        ['Red shoe ; Fashion > Shoes', 'Mugs']
    """
    if isinstance(fields, str) or not len(fields):
        raise ValueError(f"fields must be a sequence of column names, got {fields!r}")
    missing = [name for name in fields if name not in items]
    if missing and not absent_ok:
        raise ValueError(
            f"items have no column {', '.join(missing)}: they have {', '.join(map(str, items.columns))}"
        )
    columns = [_texts(items[name]) for name in fields if name in items]
    if not columns:
        return [""] * len(items)
    return [separator.join(filter(None, parts)) for parts in zip(*columns, strict=True)]


def item_text(row: pd.Series | dict, separator: str = " ; ") -> str:
    """Title and, where there is one, the category path of one item: "Red shoe ; Fashion > Shoes"."""
    parts = _texts(pd.Series([row.get("title"), row.get("category")], dtype=object))
    return separator.join(filter(None, parts))


def history_text(
    titles: Sequence[str],
    order: Literal["newest_first", "oldest_first"] = "newest_first",
    max_items: int = MAX_ITEMS,
    separator: str = " ; ",
) -> str:
    """One text of a user's history, at most the newest `max_items` items (truncation: see the module).

    Args:
        titles: oldest first, as events are stored; "" is left out, and does not count.
        order: of the text.
        max_items: ≥ 1.
        separator: between two titles.

    Returns:
        The titles joined; "" for an empty history.

    Raises:
        ValueError: another order, `max_items` below 1, a title that is not a string.

    Example:
        >>> history_text(["kettle", "mug", "tea"], max_items=2)
        'tea ; mug'
    """
    if order not in ("newest_first", "oldest_first"):
        raise ValueError(f"order must be 'newest_first' or 'oldest_first', not {order!r}")
    if max_items < 1:
        raise ValueError(f"max_items must be at least 1, got {max_items}")
    if isinstance(titles, str):
        raise ValueError("titles must be a sequence of strings, not one string")
    newest: list[str] = []
    for place in range(len(titles) - 1, -1, -1):
        if len(newest) == max_items:
            break
        title = titles[place]
        if not isinstance(title, str):
            raise ValueError(f"title {place} is {title!r}, not a string: item_texts() makes missing ones ''")
        if title:
            newest.append(title)
    return separator.join(newest if order == "newest_first" else reversed(newest))


def history_texts(
    histories: Iterable[Sequence[int]],
    titles: Sequence[str],
    order: Literal["newest_first", "oldest_first"] = "newest_first",
    max_items: int = MAX_ITEMS,
    separator: str = " ; ",
) -> list[str]:
    """`history_text` of many users.

    Args:
        histories: per user the item codes, oldest first.
        titles: [M] by item code, from `item_texts`.

    Raises:
        ValueError: as `history_text`. IndexError: a code that is no item's.
    """
    return [
        history_text([titles[item] for item in codes], order, max_items, separator) for codes in histories
    ]


def _texts(column: pd.Series) -> list[str]:
    return ["" if value is None or pd.isna(value) else " ".join(str(value).split()) for value in column]
