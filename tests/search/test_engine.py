"""The engine as a user has it: built, asked, changed, saved, damaged, and asked by strangers."""

import json

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from recsys.encoders.backbone import load_backbone
from recsys.search import engine as engine_module
from recsys.search import vector_index
from recsys.search.catalogue import read_catalogue
from recsys.search.cli import search_command
from recsys.search.engine import CATALOGUE, MANIFEST, SearchEngine
from recsys.search.errors import SearchError

TITLES = ["Cordless drill 18V", "Hammer drill 750 W", "Garden hose 1/2 in.", "Desk lamp", "<b>Rug</b> [red]"]
SHOP = pd.DataFrame({"id": [f"p{i}" for i in range(5)], "title": TITLES})


@pytest.fixture(scope="module")
def encoder():
    return load_backbone("random-bert", seed=0)


@pytest.fixture
def engine(encoder):
    return SearchEngine.build(SHOP, encoder)


def test_words_find_their_product(engine):
    found = engine.search("0.5 inch garden hose", 3)
    assert found["id"].iloc[0] == "p2"
    assert found["score"].is_monotonic_decreasing
    assert len(engine.search("drill", 99)) == 5


def test_the_real_encoder_finds_what_words_do_not():
    engine = SearchEngine.build(SHOP, "minilm", words_weight=0.0, variant="plain")
    assert engine.search("light for my office table", 1)["id"].item() == "p3"


def test_an_int8_query_finds_it_too():
    engine = SearchEngine.build(SHOP, "minilm", words_weight=0.0, variant="onnx-int8")
    assert engine.texts.reasons == ()
    assert (engine.texts.queries_by, engine.texts.titles_by) == ("onnx-int8", "packed-fp32")
    assert engine.search("light for my office table", 1)["id"].item() == "p3"


@pytest.mark.parametrize(
    "query", ["😀", "مصباح مكتب", "'; DROP TABLE--", "<script>", "x " * 500_000, "a\0b", "台灯", "1/0"]
)
def test_strange_queries_get_a_list(engine, query):
    assert len(engine.search(query, 3)) == 3


def test_empty_and_wrong_queries(engine):
    for empty in ("", "   ", "\0"):
        assert engine.search(empty).empty
    with pytest.raises(SearchError, match="a query is a text"):
        engine.search(None)
    with pytest.raises(SearchError, match="at least 1"):
        engine.search("drill", 0)


def test_after_additions_and_deletions_it_is_the_engine_built_anew(engine, encoder, tmp_path):
    engine.add(pd.DataFrame({"id": ["p9", "p0"], "title": ["Cordless phone", "Cordless drill 20V"]}))
    engine.delete(["p3"])
    left = pd.DataFrame(
        {
            "id": ["p1", "p2", "p4", "p9", "p0"],
            "title": [*TITLES[1:3], TITLES[4], "Cordless phone", "Cordless drill 20V"],
        }
    )
    anew = SearchEngine.build(left, encoder)
    for query in ("cordless drill", "hose", "lamp"):
        # the encoder's own rounding: texts of a batch share its padding
        pd.testing.assert_frame_equal(engine.search(query), anew.search(query), rtol=1e-3, atol=1e-5)
    engine.save(tmp_path)
    loaded = SearchEngine.load(tmp_path, encoder)
    pd.testing.assert_frame_equal(engine.search("drill"), loaded.search("drill"), rtol=1e-6)
    with pytest.raises(SearchError, match="no product 'p3'"):
        engine.delete(["p3"])


def test_what_does_not_fit_is_refused(engine, encoder, tmp_path):
    engine.save(tmp_path)
    with pytest.raises(SearchError, match="is of model"):
        SearchEngine.load(tmp_path, load_backbone("random-bert", seed=1))
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(SearchError, match="format 99"):
        SearchEngine.load(tmp_path, encoder)
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    (tmp_path / CATALOGUE).write_bytes(b"no parquet")
    with pytest.raises(SearchError, match="checksum"):
        SearchEngine.load(tmp_path, encoder)
    with pytest.raises(SearchError, match="holds no search engine"):
        SearchEngine.load(tmp_path / "elsewhere", encoder)
    for wrong, words in (
        (SHOP[["id"]], "title missing"),
        (SHOP.iloc[:0], "no product"),
        (pd.concat([SHOP, SHOP]), "twice"),
    ):
        with pytest.raises(SearchError, match=words):
            SearchEngine.build(wrong, encoder)


def test_the_command_answers_in_the_terminal(tmp_path):
    path = tmp_path / "shop.csv"
    SHOP.rename(columns={"title": "Product_Title"}).to_csv(path, index=False)
    app = typer.Typer()
    app.command()(search_command)
    arguments = ["cordless drill", "--catalogue", str(path), "--backbone", "random-bert", "-k", "5"]
    first = CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})
    again = CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})
    assert first.exit_code == again.exit_code == 0, first.output
    assert "Cordless drill 18V" in again.output
    assert "<b>Rug</b> [red]" in again.output  # nothing is taken for markup
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SearchError, match="no column title"):
        read_catalogue(tmp_path / "bad.csv")


def test_the_command_overwrites_no_other_file_and_cuts_what_is_endless(tmp_path):
    path = tmp_path / "shop.csv"
    (tmp_path / "catalogue.parquet").write_text("mine")
    SHOP.assign(title=[title + " long" * 9000 for title in SHOP["title"]]).to_csv(path, index=False)
    app = typer.Typer()
    app.command()(search_command)
    asked = ["drill", "--catalogue", str(path), "--backbone", "random-bert"]
    refused = CliRunner().invoke(app, [*asked, "--index", str(tmp_path)])
    assert "holds shop.csv: name a folder for the index alone" in str(refused.exception)
    assert (tmp_path / "catalogue.parquet").read_text() == "mine"
    assert len(CliRunner().invoke(app, asked).output.splitlines()) < 150


def test_a_kept_answer_is_no_ones_to_change_and_dies_with_the_catalogue(engine):
    first = engine.search("lamp", 3)
    first["id"] = "changed"
    again = engine.search("lamp", 3)
    assert "changed" not in set(again["id"])
    engine.delete(["p3"])
    assert "p3" not in set(engine.search("lamp", 5)["id"])


def test_other_code_another_width_and_a_damaged_index_are_refused(engine, encoder, tmp_path, monkeypatch):
    engine.save(tmp_path)
    monkeypatch.setattr(engine_module, "title_code", lambda: "another kit")
    with pytest.raises(SearchError, match="made by other code"):
        SearchEngine.load(tmp_path, encoder)
    monkeypatch.undo()
    path = tmp_path / vector_index.MANIFEST
    own = json.loads(path.read_text())
    path.write_text(json.dumps(own | {"width": own["width"] + 1}))
    with pytest.raises(SearchError, match="is of width"):
        SearchEngine.load(tmp_path, encoder)
    path.write_text(json.dumps(own))
    (tmp_path / vector_index.VECTORS).write_bytes(b"PK")
    with pytest.raises(SearchError, match="checksum"):
        SearchEngine.load(tmp_path, encoder)
    for wrong in ("[]", "{", '{"format": 3}'):
        (tmp_path / MANIFEST).write_text(wrong)
        with pytest.raises(SearchError, match="damaged"):
            SearchEngine.load(tmp_path, encoder)


def test_a_megabyte_and_a_text_of_marks_are_titles_as_well(encoder):
    titles = ["x" * 1_000_000, "\u202egnihton", "😀", "a\0b", "'; DROP TABLE--"]
    engine = SearchEngine.build(pd.DataFrame({"id": list("abcde"), "title": titles}), encoder)
    assert len(engine.search("drop table", 5)) == 5
    assert engine.search("drop table", 5)["id"].iloc[0] in set("abcde")
