"""UCI Online Retail: two years of invoice lines of a British gift shop, with times and product texts.

Source: Chen, D. (2015, 2019), UCI Machine Learning Repository, ids 352 and 502, CC BY 4.0. It has timestamps,
so global-time splits and drift over time can be measured on it.

Either year's columns are taken: Invoice, StockCode, Description, Quantity, InvoiceDate, Price, Customer ID,
Country; or InvoiceNo, UnitPrice, CustomerID; or without invoice and stock code, as in the second year's
published table. Choices where the source leaves one:

- An item is a stock code, in capitals and without blanks around it ("85123a" is "85123A"), because
  descriptions vary in spelling within a code. Without codes it is the description, blanks trimmed.
- Its title is the description of its earliest line among those kept: one chosen over all lines (the most
  frequent, say) would depend on lines of a test period too.
- A return (negative quantity, or an invoice that begins with C) is dropped, but the purchase that it undoes
  stays: at its time it was a purchase, and removing it would leak the future into the past.
- Lines without a customer are dropped: they have no user.
- Of lines equal in every column the first stays. Without invoice numbers, two equal lines of one customer in
  one minute count as duplicates too.
- Lines that sell no product are dropped: postage, carriage, manual corrections, bank charges, fees,
  discounts, samples, gift vouchers, test articles. So are lines whose price is not above zero.
- A quantity is a number of pieces: a file with fractions of one is refused.
- One line is one event, whatever its quantity; `price` is for one piece, in pounds.
- Lines of one invoice share their minute and keep the order of the file.

Other common editions are read too: CSV in UTF-8 or Latin-1, with commas, semicolons or tabs, dates with the
month or the day first (where a file's dates could be either, month first, as published).

`cleaning` counts each reason over all lines read, so a line with two faults is counted twice.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.registry import Source
from recsys.data.tables import Dataset, place_in_history

# Column names of the published versions -> ours.
COLUMNS = {
    "Invoice": "invoice",
    "InvoiceNo": "invoice",
    "StockCode": "code",
    "Description": "description",
    "Quantity": "quantity",
    "InvoiceDate": "time",
    "Price": "price",
    "UnitPrice": "price",
    "Customer ID": "customer",
    "CustomerID": "customer",
    "Country": "country",
}
TEXTS = ("Invoice", "InvoiceNo", "StockCode", "Description")  # digits or not, they are no numbers
REQUIRED = ("description", "quantity", "time", "price", "customer")
# Stock codes that stand for services, corrections and tests; products are five digits and letters, or
# begin with DCGS, SP or PADS.
NO_PRODUCT_CODES = r"POST|DOT|D|M|S|B|C2|C3|CRUK|AMAZONFEE|BANK CHARGES|ADJUST\d*|TEST\d*|GIFT(?:_.*)?"
NO_PRODUCT_TEXTS = (
    r"POSTAGE|DOTCOM POSTAGE|CARRIAGE|NEXT DAY CARRIAGE|MANUAL|DISCOUNT|SAMPLES|AMAZON FEE|BANK CHARGES"
    r"|CRUK COMMISSION|ADJUST(?:MENT)? .*|THIS IS A TEST PRODUCT\.?|DOTCOMGIFTSHOP GIFT VOUCHER.*"
)


def load(source: Source) -> Dataset:
    """The data set of a registry entry of family "online_retail".

    Returns:
        items: source_id (stock code, else description), title. users: source_id (customer number), country
        where the source has it (the most frequent one). events: kind "purchase", time, order, price, quantity
        and, where the source has it, invoice.

    Raises:
        DataUnavailable: the file cannot be had, or is no table of invoice lines.
    """
    file = source.role("invoice_lines")
    lines = read_lines(sources.local_file(source.name, file.name))
    kept, cleaning = clean(lines)
    if kept.empty:
        raise NotData(f"{source.name}: no purchase of a product is left after cleaning {cleaning}")
    key = "code" if "code" in kept else "description"
    item_codes, item_ids = pd.factorize(kept[key], sort=True)
    user_codes, user_ids = pd.factorize(kept["customer"], sort=True)
    events = pd.DataFrame({"user": user_codes, "item": item_codes, "kind": "purchase", "time": kept["time"]})
    optional = [column for column in ("price", "quantity", "invoice") if column in kept]
    events[optional] = kept[optional]
    events = events.sort_values(["user", "time"], kind="stable", ignore_index=True)
    events.insert(3, "order", place_in_history(events["user"]))
    items = pd.DataFrame({"item": np.arange(len(item_ids)), "source_id": item_ids})
    items["title"] = _first_known(item_codes, kept, len(items))
    users = pd.DataFrame({"user": np.arange(len(user_ids)), "source_id": user_ids})
    if "country" in kept:
        users["country"] = _most_frequent(user_codes, kept["country"], len(users))
    return Dataset(source.name, items, users, events, cleaning=cleaning)


def read_lines(path: Path) -> pd.DataFrame:
    """Invoice lines of a Parquet or CSV file, columns renamed and types converted, nothing dropped.

    Columns description (trimmed), quantity (int64), time (datetime64[ns]), price (float64), customer (Int64)
    and, where the file has them, invoice (str), code (str, capitals, trimmed), country.

    Raises:
        NotData: unreadable, a column is missing, or a value is no date or number.
    """
    try:
        raw = _read(path)
    except NotData:
        raise
    except (ValueError, OSError) as error:  # pyarrow's errors are of these two
        raise NotData(f"{path}: no readable table of invoice lines ({error})") from None
    lines = raw.rename(columns=COLUMNS)
    twice = [ours for ours in dict.fromkeys(COLUMNS.values()) if list(lines.columns).count(ours) > 1]
    if twice:
        raise NotData(f"{path}: more than one column for {_names(twice[0])}: keep one of them")
    missing = [column for column in REQUIRED if column not in lines]
    if missing:
        names = ", ".join(f"{ours} ({_names(ours)})" for ours in missing)
        raise NotData(f"{path}: column missing: {names}; it has {', '.join(map(str, raw.columns))}")
    lines = lines[[column for column in dict.fromkeys(COLUMNS.values()) if column in lines]].copy()
    try:
        lines["quantity"] = _whole(lines["quantity"])
        lines["price"] = lines["price"].astype("float64")
        lines["customer"] = pd.to_numeric(lines["customer"]).astype("Int64")
        lines["time"] = _times(lines["time"])
    except (ValueError, TypeError) as error:
        raise NotData(f"{path}: a quantity, price, customer or date cannot be read ({error})") from None
    return lines


def clean(lines: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The lines that are purchases of a product by a known customer, and what was dropped for which reason.

    Args:
        lines: as `read_lines` gives them.

    Returns:
        the lines kept, with trimmed texts, and counts: one for each reason, over all lines, overlapping;
        "rows read" - "rows dropped" = "rows kept".
    """
    faults = {
        "returns": lines["quantity"] < 0,
        "missing customer": lines["customer"].isna(),
        "duplicates": lines.duplicated(),
        "price not above zero": ~lines["price"].between(0, np.inf, inclusive="neither"),  # a missing one too
        "quantity zero": lines["quantity"] == 0,
    }
    if "invoice" in lines:
        faults["cancelled invoices"] = _matches(lines["invoice"], r"C.*")
    tidy = lines.assign(description=_each_distinct(lines["description"], lambda text: str(text).strip()))
    no_product = _matches(tidy["description"], NO_PRODUCT_TEXTS)
    if "code" in lines:
        tidy["code"] = _each_distinct(lines["code"], lambda code: str(code).strip().upper())
        no_product |= _matches(tidy["code"], NO_PRODUCT_CODES)
    else:
        faults["missing description"] = tidy["description"].isna() | (tidy["description"] == "")
    faults["no product"] = no_product
    dropped = np.logical_or.reduce([fault.to_numpy(bool) for fault in faults.values()])
    counts = {reason: int(fault.sum()) for reason, fault in faults.items()}
    total = {"rows read": len(lines), "rows dropped": int(dropped.sum()), "rows kept": int((~dropped).sum())}
    kept = tidy[~dropped].reset_index(drop=True)
    kept["customer"] = kept["customer"].astype("int64")
    if "invoice" in kept:
        kept["invoice"] = _each_distinct(kept["invoice"], str)
    return kept, counts | total


def _read(path: Path) -> pd.DataFrame:
    with path.open("rb") as file:
        start = file.read(65_536)
    if start.startswith(b"PAR1"):
        return pd.read_parquet(path)
    if start.startswith(b"PK"):
        raise NotData(f"{path}: an Excel workbook or a zip; save its sheet as CSV, or unpack it")
    header = start.partition(b"\n")[0]
    separator = max(",;\t", key=lambda sign: header.count(sign.encode()))
    form = {"sep": separator, "decimal": "," if separator == ";" else ".", "low_memory": False}
    form["dtype"] = dict.fromkeys(TEXTS, object)
    try:
        return pd.read_csv(path, encoding="utf-8-sig", **form)
    except UnicodeDecodeError:  # as spreadsheets of western Europe save: every byte is a letter of Latin-1
        return pd.read_csv(path, encoding="latin-1", **form)


def _whole(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column)
    broken = numbers[numbers % 1 != 0]
    if len(broken):
        raise ValueError(
            f"the quantity {broken.iloc[0]} in line {broken.index[0] + 1} is no number of pieces"
        )
    return numbers.astype("int64")


def _names(ours: str) -> str:
    return " or ".join(theirs for theirs, name in COLUMNS.items() if name == ours)


def _times(column: pd.Series) -> pd.Series:
    """Dates as editions write them: 2009-12-01 07:45:00, 12/1/2010 8:26 (month first), 13-12-2010 08:26."""
    if not pd.api.types.is_datetime64_any_dtype(column):
        codes, distinct = pd.factorize(column)
        if (codes < 0).any():
            raise ValueError("an invoice has no date")
        column = pd.Series(_dates([str(date) for date in distinct]).to_numpy()[codes], column.index)
    if column.isna().any():
        raise ValueError("an invoice has no date")
    return column.astype("datetime64[ns]")


def _dates(texts: list[str]) -> pd.Series:
    if not (texts and re.match(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}", texts[0])):
        return pd.Series(pd.to_datetime(pd.Series(texts), format="ISO8601"))
    plain = pd.Series([re.sub(r"^(\d+)[.-](\d+)[.-]", r"\1/\2/", text) for text in texts])
    clock = "%H:%M:%S" if texts[0].count(":") == 2 else "%H:%M"
    try:
        return pd.to_datetime(plain, format=f"%m/%d/%Y {clock}")
    except ValueError:
        return pd.to_datetime(plain, format=f"%d/%m/%Y {clock}")


def _each_distinct(column: pd.Series, change: Callable[[Any], Any]) -> pd.Series:
    """`change` applied to every value that is there; each distinct one is worked on once."""
    codes, distinct = pd.factorize(column)
    changed = np.empty(len(distinct) + 1, dtype=object)  # code -1, a missing value, is the last one
    changed[:-1] = [change(value) for value in distinct]
    return pd.Series(changed[codes], column.index)


def _matches(texts: pd.Series, pattern: str) -> pd.Series:
    """Whether a whole text fits the pattern, in whatever case; a missing one does not."""
    fits = re.compile(pattern, re.IGNORECASE).fullmatch
    return _each_distinct(texts, lambda text: fits(str(text)) is not None).eq(True)


def _first_known(item_codes: np.ndarray, kept: pd.DataFrame, n_items: int) -> np.ndarray:
    """[n_items], the description of each product's earliest line: what a later line says is not known yet."""
    in_time = kept.assign(item=item_codes).sort_values("time", kind="stable").drop_duplicates("item")
    return in_time.set_index("item")["description"].reindex(range(n_items)).to_numpy(object)


def _most_frequent(groups: np.ndarray, values: pd.Series, n_groups: int) -> np.ndarray:
    """[n_groups], each group's most frequent value, None where all are missing; ties by the alphabet."""
    counts = pd.DataFrame({"group": groups, "value": values}).value_counts(sort=False).reset_index()
    best = counts.sort_values(["group", "count", "value"], ascending=[True, False, True])
    best = best.drop_duplicates("group").set_index("group")["value"].reindex(range(n_groups))
    return best.where(best.notna(), None).to_numpy(object)


FAMILY = Family(load, ("invoice_lines",))
