"""Anybody's CSV or Parquet of events: every option in a small made file, and two real ones."""

import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.data import sources
from recsys.data.errors import NotData, RegistryError
from recsys.data.load import load_dataset
from recsys.data.splits import split
from tests.data.test_sources import refused

ORDERS = """customer;sku;ordered_at;action;price;name
7;007;01/02/2024 09:30;bought;1,50;Müsli
7;12;01/02/2024 09:00;seen;;Öl
8;007;31/01/2024 23:59;bought;2,00;Muesli, new
8;12;02/02/2024 10:00;liked;;Öl
"""
PRODUCTS = "sku,title,department\n007,Granola,food/breakfast\n12,,food\n99,Never sold,garden\n"
EVENTS = {
    "columns": {"user": "customer", "item": "sku", "time": "ordered_at", "kind": "action", "price": "price"},
    "kinds": {"bought": "purchase", "seen": "click", "liked": None},
    "time": {"format": "%d/%m/%Y %H:%M", "zone": "Europe/Berlin"},
    "separator": ";",
    "encoding": "latin-1",
    "decimal": ",",
}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Function: load a data set "mine" of these contents and options."""

    def load(events: str | bytes, options: dict, items: str | None = None, item_options: dict | None = None):
        contents = {"events": events, "items": items}
        files = []
        for role, content in contents.items():
            if content is not None:
                path = tmp_path / f"{role}.data"
                encoding = options.get("encoding", "utf-8") if role == "events" else "utf-8"
                path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
                files.append({"name": path.name, "role": role, "path": str(path)})
        told = {"events": options} | ({} if item_options is None else {"items": item_options})
        entry = {"mine": {"family": "table", "files": files, "options": told}}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(entry))
        monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "mine.yaml"))
        return load_dataset("mine")

    return load


def test_a_shops_own_files(shop):
    items = {
        "columns": {"item": "sku", "title": "title", "category": "department"},
        "category_separator": "/",
    }
    found = shop(ORDERS, EVENTS, PRODUCTS, items)
    assert found.items["source_id"].tolist() == ["007", "12", "99"]
    assert found.items["title"].tolist() == ["Granola", None, "Never sold"]
    assert found.items["category"].tolist() == ["food > breakfast", "food", "garden"]
    assert found.users["source_id"].tolist() == [7, 8]
    events = found.events
    assert events["kind"].tolist() == ["click", "purchase", "purchase"]
    assert events["time"].tolist() == [
        pd.Timestamp("2024-02-01 09:00"),
        pd.Timestamp("2024-02-01 09:30"),
        pd.Timestamp("2024-01-31 23:59"),
    ]
    assert events["price"].fillna(-1).tolist() == [-1, 1.5, 2.0]
    assert found.cleaning["kind liked"] == 1
    assert [found.cleaning[f"rows {what}"] for what in ("read", "dropped", "kept")] == [4, 1, 3]


def test_an_items_title_is_that_of_its_earliest_event(shop):
    found = shop(ORDERS, EVENTS | {"columns": EVENTS["columns"] | {"title": "name"}})
    assert found.items["title"].tolist() == ["Muesli, new", "Öl"]


def test_numbers_of_seconds_become_the_shops_local_time(shop):
    options = {"columns": {"user": 0, "item": 1, "time": 2}, "header": False, "kind": "purchase"}
    options["time"] = {"format": "seconds", "zone": "Asia/Shanghai", "first": "2017-11-25"}
    found = shop("1,5,1511544070\n2,5,1511000000\n", options)
    assert found.events["time"].tolist() == [pd.Timestamp("2017-11-25 01:21:10")]
    assert found.cleaning["outside first to last"] == 1


def test_offsets_are_heeded_and_local_times_kept(shop):
    options = {"columns": {"user": "u", "item": "i", "time": "t"}, "kind": "click"}
    options["time"] = {"zone": "Europe/Berlin"}
    found = shop("u,i,t\n1,1,2024-07-01T12:00:00+00:00\n1,2,2024-07-01T12:00:00Z\n", options)
    assert set(found.events["time"]) == {pd.Timestamp("2024-07-01 14:00")}
    found = shop("u,i,t\n1,1,2024-07-01 12:00\n", options)
    assert found.events["time"].tolist() == [pd.Timestamp("2024-07-01 12:00")]


def test_without_times_the_order_is_the_files(shop):
    found = shop("u,i\n2,b\n1,a\n2,a\n", {"columns": {"user": "u", "item": "i"}, "kind": "purchase"})
    assert not found.has_times
    assert found.events["item"].tolist() == [0, 1, 0]
    assert found.events["order"].tolist() == [0, 0, 1]


def test_parquet_keeps_its_types(shop):
    table = pd.DataFrame({"u": [3, 3], "i": ["x", "y"], "t": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    found = shop(buffer.getvalue(), {"columns": {"user": "u", "item": "i", "time": "t"}, "kind": "cart"})
    assert found.events["time"].tolist() == list(table["t"])
    assert found.users["source_id"].tolist() == [3]


def test_a_cut_line_is_refused_and_dropped_when_told_so(shop):
    options = {"columns": {"user": 0, "item": 1, "time": 2}, "header": False, "kind": "purchase"}
    options["time"] = {"format": "seconds"}
    cut = "1,5,1511544070\n1,6,1511544080\n2,7,"
    assert "row 3 has no time (1 in all)" in refused(NotData, shop, cut, options)
    assert shop(cut, options | {"last_line": "drop"}).cleaning["cut last line"] == 1
    assert shop(cut, options | {"missing": "drop"}).cleaning["missing time"] == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"time": {"format": "%d/%m/%Y %H:%M", "zone": "Berlin"}}, "no time zone 'Berlin'"),
        ({"time": {"format": "seconds"}}, "time is not of the format 'seconds': row 1 has "),
        ({"time": {"format": "day first"}}, "is no pattern"),
        ({"kinds": {"bought": "purchase"}}, "kind 'liked' is not in the map"),
        ({"kinds": {"bought": "buy", "seen": None, "liked": None}}, "kind 'buy' is none of search, view"),
        ({"kind": "purchase"}, "either a column kind"),
        ({"encoding": "utf-8"}, "not utf-8 text"),
        ({"encoding": "latin-x"}, "no encoding 'latin-x'"),
        ({"encoding": "hex"}, "no readable table"),
        ({"time": {"format": "%d/%m/%Q"}}, "strptime has no %Q"),
        ({"time": {"format": "%d/%m/%Y %H:%M", "first": "yesterday"}}, "'yesterday' is no ISO time"),
        ({"time": {"format": "%d/%m/%Y %H:%M", "last": "2024-01-01T00:00Z"}}, "has an offset"),
        ({"time": {"format": "%d/%m/%Y %"}}, "time is not of the format"),
        ({"columns": EVENTS["columns"] | {"item": "customer"}}, "columns user and item are one column"),
        ({"separator": ","}, "no readable table"),
        ({"separator": "|"}, "no column sku; it has customer;sku"),
        ({"separator": "tab"}, "must be one character"),
        ({"decimal": "."}, "price is no number"),
        ({"columns": {"user": "customer", "item": "sku", "kind": "action", "prize": "price"}}, "'prize'"),
        ({"columns": {"user": "customer", "kind": "action"}}, "columns must name item"),
        ({"columns": {"user": 0, "item": 1, "kind": 3}}, "columns must be names"),
        ({"colums": {}}, "Extra inputs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_options_are_named(shop, changed, message):
    assert message in refused((NotData, RegistryError), shop, ORDERS.encode("latin-1"), EVENTS | changed)


def test_files_of_items_and_their_options_go_together(shop):
    assert "go together" in refused(RegistryError, shop, ORDERS, EVENTS, PRODUCTS)
    assert "go together" in refused(RegistryError, shop, ORDERS, EVENTS, None, {"columns": {"item": "sku"}})


def test_other_options_are_another_data_set(shop, tmp_path):
    shop(ORDERS, EVENTS)
    key = f"mine/{sources.OPTIONS}"
    assert sources.current_sha256(key) == sources.files_read[key]
    text = (tmp_path / "mine.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("Europe/Berlin", "Europe/Paris"))
    assert sources.current_sha256(key) != sources.files_read[key]


def test_sources_in_the_data_folder_need_no_variable(shop, tmp_path, monkeypatch):
    shop(ORDERS, EVENTS)
    (tmp_path / "mine.yaml").rename(tmp_path / "sources.yaml")
    monkeypatch.delenv("RECSYS_SOURCES")
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
    assert load_dataset("mine").n_users == 2


def simple(**changes):
    return {"columns": {"user": "u", "item": "i"}, "kind": "purchase"} | changes


PRICED = simple(columns={"user": "u", "item": "i", "price": "p"})
TIMED = simple(columns={"user": "u", "item": "i", "time": "t"})


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("u,i,i\n1,2,3\n", simple(), "column i stands 2 times"),
        ("u,i,i.1,i\n1,2,3,4\n", simple(), "column i stands 2 times"),
        ("u,i,p\n1,2,inf\n", PRICED, "price is infinite in 1 rows"),
        ("u,i,p\n1,2,-Infinity\n", PRICED, "price is infinite"),
        ("u,i,p\n1,2,1e999\n", PRICED, "price is infinite"),
        ("u;i;p\n1;2;1.234,50\n", PRICED | {"separator": ";", "decimal": ","}, "'1.234,50' has a point"),
        ("u;i;p\n1;2;1.234\n", PRICED | {"separator": ";", "decimal": ","}, "'1.234' has a point"),
        ('u,i,p\n1,2,"1,234"\n', PRICED, "price is no number"),
        ("u,i,p\n1,2,£3\n", PRICED, "price is no number"),
        ("u,i,t\n1,2,2024-01-01\n1,3,9999-12-31\n", TIMED, "row 2 has '9999-12-31' (1 in all)"),
        ("u,i,t\n1,2,0001-01-01\n", TIMED, "row 1 has '0001-01-01'"),
        ("u,i,t\n1,2,1e30\n", TIMED | {"time": {"format": "seconds"}}, "row 1 has '1e30'"),
        ("u,i,t\n1,2,nan\n", TIMED | {"time": {"format": "seconds"}}, "time"),
        ("u,i,t\n1,2,31/02/2024\n", TIMED | {"time": {"format": "%d/%m/%Y"}}, "row 1 has '31/02/2024'"),
        ("u,i\n1\n1,2,3\n", simple(), "no readable table"),
        ("", simple(), "no readable table"),
        ("u,i\n", simple(), "no event is left of 0 rows"),
        ("\ufeffu,i\n1,2\n".encode("utf-16"), simple(), "not utf-8 text"),
        (b"\x1f\x8b\x08\x00", simple(), "not utf-8 text"),
        (b"PAR1", simple(), "no readable table"),
        (b"PAR1" + bytes(50) + b"PAR1", simple(), "no readable table"),
    ],
    ids=lambda value: repr(value)[:30] if isinstance(value, str | bytes) else "",
)
def test_files_that_say_what_no_table_can_hold_are_named(shop, content, options, message):
    assert message in refused(NotData, shop, content, options)


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf_8", "utf8", "U8"])
def test_other_peoples_editions_are_read(shop, encoding):
    """A byte order mark, Windows line ends, ids with zeros, signs and blanks, quoted decimal commas."""
    content = '\ufeffu,i,p\r\n007,-5,"1,50"\r\n 7 ,5,\r\n7,-5,"-0,0"\r\n'.encode()
    found = shop(content, PRICED | {"decimal": ",", "encoding": encoding})
    assert found.users["source_id"].tolist() == ["007", "7"]
    assert found.items["source_id"].tolist() == [-5, 5]
    assert found.events["price"].fillna(-1).tolist() == [1.5, -1, 0]


def test_parquet_of_decimals_of_dates_and_of_numbers_for_texts(shop):
    table = pd.DataFrame(
        {"u": [3, 3], "i": [1, 2], "p": [Decimal("1.50"), None], "t": [date(2024, 1, 1), date(2024, 1, 2)]}
    )
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    columns = {"user": "u", "item": "i", "price": "p", "time": "t"}
    found = shop(buffer.getvalue(), {"columns": columns, "kind": "cart"})
    assert found.events["price"].fillna(-1).tolist() == [1.5, -1]
    assert found.events["time"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")]
    items = pd.DataFrame({"i": [1, 2], "c": [10, 20]}).to_csv(index=False)
    own = {"columns": {"item": "i", "category": "c"}, "category_separator": "/"}
    found = shop(buffer.getvalue(), {"columns": columns, "kind": "cart"}, items, own)
    assert found.items["category"].tolist() == ["10", "20"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.text("ab0", min_size=1, max_size=2), st.integers(0, 9)), min_size=1, max_size=20)
)
def test_every_row_is_an_event_of_its_user_and_item(shop, rows):
    content = "u,i\n" + "".join(f"{user},{item}\n" for user, item in rows)
    found = shop(content, {"columns": {"user": "u", "item": "i"}, "kind": "purchase"})
    events = found.events
    users = found.users["source_id"].astype(str).to_numpy()[events["user"]]
    items = found.items["source_id"].to_numpy()[events["item"]]
    assert sorted(zip(users, items, strict=True)) == sorted(rows)


def test_taobao_with_its_traps(real_data):
    real_data("taobao_userbehavior/UserBehavior.csv")
    found = load_dataset("taobao_userbehavior")
    assert found.cleaning["rows read"] == 84_476
    assert found.cleaning["cut last line"] == 1
    assert found.cleaning["outside first to last"] == 35
    assert found.n_users == 815
    assert found.events["time"].min() >= pd.Timestamp("2017-11-25")
    assert found.events["time"].max() < pd.Timestamp("2017-12-04")
    assert split(found).kind == "global_time"


def test_movielens_in_two_tables(real_data, tmp_path, monkeypatch):
    folder = real_data("movielens_multimodal/ratings.csv", "movielens_multimodal/movies.csv")
    files = [
        {"name": name, "role": role, "path": str(Path(folder) / "movielens_multimodal" / name)}
        for name, role in (("ratings.csv", "events"), ("movies.csv", "items"))
    ]
    columns = {"user": "userid", "item": "movieid", "time": "timestamp", "rating": "rating"}
    options = {
        "events": {"columns": columns, "kind": "purchase", "time": {"format": "seconds"}},
        "items": {"columns": {"item": "movieId", "title": "title", "category": "genres"}},
    }
    entry = {"films": {"family": "table", "files": files, "options": options}}
    (tmp_path / "films.yaml").write_text(yaml.safe_dump(entry))
    monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "films.yaml"))
    found = load_dataset("films")
    assert (len(found.events), found.n_users, found.n_items) == (100_836, 610, 9_742)
    assert found.items["title"].iloc[0] == "Toy Story (1995)"
    assert found.events["rating"].between(0.5, 5).all()
