"""CSVs with titles as shops export them: torn rows, missing ids, marks that cut or steer."""

import gzip
import re
import zipfile

import pytest

from recsys.search.catalogue import read_catalogue
from recsys.search.errors import SearchError

WHOLE = gzip.compress(b"id,title\np0,Cordless drill 18V\np1,Desk lamp\n" * 1000)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv.gz", WHOLE[: len(WHOLE) // 2], "no readable CSV"),
        ("a.csv.gz", b"id,title\n1,plain text\n", "no readable CSV"),
        ("a.csv.gz", WHOLE[:40] + bytes(40) + WHOLE[80:], "no readable CSV"),
        ("a.csv.zip", b"PK", "no readable CSV"),
        ("a.csv", b"", "no readable CSV"),
        ("a.csv", b"\n\n", "no readable CSV"),
        ("a.csv", b",,\n,,\n", "no readable CSV"),
        ("a.csv", "id,title\n1,Caf\u00e9\n".encode("utf-16"), "no readable CSV"),
        ("a.csv", "id,title\n1,Caf\u00e9\n".encode("latin-1"), "save it as UTF-8 with commas"),
        ("a.csv", b"id;title\n1;x\n", "it has id;title: save it with commas, not semicolons"),
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


def kept(tmp_path, text, name="a.csv"):
    """Products of a CSV, as pairs of id and title, and what was said about it."""
    (tmp_path / name).write_bytes(text.encode())
    said = []
    table = read_catalogue(tmp_path / name, said.append)
    return list(zip(table["id"], table["title"], strict=True)), said


def test_a_comma_at_the_end_of_each_row_moves_no_column(tmp_path):
    both = [("1", "drill"), ("2", "lamp")]
    assert kept(tmp_path, "id,title\n1,drill,\n2,lamp,\n") == (both, [])
    assert kept(tmp_path, "id,title,\n1,drill,\n\n2,lamp\n") == (both, [])
    assert kept(tmp_path, "id,title\n1,drill,,,\n2,lamp\n") == (both, [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("id,title\n1,drill, red\n2,lamp\n", 2),
        ("id,title\n1,drill\n\n2,lamp, red\n3,a,b,c\n", 4),
        ('id,title\n1,"two\nlines"\n2,lamp, red\n', 4),
        ("id,title,\n1,drill,\n2,lamp, red\n", 3),
        ("id,title\n1,drill\n2,a" + ",b" * 60 + "\n", 3),
    ],
)
def test_a_title_that_is_torn_at_its_comma_is_named_with_its_line(tmp_path, text, line):
    (tmp_path / "a.csv").write_text(text)
    told = f"line {line} has more fields than the header.*: put titles with commas between quotes"
    with pytest.raises(SearchError, match=f"^{re.escape(str(tmp_path / 'a.csv'))}: {told}"):
        read_catalogue(tmp_path / "a.csv")


def test_titles_of_several_lines_are_told(tmp_path):
    products, said = kept(tmp_path, 'title\n"5 inch pipe\nred mug\nblue lamp\n"x" y\n')
    assert len(products) == 1
    assert said[0].endswith(
        "1 title holds ends of lines: a quotation mark that is not closed takes in the rows below it"
    )


def test_products_without_an_id_are_told_apart_and_what_is_left_out_is_counted(tmp_path):
    text = "id,title\n,drill\n,lamp\na,tea\na,cup\nb,\nc, \n"
    products, said = kept(tmp_path, text)
    assert products == [("row 0", "drill"), ("row 1", "lamp"), ("a", "tea")]
    assert [line.partition(": ")[2] for line in said] == [
        "2 products have no id: row numbers are taken",
        "2 rows without a title are left out",
        "1 row with the id of an earlier one is left out",
    ]
    assert kept(tmp_path, "title\ndrill\ndrill\n") == ([("0", "drill"), ("1", "drill")], [])


def test_a_title_is_not_cut_at_a_nul(tmp_path):
    text = "id,title\n1,cordless\0drill\n"
    whole = [("1", "cordless drill")]
    assert kept(tmp_path, text) == (whole, [])
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert read_catalogue(tmp_path / "a.csv.gz")["title"].item() == "cordless drill"
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("a.csv", text)
    assert read_catalogue(tmp_path / "a.csv.zip")["title"].item() == "cordless drill"
