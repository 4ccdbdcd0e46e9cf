"""Your own log of events, in a CSV or Parquet file, with an optional second file of items.

A YAML file named by RECSYS_SOURCES says what the columns are::

    my_shop:
      family: table
      title: Orders of my shop
      files:
        - {name: orders.csv, role: events, path: /data/orders.csv}
        - {name: products.csv, role: items, path: /data/products.csv}      # may be left out
      options:
        events:
          columns: {user: customer, item: sku, time: ordered_at, kind: action, price: price}
          kinds: {bought: purchase, seen: click, liked: null}              # null: left out and counted
          time: {format: "%d/%m/%Y %H:%M", zone: Europe/Berlin}
          separator: ";"
          encoding: latin-1
          decimal: ","
        items:
          columns: {item: sku, title: name, category: department}

Then `recsys data show my_shop` prints the tables, and every notebook takes `dataset="my_shop"`. All options
are explained in `recsys.data.logs.table_options`. Nothing is guessed: neither the order of day and month, nor
the time zone, nor what a row without a user means.

Ids are texts (so that "007" keeps its zeros) unless a column holds plain whole numbers only. Where the events
file has columns title, description or category, an item takes those of its earliest event, because later ones
would leak from a test period. The catalogue is every item of either file.
"""

import io
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.files.archives import read_bytes
from recsys.data.logs.table_options import NUMBERS, OF_ITEMS, TEXTS, FileOptions, TableOptions, Times, fault
from recsys.data.registry import Source
from recsys.data.tables import Dataset, place_in_history

UNITS = {"seconds": "s", "milliseconds": "ms", "microseconds": "us"}
OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")
PLAIN = re.compile(r"0|-?[1-9]\d{0,17}")
LEVELS = " > "  # between the levels of a category path


def load(source: Source) -> Dataset:
    """The data set of a registry entry of family "table".

    Returns:
        items: source_id and what the columns give of title, description, category, price. users: source_id.
        events: kind, order, and what the columns give of time, price, quantity, rating, position, propensity,
        query, review. `cleaning` counts what was dropped, by reason.

    Raises:
        DataUnavailable: a file cannot be obtained, or (NotData) holds a value that its options do not
            explain; the message names file, column and row.
    """
    options = TableOptions.model_validate(source.options)
    sources.note_options(source)
    path = sources.local_file(source.name, source.role("events").name)
    rows, cut = _read(path, options.events)
    events, cleaning = _cleaned(path, rows, options)
    if events.empty:
        raise NotData(f"{path}: no event is left of {len(rows)} rows; dropped: {cleaning}")
    catalogue = None
    if options.items is not None:
        place = sources.local_file(source.name, source.role("items").name)
        catalogue = _catalogue(place, options)
    total = len(rows) + cut
    cleaning |= {"cut last line": cut} if cut else {}
    cleaning |= {"rows read": total, "rows dropped": total - len(events), "rows kept": len(events)}
    return _dataset(source.name, events, catalogue, cleaning)


def _dataset(
    name: str, events: pd.DataFrame, catalogue: pd.DataFrame | None, cleaning: dict[str, int]
) -> Dataset:
    user_codes, user_ids = pd.factorize(_ids(events["user"]), sort=True)
    known = events["item"] if catalogue is None else pd.concat([events["item"], catalogue["item"]])
    item_codes, item_ids = pd.factorize(_ids(known), sort=True)
    log = events.drop(columns=[column for column in OF_ITEMS if column in events])
    log = log.assign(user=user_codes, item=item_codes[: len(events)])
    by = [column for column in ("user", "time") if column in log]
    log = log.sort_values(by, kind="stable", ignore_index=True)
    log.insert(3, "order", place_in_history(log["user"]))
    items = pd.DataFrame({"item": np.arange(len(item_ids)), "source_id": item_ids})
    if catalogue is not None:
        told = catalogue.drop(columns="item").set_index(item_codes[len(events) :])
        items = items.join(told)
        cleaning["items not in the catalogue"] = int((~items["item"].isin(told.index)).sum())
    in_time = events.assign(item=item_codes[: len(events)])
    in_time = in_time.sort_values("time", kind="stable") if "time" in in_time else in_time
    for column in (column for column in OF_ITEMS if column in events and column not in items):
        first = in_time.dropna(subset=column).drop_duplicates("item").set_index("item")[column]
        items[column] = first.reindex(items["item"]).to_numpy(object)
    for column in (column for column in OF_ITEMS if column in items):
        items[column] = items[column].astype(object).where(items[column].notna(), None)
    users = pd.DataFrame({"user": np.arange(len(user_ids)), "source_id": user_ids})
    return Dataset(name, items, users, log, cleaning=cleaning)


def _cleaned(path: Path, rows: pd.DataFrame, options: TableOptions) -> tuple[pd.DataFrame, dict[str, int]]:
    """Events under our names and types, and the number of rows dropped by reason."""
    told = options.events
    dropped: dict[str, np.ndarray] = {}
    needed = [column for column in ("user", "item", "time", "kind") if column in rows]
    missing = rows[needed].isna()
    if told.missing == "refuse" and missing.to_numpy().any():
        column = missing.columns[missing.any()][0]
        row = int(np.flatnonzero(missing[column])[0])
        raise NotData(
            f"{path}: row {row + 1} has no {column} ({int(missing[column].sum())} in all); if the file was "
            "cut say last_line: drop, if such rows are to be left out missing: drop"
        )
    for column in needed:
        if missing[column].any():
            dropped[f"missing {column}"] = missing[column].to_numpy()
    events = rows.copy()
    if told.kind is not None:
        events.insert(2, "kind", told.kind)
    else:
        left_out = _kinds(path, events, told.kinds)
        dropped |= {f"kind {kind}": found for kind, found in left_out.items()}
    whole = ~np.logical_or.reduce([np.zeros(len(rows), bool), *dropped.values()])
    events = events[whole]
    if "time" in events:
        events = events.assign(time=_times(path, events["time"], told.time))
        outside = _outside(events["time"], told.time)
        dropped["outside first to last"] = np.zeros(len(rows), bool)
        dropped["outside first to last"][np.flatnonzero(whole)[outside]] = True
        events = events[~outside]
    for column in (column for column in NUMBERS if column in events):
        events = events.assign(**{column: _numbers(path, events[column], told.decimal)})
    counts = {reason: int(found.sum()) for reason, found in dropped.items() if found.any()}
    front = [column for column in ("user", "item", "kind", "time") if column in events]
    return events[[*front, *(c for c in events if c not in front)]].reset_index(drop=True), counts


def _kinds(path: Path, events: pd.DataFrame, kinds: dict[str, str | None]) -> dict[str, np.ndarray]:
    """Translates the column `kind` in place; value -> rows that are left out."""
    written = events["kind"].astype("string")
    unknown = sorted(set(written.dropna()) - set(kinds))
    if unknown:
        raise NotData(f"{path}: kind {unknown[0]!r} is not in the map `kinds` (it has {', '.join(kinds)})")
    events["kind"] = written.map(kinds).astype(object)
    left_out = [value for value, kind in kinds.items() if kind is None]
    return {value: (written == value).fillna(False).to_numpy(bool) for value in left_out}


def _times(path: Path, column: pd.Series, told: Times) -> pd.Series:
    """datetime64[ns], the shop's local time."""
    try:
        times = _parsed(column, told, "raise").dt.as_unit("ns")
    except (ValueError, TypeError, OverflowError, AttributeError):
        wrong = column[_unreadable(column, told)]
        what = f"{path}: time is not of the format {told.format!r}"
        if len(wrong):
            what += f": row {wrong.index[0] + 1} has {wrong.iloc[0]!r} ({len(wrong)} in all)"
        raise NotData(what) from None
    if times.dt.tz is not None:
        times = times.dt.tz_convert(told.zone).dt.tz_localize(None)
    return times.astype("datetime64[ns]")


def _unreadable(column: pd.Series, told: Times) -> np.ndarray:
    """Rows whose time is not of the format, or outside the years 1678 to 2262 that nanoseconds hold."""
    try:
        times = pd.to_datetime(_parsed(column, told, "coerce"), errors="coerce", utc=True)
    except (ValueError, TypeError, OverflowError):
        return np.ones(len(column), bool)
    bounds = (pd.Timestamp(end).tz_localize("UTC") for end in (pd.Timestamp.min, pd.Timestamp.max))
    return ~times.between(*bounds).to_numpy(bool)


def _parsed(column: pd.Series, told: Times, errors: Literal["raise", "coerce"]) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    if told.format in UNITS:
        return pd.to_datetime(
            pd.to_numeric(column, errors=errors), unit=UNITS[told.format], utc=True, errors=errors
        )
    form = "ISO8601" if told.format == "iso" else told.format
    offset = "%z" in form or (form == "ISO8601" and column.astype(str).str.contains(OFFSET).any())
    return pd.to_datetime(column, format=form, utc=bool(offset), errors=errors)


def _outside(times: pd.Series, told: Times) -> np.ndarray:
    early = times < pd.Timestamp(told.first) if told.first else np.zeros(len(times), bool)
    late = times > pd.Timestamp(told.last) if told.last else np.zeros(len(times), bool)
    return np.asarray(early | late, dtype=bool)


def _numbers(path: Path, column: pd.Series, decimal: str) -> pd.Series:
    told = f"decimal is {decimal!r}"
    try:
        if decimal != "." and not pd.api.types.is_numeric_dtype(column):
            texts = column.astype("string")
            # "1.234" would be read as 1.234, and may well be a thousand times as much
            if (points := texts.str.contains(".", regex=False).fillna(False).to_numpy(bool)).any():
                raise ValueError(f"{column[points].iloc[0]!r} has a point")
            column = texts.str.replace(decimal, ".", regex=False).astype(object).where(texts.notna(), None)
        numbers = pd.to_numeric(column).astype("float64")
    except (ValueError, TypeError, AttributeError) as error:
        raise NotData(f"{path}: {column.name} is no number ({error}); {told}") from None
    if (endless := np.isinf(numbers.to_numpy())).any():
        raise NotData(f"{path}: {column.name} is infinite in {int(endless.sum())} rows; {told}")
    return numbers


def _ids(column: pd.Series) -> pd.Series:
    """Whole numbers where all ids are such, else texts."""
    if pd.api.types.is_integer_dtype(column):
        return column.astype("int64")
    texts = column.astype(str).str.strip()
    plain = all(PLAIN.fullmatch(text) for text in pd.unique(texts))
    return texts.astype("int64") if plain else texts


def _catalogue(path: Path, options: TableOptions) -> pd.DataFrame:
    """One row an item under our column names; of several rows of one item the first stays."""
    told = options.items
    rows, _ = _read(path, told)
    if rows["item"].isna().any():
        raise NotData(f"{path}: row {int(np.flatnonzero(rows['item'].isna())[0]) + 1} has no item")
    rows = rows.drop_duplicates("item").reset_index(drop=True)
    if "price" in rows:
        rows["price"] = _numbers(path, rows["price"], told.decimal)
    if told.category_separator and "category" in rows:
        texts = rows["category"].astype("string")
        texts = texts.str.replace(told.category_separator, LEVELS, regex=False).astype(object)
        rows["category"] = texts.where(texts.notna(), None)
    return rows


def _read(path: Path, told: FileOptions) -> tuple[pd.DataFrame, int]:
    """Columns under our names, texts trimmed, empty ones missing; and whether a line was cut."""
    content = read_bytes(path)
    try:
        if content[:4] == b"PAR1":
            found = pd.read_parquet(io.BytesIO(content))
            cut = 0
        else:
            found, cut = _read_csv(content, told)
    except UnicodeDecodeError as error:
        raise NotData(f"{path}: not {told.encoding} text (byte {error.start}); say the encoding") from None
    except (ValueError, LookupError, OSError) as error:  # of pandas, pyarrow and of unknown encodings
        raise NotData(f"{path}: no readable table ({' '.join(str(error).split())[:200]})") from None
    absent = [str(theirs) for theirs in told.columns.values() if theirs not in found]
    if absent:
        names = [str(name) if str(name).isprintable() else repr(name) for name in found.columns]
        raise NotData(f"{path}: no column {absent[0]}; it has {', '.join(names)}")
    rows = pd.DataFrame({ours: found[theirs] for ours, theirs in told.columns.items()})
    for column in (c for c in rows if c in (*TEXTS, *OF_ITEMS) or rows[c].dtype == object):
        texts = rows[column].astype(object).map(_trimmed)
        rows[column] = texts.where(texts.notna() & (texts != ""), None)
    return rows, cut


def _trimmed(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _read_csv(content: bytes, told: FileOptions) -> tuple[pd.DataFrame, int]:
    encoding = "utf-8-sig" if told.encoding == "utf-8" else told.encoding
    cut = 0
    if told.last_line == "drop":
        content, _, _ = content.rstrip(b"\r\n").rpartition(b"\n")
        cut = 1
    form = {"sep": told.separator, "encoding": encoding, "dtype": str, "keep_default_na": False}
    form |= {"na_values": [""]}
    if told.header:
        # pandas would call the second of two equal columns "name.1", and the first would be taken in silence
        names = pd.read_csv(io.BytesIO(content), header=None, nrows=1, **form).iloc[0].tolist()
        if twice := [name for name in told.columns.values() if names.count(name) > 1]:
            raise ValueError(f"column {twice[0]} stands {names.count(twice[0])} times")
    return pd.read_csv(io.BytesIO(content), header=0 if told.header else None, **form), cut


FAMILY = Family(load, ("events", "items"), fault)
