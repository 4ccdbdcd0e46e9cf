"""Online Retail: both years' columns, and everything that is dropped is counted."""

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.load import load_dataset
from recsys.data.logs import online_retail

REAL = "online_retail/online_retail_2009_2010.parquet"
FIRST_YEAR = [
    "Invoice",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "Price",
    "Customer ID",
    "Country",
]
ROWS = [
    ("1", "85123a ", " WHITE HOLDER", 6, "2009-12-01 08:26:00", 2.55, 17.0, "France"),
    ("1", "71053", "LANTERN", 2, "2009-12-01 08:26:00", 3.39, 17.0, "France"),
    ("1", "71053", "LANTERN", 2, "2009-12-01 08:26:00", 3.39, 17.0, "France"),  # duplicate
    ("2", "85123A", "WHITE HOLDER", 1, "2009-12-01 09:00:00", 2.55, 9.0, "Norway"),
    ("3", "71053", "LANTERN old", 1, "2009-12-02 09:00:00", 3.39, 9.0, "Norway"),
    ("4", "71053", "LANTERN", 1, "2009-12-03 09:00:00", 3.39, 9.0, "Norway"),
    ("C5", "71053", "LANTERN", -1, "2009-12-04 09:00:00", 3.39, 9.0, "Norway"),  # return
    ("C6", "71053", "LANTERN", 1, "2009-12-05 09:00:00", 3.39, 9.0, "Norway"),  # cancelled, yet positive
    ("7", "71053", "LANTERN", 1, "2009-12-06 09:00:00", 3.39, np.nan, "Norway"),  # nobody
    ("8", "POST", "POSTAGE", 1, "2009-12-07 09:00:00", 18.0, 9.0, "Norway"),  # no product
    ("9", "85123A", "WHITE HOLDER", 1, "2009-12-08 09:00:00", 0.0, 9.0, "Norway"),  # a present
    ("C10", "M", "Manual", -1, "2009-12-09 09:00:00", 5.0, np.nan, "Norway"),  # three faults at once
]
COUNTS = {
    "returns": 2,
    "missing customer": 2,
    "duplicates": 1,
    "price not above zero": 1,
    "quantity zero": 0,
    "cancelled invoices": 3,
    "no product": 2,
    "rows read": 12,
    "rows dropped": 7,
    "rows kept": 5,
}


def first_year() -> pd.DataFrame:
    return pd.DataFrame(ROWS, columns=FIRST_YEAR)


def second_year(lines: pd.DataFrame) -> pd.DataFrame:
    """The same lines as the second year's published table has them."""
    lines = lines.drop(columns=["Invoice", "StockCode"])
    lines = lines.rename(columns={"Price": "UnitPrice", "Customer ID": "CustomerID"})
    times = pd.to_datetime(lines["InvoiceDate"])
    written = [f"{time.month}/{time.day}/{time.year} {time.hour}:{time.minute:02d}" for time in times]
    return lines.assign(InvoiceDate=written)


@pytest.fixture
def retail(tmp_path, monkeypatch):
    """Function: load a table of invoice lines through a registry entry, written in the given format."""

    def load(lines: pd.DataFrame, name: str = "lines.parquet"):
        (tmp_path / "online_retail").mkdir(exist_ok=True)
        path = tmp_path / "online_retail" / name
        lines.to_parquet(path) if name.endswith("parquet") else lines.to_csv(path, index=False)
        registry = {"mine": {"family": "online_retail", "files": [{"name": name}]}}
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump(registry))
        monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "sources.yaml"))
        monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
        return load_dataset("mine")

    return load


def test_first_year_is_cleaned_and_counted(retail):
    shop = retail(first_year())
    assert shop.cleaning == COUNTS
    assert shop.items["source_id"].tolist() == ["71053", "85123A"]
    assert shop.items["title"].tolist() == ["LANTERN", "WHITE HOLDER"]
    assert shop.users["source_id"].tolist() == [9, 17]
    assert shop.users["country"].tolist() == ["Norway", "France"]
    assert shop.events[["user", "item", "order", "quantity"]].to_numpy().tolist() == [
        [0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 2, 1], [1, 1, 0, 6], [1, 0, 1, 2],
    ]  # fmt: skip
    assert shop.events["time"].dtype == "datetime64[ns]"
    assert shop.events["time"][0] == pd.Timestamp("2009-12-01 09:00")
    assert shop.events["invoice"].tolist() == ["2", "3", "4", "1", "1"]


def test_a_title_does_not_change_with_later_lines(retail):
    lines = first_year()
    later = (
        lines[lines["StockCode"] == "71053"].tail(1).assign(Description="RENAMED", InvoiceDate="2009-12-09")
    )
    renamed = pd.concat([lines, *(later.assign(Invoice=str(number)) for number in range(50, 60))])
    renamed["Customer ID"] = renamed["Customer ID"].fillna(17.0)
    assert retail(renamed).items["title"].tolist() == ["LANTERN", "WHITE HOLDER"]


def test_second_year_has_descriptions_only(retail):
    shop = retail(second_year(first_year()))
    assert shop.items["source_id"].tolist() == ["LANTERN", "LANTERN old", "WHITE HOLDER"]
    assert shop.items["title"].tolist() == shop.items["source_id"].tolist()
    assert "invoice" not in shop.events
    assert shop.events["time"][0] == pd.Timestamp("2009-12-01 09:00")
    # Without invoices the cancelled yet positive line cannot be told from a purchase.
    assert shop.cleaning["rows kept"] == COUNTS["rows kept"] + 1
    assert shop.cleaning["no product"] == 2


def test_months_come_first_in_the_second_year(retail):
    lines = second_year(first_year()).assign(InvoiceDate="12/1/2010 8:26")
    assert set(retail(lines).events["time"]) == {pd.Timestamp("2010-12-01 08:26")}


def test_dates_may_have_been_parsed_already_and_the_file_may_be_csv(retail):
    expected = retail(first_year())
    parsed = first_year().assign(
        InvoiceDate=lambda lines: pd.to_datetime(lines["InvoiceDate"]).astype("datetime64[us]")
    )
    for shop in (retail(parsed), retail(first_year(), "lines.csv")):
        pd.testing.assert_frame_equal(shop.events, expected.events)
        pd.testing.assert_frame_equal(shop.items, expected.items)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (first_year().drop(columns="Quantity"), "column missing: quantity (Quantity)"),
        (first_year().drop(columns="Customer ID"), "column missing: customer (Customer ID or CustomerID)"),
        (first_year().assign(InvoiceDate="yesterday"), "cannot be read"),
        (first_year().assign(Quantity="many"), "cannot be read"),
        (first_year().assign(Quantity=-1), "no purchase of a product is left"),
    ],
    ids=["quantity", "customer", "date", "number", "all returns"],
)
def test_tables_of_other_shape_are_refused(retail, lines, message):
    with pytest.raises(NotData) as caught:
        retail(lines)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.sampled_from(range(len(ROWS))), min_size=1, max_size=40))
def test_counts_add_up_for_any_lines(rows):
    lines = first_year().iloc[rows].rename(columns=online_retail.COLUMNS).reset_index(drop=True)
    kept, counts = online_retail.clean(lines)
    assert counts["rows read"] - counts["rows dropped"] == counts["rows kept"] == len(kept)
    assert counts["duplicates"] == len(rows) - len({ROWS[row] for row in rows})
    assert set(kept["code"]) <= {"85123A", "71053"}
    assert (kept["quantity"] > 0).all()


def test_real_first_year(real_data):
    real_data(REAL)
    shop = load_dataset("online_retail")
    known = {"rows read": 525_461, "returns": 12_326, "missing customer": 107_927, "duplicates": 6_865}
    assert {reason: shop.cleaning[reason] for reason in known} == known
    assert len(shop.events) == shop.cleaning["rows kept"] == 399_568
    assert (shop.n_users, shop.n_items) == (4_285, 4_008)
    assert shop.events["time"].min() == pd.Timestamp("2009-12-01 07:45")
    assert not shop.items["title"].isna().any()
    assert not shop.items["source_id"].isin(["POST", "M", "D", "BANK CHARGES", "ADJUST", "TEST001"]).any()


def test_real_lines_in_the_second_years_columns(real_data, retail):
    folder = real_data(REAL)
    lines = pd.read_parquet(folder / REAL).sample(50_000, random_state=0)
    shop = retail(second_year(lines))
    assert shop.cleaning["returns"] == int((lines["Quantity"] < 0).sum())
    assert shop.cleaning["missing customer"] == int(lines["Customer ID"].isna().sum())
    assert not shop.items["source_id"].str.fullmatch("POSTAGE|Manual|CARRIAGE|Discount").any()
    assert sources.files_read.keys() == {"mine/lines.parquet"}
