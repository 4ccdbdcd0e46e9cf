"""Editions of Online Retail that go round: read as what they are, or refused in one line."""

import numpy as np
import pandas as pd
import pytest

from recsys.data.errors import NotData
from recsys.data.logs.online_retail import clean, read_lines

LINES = pd.DataFrame(
    [
        ("1", "71053", "LAMP £5 OFF", 6, "12/1/2010 8:26", 2.5, 17, "UK"),
        ("2", "84406B", "BOX", 2, "12/14/2010 9:00", 3.4, 18, "UK"),
    ],
    columns=[
        "InvoiceNo",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "UnitPrice",
        "CustomerID",
        "Country",
    ],
)


@pytest.fixture
def kept(tmp_path):
    """Function: what is kept of a table that was saved in some way."""

    def read(table, **how):
        table.to_csv(tmp_path / "lines.csv", index=False, **how)
        return clean(read_lines(tmp_path / "lines.csv"))[0]

    return read


@pytest.mark.parametrize(
    "how",
    [
        {"encoding": "latin-1"},
        {"encoding": "utf-8-sig"},
        {"sep": ";", "decimal": ",", "encoding": "cp1252"},
        {"sep": ";"},
        {"sep": "\t"},
    ],
)
def test_encodings_and_separators(kept, how):
    plain, other = kept(LINES), kept(LINES, **how)
    pd.testing.assert_frame_equal(other, plain)
    assert other["description"].tolist() == ["LAMP £5 OFF", "BOX"]
    assert other["price"].tolist() == [2.5, 3.4]


@pytest.mark.parametrize(
    "dates",
    [
        ["1/12/2010 8:26", "14/12/2010 9:00"],
        ["01/12/2010 08:26:00", "14/12/2010 09:00:00"],
        ["01-12-2010 08:26", "14-12-2010 09:00"],
        ["1.12.2010 8:26", "14.12.2010 9:00"],
        ["12/1/2010 8:26", "12/14/2010 9:00"],
        ["2010-12-01 08:26:00", "2010-12-14 09:00:00"],
    ],
)
def test_the_month_or_the_day_first(kept, dates):
    times = kept(LINES.assign(InvoiceDate=dates))["time"]
    assert times.tolist() == [pd.Timestamp("2010-12-01 08:26"), pd.Timestamp("2010-12-14 09:00")]


def test_dates_of_both_kinds_in_one_file_are_refused(kept):
    with pytest.raises(NotData, match="date cannot be read"):
        kept(LINES.assign(InvoiceDate=["14/12/2010 8:26", "12/14/2010 9:00"]))


@pytest.mark.parametrize("price", [None, np.inf, 0.0, -1.0])
def test_a_price_that_is_none_is_dropped(tmp_path, price):
    path = tmp_path / "lines.csv"
    LINES.assign(UnitPrice=[price, 3.4]).to_csv(path, index=False)
    lines, counts = clean(read_lines(path))
    assert lines["description"].tolist() == ["BOX"]
    assert counts["price not above zero"] == 1


def test_digits_are_texts_too(kept):
    lines = kept(LINES.assign(Description=[20713, 23343], StockCode=[71053, 84406]))
    assert lines["description"].tolist() == ["20713", "23343"]
    assert lines["code"].tolist() == ["71053", "84406"]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (LINES.assign(Quantity=[0.4, 2]), "quantity 0.4 in line 1 is no number of pieces"),
        (LINES.assign(Quantity=[6, None]), "in line 2 is no number of pieces"),
        (LINES.assign(Invoice="1"), "more than one column for Invoice or InvoiceNo: keep one"),
        (LINES.assign(InvoiceDate=["12/1/2010 8:26", None]), "an invoice has no date"),
        (LINES.assign(CustomerID=["17", "eighteen"]), "customer or date cannot be read"),
    ],
)
def test_what_is_no_line_of_an_invoice_is_refused_in_one_line(kept, table, told):
    with pytest.raises(NotData, match=told):
        kept(table)


def test_a_workbook_is_named(tmp_path):
    (tmp_path / "Online Retail.xlsx").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(NotData, match=r"Excel workbook .* save its sheet as CSV"):
        read_lines(tmp_path / "Online Retail.xlsx")


def test_a_parquet_file_without_a_date_is_refused(tmp_path):
    table = LINES.assign(InvoiceDate=[pd.NaT, pd.Timestamp("2010-12-14")])
    table.to_parquet(tmp_path / "lines.parquet")
    with pytest.raises(NotData, match="no date"):
        read_lines(tmp_path / "lines.parquet")
