"""Catalogues, stored engines and calls of `recsys search` that are not as they should be: one line each."""

import gzip
import json
import os

import pandas as pd
import pytest

from recsys.encoders.backbone import load_backbone
from recsys.search import cli as cli_module
from recsys.search.catalogue import checked, read_catalogue
from recsys.search.cli import search_command
from recsys.search.engine import CATALOGUE, MANIFEST, SearchEngine
from recsys.search.errors import SearchError

SHOP = pd.DataFrame({"id": ["p0", "p1"], "title": ["Cordless drill 18V", "Desk lamp"]})
WHOLE = gzip.compress(SHOP.to_csv(index=False).encode() * 1000)


@pytest.fixture(scope="module")
def engine():
    return SearchEngine.build(SHOP, load_backbone("random-bert", seed=0))


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.csv"
    SHOP.to_csv(path, index=False)
    return path


@pytest.fixture
def asked(capsys):
    """Function: the terminal's text after a call of the command."""

    def ask(**options):
        search_command("drill", k=2, **{"index": None, "catalogue": None, "variant": None} | options)
        return capsys.readouterr().out

    return ask


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv.gz", WHOLE[: len(WHOLE) // 2], "no readable CSV"),
        ("a.csv.gz", b"id,title\n1,plain text\n", "no readable CSV"),
        ("a.csv.gz", WHOLE[:40] + bytes(40) + WHOLE[80:], "no readable CSV"),
        ("a.csv.zip", b"PK", "no readable CSV"),
        ("a.csv", b"", "no readable CSV"),
        ("a.csv", "id,title\n1,Caf\u00e9\n".encode("utf-16"), "no readable CSV"),
        ("a.csv", "id,title\n1,Caf\u00e9\n".encode("latin-1"), "no readable CSV"),
        ("a.csv", b"id;title\n1;x\n", "has no column title, product_title or name; it has id;title"),
    ],
)
def test_a_file_that_is_no_catalogue_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SearchError, match=message) as caught:
        read_catalogue(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("text", ["\ufeffid,title\r\n1,x\r\n", 'TITLE , ID\n"x",1\n', "sku,name\n1,x\n"])
def test_other_peoples_editions_are_read(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert read_catalogue(tmp_path / "a.csv").to_dict("records") == [{"id": "1", "title": "x"}]


@pytest.mark.parametrize(
    ("id", "title", "message"),
    [
        ("p1", None, "row 1 has no id or no title"),
        ("p1", float("nan"), "row 1 has no id or no title"),
        (None, "lamp", "row 1 has no id or no title"),
        ("p1", "lamp \udcff", "holds half a character"),
        ("\ud800", "lamp", "holds half a character"),
    ],
)
def test_a_product_that_cannot_be_kept_is_refused(engine, id, title, message):
    table = pd.DataFrame({"id": ["p0", id], "title": ["drill", title]})
    with pytest.raises(SearchError, match=message):
        checked(table)
    with pytest.raises(SearchError, match=message):
        engine.add(table)
    assert len(engine) == 2


LONG = "9" * 5_000


QUERIES = ["\ud800", "lamp\udfff drill", "\x00" * 30_000 + "lamp", "9" * 10**7, "1/" * 10**6, "1/0 in"]
QUERIES += [
    f"{LONG}/{LONG}",
    f"{LONG[:400]}/1",
    f"1 1/{LONG}",
    f"{LONG}.{LONG} in",
    f".{LONG}",
    "\u0661/\u0662 in",
]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_half_characters_and_endless_numbers_are_queries(engine, query):
    assert len(engine.search(query, 2)) in (0, 2)


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", None, True - 1])
def test_a_list_of_no_length_is_refused(engine, k):
    with pytest.raises(SearchError, match="a list length of at least 1"):
        engine.search("drill", k)


@pytest.mark.parametrize("k", [3, 10**6, 10**12, 10**30])
def test_a_list_longer_than_the_catalogue_costs_no_memory(engine, k):
    assert len(engine.search("drill", k)) == 2


@pytest.mark.parametrize(
    "field",
    [{"words_weight": "x"}, {"words_weight": None}, {"words_weight": 7}, {"backbone": 3}, {"variant": []}],
    ids=str,
)
def test_a_manifest_with_another_type_is_damaged(engine, tmp_path, field):
    engine.save(tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | field))
    with pytest.raises(SearchError, match="damaged"):
        SearchEngine.load(tmp_path, engine.texts and load_backbone("random-bert", seed=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give --catalogue FILE"),
        ({"index": "no such index"}, "there is no index at no such index: --catalogue FILE builds one"),
        ({"catalogue": "."}, "is a folder: name a CSV"),
        ({"catalogue": "no such.csv"}, "no catalogue at no such.csv"),
    ],
    ids=str,
)
def test_a_call_without_a_catalogue_is_one_line(asked, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SearchError, match=message):
        asked(backbone="random-bert", **{name: cli_module.Path(value) for name, value in options.items()})


def test_an_index_whose_saving_was_stopped_is_built_again(asked, shop):
    assert "Cordless drill" in asked(catalogue=shop, backbone="random-bert")
    folder = shop.with_suffix(".index")
    (folder / MANIFEST).unlink()
    assert "Cordless drill" in asked(catalogue=shop, backbone="random-bert")
    (folder / CATALOGUE).write_bytes((folder / CATALOGUE).read_bytes()[:50])
    said = asked(catalogue=shop, backbone="random-bert")
    assert "missing or damaged" in said
    assert "again" in said
    assert "Cordless drill" in said
    assert "again" not in asked(catalogue=shop, backbone="random-bert")
    (folder / CATALOGUE).write_bytes(b"")
    with pytest.raises(SearchError, match="missing or damaged"):
        asked(index=folder, backbone=None)


def test_a_save_that_is_stopped_leaves_nothing_that_loads(engine, tmp_path, monkeypatch):
    engine.save(tmp_path)

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_parquet", stopped)
    with pytest.raises(KeyboardInterrupt):
        engine.save(tmp_path)
    with pytest.raises(SearchError, match="holds no search engine"):
        SearchEngine.load(tmp_path, load_backbone("random-bert", seed=0))


def test_a_changed_catalogue_is_indexed_once(asked, shop):
    asked(catalogue=shop, backbone="random-bert")
    written = shop.with_suffix(".index") / MANIFEST
    pd.concat([SHOP, pd.DataFrame({"id": ["p9"], "title": ["Drill bits"]})]).to_csv(shop, index=False)
    later = written.stat().st_mtime + 5
    os.utime(shop, (later, later))
    assert "Drill bits" in asked(catalogue=shop, backbone="random-bert")
    os.utime(written, (later + 5, later + 5))
    before = written.stat().st_mtime_ns
    asked(catalogue=shop, backbone="random-bert")
    assert written.stat().st_mtime_ns == before


def test_another_encoder_than_the_index_s_is_not_passed_over(asked, shop):
    asked(catalogue=shop, backbone="random-bert")
    said = asked(catalogue=shop, backbone="random-gpt")
    assert "was built with random-bert, not random-gpt" in said.replace("\n", " ")
    with pytest.raises(SearchError, match="was built with random-gpt, not random-bert"):
        asked(index=shop.with_suffix(".index"), backbone="random-bert")
    assert "again" not in asked(index=shop.with_suffix(".index"), backbone=None)
