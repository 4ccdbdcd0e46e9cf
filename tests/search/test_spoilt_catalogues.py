"""Products, stored engines and calls of `recsys search` that are not as they should be: one line each."""

import json
import os
import shutil

import pandas as pd
import pytest

from recsys.encoders.backbone import load_backbone
from recsys.search import cli as cli_module
from recsys.search import vector_index
from recsys.search.catalogue import checked
from recsys.search.cli import search_command
from recsys.search.engine import CATALOGUE, MANIFEST, SearchEngine
from recsys.search.errors import SearchError

SHOP = pd.DataFrame({"id": ["p0", "p1"], "title": ["Cordless drill 18V", "Desk lamp"]})


@pytest.fixture(scope="module")
def engine():
    return SearchEngine.build(SHOP, load_backbone("random-bert", seed=0))


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.csv"
    SHOP.to_csv(path, index=False)
    return path


def beside(path):
    """The folder of a catalogue's index."""
    return path.with_name(f"{path.name}.index")


@pytest.fixture
def asked(capsys):
    """Function: the terminal's text after a call of the command."""

    def ask(**options):
        search_command("drill", k=2, **{"index": None, "catalogue": None, "variant": None} | options)
        return capsys.readouterr().out

    return ask


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


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", None, True, False])
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
    folder = beside(shop)
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


@pytest.mark.parametrize("age", [-1000, 1000])
def test_a_changed_catalogue_is_indexed_once_whatever_its_time(asked, shop, age):
    asked(catalogue=shop, backbone="random-bert")
    written = beside(shop) / MANIFEST
    pd.concat([SHOP, pd.DataFrame({"id": ["p9"], "title": ["Drill bits"]})]).to_csv(shop, index=False)
    told = written.stat().st_mtime + age  # an older one: `cp -p`, an archive, git
    os.utime(shop, (told, told))
    said = asked(catalogue=shop, backbone="random-bert")
    assert "Drill bits" in said
    assert "is of another file, or of this one before a change" in said.replace("\n", " ")
    before = written.stat().st_mtime_ns
    assert "again" not in asked(catalogue=shop, backbone="random-bert")
    assert written.stat().st_mtime_ns == before


def test_no_catalogue_is_answered_from_the_index_of_another(asked, shop, tmp_path):
    asked(catalogue=shop, backbone="random-bert")
    other = tmp_path / "other.csv"
    other.write_text("id,title\nq1,Garden hose\n")
    os.utime(other, (0, 0))
    said = asked(catalogue=other, index=beside(shop), backbone="random-bert")
    assert "Garden hose" in said
    assert "Cordless drill" not in said
    twin = shop.with_suffix(".txt")  # of the same stem
    twin.write_text("id,title\nt1,Tea cup\n")
    os.utime(twin, (0, 0))
    said = asked(catalogue=twin, backbone="random-bert")
    assert "Tea cup" in said
    assert "Cordless drill" not in said


def test_a_catalogue_that_is_gone_is_not_answered_from_its_index(asked, shop):
    asked(catalogue=shop, backbone="random-bert")
    shop.unlink()
    with pytest.raises(SearchError, match=r"no catalogue at .*shop\.csv.*--index"):
        asked(catalogue=shop, backbone=None)
    assert "Cordless drill" in asked(index=beside(shop), backbone=None)


def test_products_that_were_added_by_code_are_not_overwritten(engine, asked, shop, tmp_path):
    engine.save(tmp_path / "own")
    with pytest.raises(SearchError, match="does not say which file it is of"):
        asked(catalogue=shop, index=tmp_path / "own", backbone=None)
    assert "Cordless drill" in asked(index=tmp_path / "own", backbone=None)


def test_the_vectors_of_another_catalogue_are_refused(engine, tmp_path):
    encoder = load_backbone("random-bert", seed=0)
    engine.save(tmp_path / "one")
    assert len(SearchEngine.load(tmp_path / "one", encoder)) == 2
    other = pd.DataFrame({"id": ["a", "b"], "title": ["Tea cup", "Red shoe"]})
    SearchEngine.build(other, encoder).save(tmp_path / "other")
    for name in (vector_index.VECTORS, vector_index.MANIFEST):
        shutil.copy(tmp_path / "other" / name, tmp_path / "one" / name)
    with pytest.raises(SearchError, match=r"index\.json.* is not the one that was saved with"):
        SearchEngine.load(tmp_path / "one", encoder)


def test_another_encoder_than_the_index_s_is_not_passed_over(asked, shop):
    asked(catalogue=shop, backbone="random-bert")
    said = asked(catalogue=shop, backbone="random-gpt")
    assert "was built with random-bert, not random-gpt" in said.replace("\n", " ")
    with pytest.raises(SearchError, match="was built with random-gpt, not random-bert"):
        asked(index=beside(shop), backbone="random-bert")
    assert "again" not in asked(index=beside(shop), backbone=None)


def test_no_title_and_no_id_steers_the_terminal(asked, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        'id,title\n\x1b[2Jp1,drill \x1b]0;owned\x07 \u202egnihton\n\x9b2Jp2,"two\nlines \u2066"\n'
    )
    said = asked(catalogue=path, backbone="random-bert")
    assert not set(said) & set("\x1b\x07\x9b\u202e\u2066")
    assert "gnihton" in said
    path.write_text("\x1b[2J,b\n1,2\n")
    with pytest.raises(SearchError) as caught:
        asked(catalogue=path, backbone="random-bert")
    assert "\x1b" not in str(caught.value)
