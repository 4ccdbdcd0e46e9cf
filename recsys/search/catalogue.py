"""Products of a shop: read from any CSV with titles, checked, and kept as rows that come and go.

r: rows, those of products that are gone among them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.search.errors import SearchError

SPARE_FIELDS = 8  # that a row may have beyond the header, if they are empty


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


def read_catalogue(path: str | Path, tell: Callable[[str], object] = warnings.warn) -> pd.DataFrame:
    """Any CSV with titles as a catalogue: the column "title" (or "name", "product_title"), and "id" (or
    "sku", "product_id") if there is one; else a product's id is the number of its row, from 0.

    Args:
        path: UTF-8 with commas; as .gz, .bz2, .xz or .zip too.
        tell: is called with a sentence for each kind of rows that are left out: those without a title, and
            those whose id an earlier one has; and for titles of several lines. A row without an id keeps its
            product, as "row 7".

    Returns:
        Columns id and title, no id twice. A NUL in a text is a blank.

    Raises:
        SearchError: no such file, no readable CSV, no such column, or a row with more fields than the header:
            a title that was torn at its comma.
    """
    path = Path(path)
    if not path.is_file():
        raise SearchError(f"no catalogue at {path}")
    try:
        header, raw = _rows(path)
    except SearchError:
        raise
    except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        if torn := re.search(r"Expected \d+ fields in line (\d+)", str(error)):
            raise _torn(path, torn[1]) from None
        reason = " ".join(str(error).split())
        raise SearchError(f"{path}: no readable CSV ({reason}): save it as UTF-8 with commas") from None
    named = {name.strip().casefold(): place for place, name in reversed([*enumerate(header)])}
    title = next((named[name] for name in ("title", "product_title", "name") if name in named), None)
    if title is None:
        there = printable(", ".join(header))
        mend = ": save it with commas, not semicolons" if ";" in there else ""
        raise SearchError(f"{path} has no column title, product_title or name; it has {there}{mend}")
    own = next((named[name] for name in ("id", "sku", "product_id") if name in named), None)
    numbers = pd.Series(np.arange(len(raw)).astype(str), dtype=object)
    ids = numbers if own is None else raw[own]
    nameless = ids.str.strip() == ""
    table = pd.DataFrame({"id": ids.mask(nameless, "row " + numbers), "title": raw[title].str.strip()})
    titled = table[table["title"] != ""]
    kept = titled.drop_duplicates("id", ignore_index=True)
    for count, one, more in (
        (int(nameless[titled.index].sum()), "product has no id", "products have no id"),
        (len(table) - len(titled), "row without a title is", "rows without a title are"),
        (
            len(titled) - len(kept),
            "row with the id of an earlier one is",
            "rows with ids of earlier ones are",
        ),
    ):
        if count:
            done = ": row numbers are taken" if "no id" in one else " left out"
            tell(f"{path}: {count} {one if count == 1 else more}{done}")
    if long := int(kept["title"].str.contains("\n").sum()):
        titles = "title holds ends of lines" if long == 1 else "titles hold ends of lines"
        tell(f"{path}: {long} {titles}: a quotation mark that is not closed takes in the rows below it")
    return kept


def printable(text: str) -> str:
    """A text for a terminal: what would steer it (escape sequences, marks that turn the direction of writing,
    ends of lines) becomes U+FFFD. Unicode's categories C, and the separators Zl and Zp."""
    steers = (unicodedata.category(letter) for letter in text)
    return "".join(
        "\ufffd" if kind[0] == "C" or kind in ("Zl", "Zp") else letter
        for letter, kind in zip(text, steers, strict=True)
    )


def _rows(path: Path) -> tuple[list[str], pd.DataFrame]:
    """Names of the columns, and the rows below them as texts under the columns' places.

    The header is read as a row: pandas would take the first column of longer rows for an index, and leave out
    what stands beyond the header without a word.
    """
    options = {"dtype": str, "keep_default_na": False, "index_col": False, "header": None}
    width = pd.read_csv(_file(path), nrows=1, **options).shape[1]
    raw = pd.read_csv(_file(path), names=range(width + SPARE_FIELDS), skip_blank_lines=False, **options)
    # a field may hold ends of lines, so the line in which a row begins is counted
    inside = sum(raw[place].str.count("\n") for place in raw)
    line = inside.cumsum() - inside + np.arange(1, len(raw) + 1)
    raw, line = (own[(raw != "").any(axis=1)].reset_index(drop=True) for own in (raw, line))
    if raw.empty:
        raise ValueError("no text in it")
    header = raw.iloc[0].tolist()
    while header and not header[-1].strip():
        header.pop()
    beyond = (raw.iloc[1:, len(header) :].map(str.strip) != "").any(axis=1)
    if beyond.any():
        raise _torn(path, line[beyond.idxmax()])
    return header, raw.iloc[1:].reset_index(drop=True)


def _torn(path: Path, line: int | str) -> SearchError:
    return SearchError(
        f"{path}: line {line} has more fields than the header: put titles with commas between quotes"
    )


def _file(path: Path) -> io.BytesIO:
    """The file's bytes, decompressed, without NUL: pandas would end a text there."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise ValueError(f"{len(names)} files in the archive: one is read")
            content = archive.read(names[0])
    else:
        with {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix, open)(
            path, "rb"
        ) as file:
            content = file.read()
    return io.BytesIO(content.replace(b"\0", b" "))


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
