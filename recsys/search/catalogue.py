"""Products of a shop: read from any CSV with titles, checked, and kept as rows that come and go.

r: rows, those of products that are gone among them.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.search.errors import SearchError


class Catalogue:
    """Products under row numbers that count up from 0; a row that is gone stays until `recsys.search.engine`
    numbers them anew."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._titles: list[str] = []
        self._row: dict[str, int] = {}  # of what is there

    def __len__(self) -> int:
        return len(self._row)

    @property
    def rows(self) -> int:
        """r."""
        return len(self._ids)

    def add(self, table: pd.DataFrame) -> np.ndarray:
        """Row numbers of new products, of a table from `checked` whose ids are not there."""
        first = self.rows
        self._ids += table["id"].tolist()
        self._titles += table["title"].tolist()
        self._row.update(zip(self._ids[first:], range(first, self.rows), strict=True))
        return np.arange(first, self.rows)

    def delete(self, ids: Sequence[str]) -> tuple[list[int], list[str]]:
        """Rows and titles of products that are gone now.

        Raises:
            SearchError: one is not there; then none is taken out.
        """
        ids = list(dict.fromkeys(ids))
        missing = [one for one in ids if one not in self._row]
        if missing:
            raise SearchError(f"no product {missing[0]!r} in the index")
        rows = [self._row.pop(one) for one in ids]
        return rows, [self._titles[row] for row in rows]

    def there(self, ids: Sequence[str]) -> list[str]:
        """Those of some ids that are there."""
        return [one for one in ids if one in self._row]

    def live(self) -> tuple[np.ndarray, pd.DataFrame]:
        """Rows of what is there, ascending, and its ids and titles."""
        rows = np.array(sorted(self._row.values()), dtype=np.int64)
        return rows, pd.DataFrame(self.of(rows))

    def of(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """id and title of some rows, as arrays of texts."""
        chosen, named = rows.tolist(), {"id": self._ids, "title": self._titles}
        return {name: np.array([own[row] for row in chosen], object) for name, own in named.items()}


def read_catalogue(path: str | Path) -> pd.DataFrame:
    """Any CSV with titles as a catalogue: the column "title" (or "name", "product_title"), and "id" if there
    is one.

    Raises:
        SearchError: no such file, no readable CSV, no such column.
    """
    path = Path(path)
    if not path.is_file():
        raise SearchError(f"no catalogue at {path}")
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:  # compressed ones too
        raise SearchError(f"{path}: no readable CSV ({' '.join(str(error).split())})") from None
    named = {str(name).strip().casefold(): name for name in raw.columns}
    title = next((named[name] for name in ("title", "product_title", "name") if name in named), None)
    if title is None:
        raise SearchError(
            f"{path} has no column title, product_title or name; it has {', '.join(raw.columns)}"
        )
    own = next((named[name] for name in ("id", "sku", "product_id") if name in named), None)
    ids = raw[own] if own is not None else pd.Series(np.arange(len(raw)).astype(str))
    table = pd.DataFrame({"id": ids.astype(str), "title": raw[title].str.strip()})
    return table[table["title"] != ""].drop_duplicates("id", ignore_index=True)


def checked(catalogue: pd.DataFrame) -> pd.DataFrame:
    """Columns id and title as texts.

    Raises:
        SearchError: a column is missing, no product, an id twice, a missing id or title, or half a character.
    """
    missing = [name for name in ("id", "title") if name not in catalogue]
    if missing:
        raise SearchError(f"a catalogue has columns id and title; {' and '.join(missing)} missing")
    absent = catalogue[["id", "title"]].isna().any(axis=1)
    if absent.any():
        row = int(np.flatnonzero(absent)[0])
        raise SearchError(
            f"row {row} has no id or no title ({int(absent.sum())} in all): use '' for no title"
        )
    table = catalogue[["id", "title"]].astype(str).reset_index(drop=True)
    if table.empty:
        raise SearchError("the catalogue holds no product")
    for name in table:
        if broken := [text for text in table[name] if text != text.encode("utf-8", "replace").decode()]:
            raise SearchError(f"{name} {broken[0]!r:.60} holds half a character, which no file can")
    if table["id"].duplicated().any():
        raise SearchError(
            f"id {table['id'][table['id'].duplicated()].iloc[0]!r} stands twice in the catalogue"
        )
    return table
