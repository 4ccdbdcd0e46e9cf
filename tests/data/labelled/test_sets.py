"""The four loaders: every trap in a tiny made file, and the counts of the real files."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
import yaml

from recsys.data import families, sources
from recsys.data.errors import NotData, RegistryError, UnsafeContent
from recsys.data.labelled.dataset import labelled_split, load_labelled
from recsys.data.labelled.home_depot import judged_lists
from tests.data.test_sources import refused

DEPOT = '"id","product_uid","product_title","search_term","relevance"\n'
CLOTHES = (
    ",Clothing ID,Age,Title,Review Text,Rating,Recommended IND,Positive Feedback Count,"
    "Division Name,Department Name,Class Name\n"
)
CHINESE = "cat,label,review\n"
INTENTS = "text,category\n"


def zipped(content: str | bytes, *shadows: str, name: str = "data.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in (name, *shadows):
            archive.writestr(member, content if member == name else b"\0\5\26\7")
    return buffer.getvalue()


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Function: load files of the given content, in the order of the family's roles."""

    def load(family: str, *contents: str | bytes, suffix: str = ".csv"):
        files = []
        (tmp_path / family).mkdir(exist_ok=True)
        for role, content in zip(families.family(family).roles, contents, strict=False):
            name = f"made_{role}{suffix}"
            content = content if isinstance(content, bytes) else content.encode()
            (tmp_path / family / name).write_bytes(content)
            files.append({"name": name, "role": role})
        registry = {"mine": {"family": family, "files": files}}
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump(registry))
        monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "sources.yaml"))
        monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
        return load_labelled("mine")

    return load


def test_a_copy_of_home_depot_saved_as_utf_8_reads_the_same(made):
    """It was read as Latin-1 all the same: every degree sign became two letters."""
    line = '1,7,"Caf\xe9 chair \xb0",angle bracket,2.33\n'
    for encoding in ("latin-1", "utf-8", "utf-8-sig"):
        data = made("home_depot", (DEPOT + line).encode(encoding))
        assert data.table["text_pair"].tolist() == ["Caf\xe9 chair \xb0"]


def test_home_depot_is_latin_1_and_graded(made):
    lines = (
        '1,7,"Caf\xe9 chair 1/2 in. \xb0",angle bracket,2.33\n'
        '2,8,"Chair",angle bracket,3\n'
        '3,7,"NA",null,1\n'
        '4,9,"",deck,2\n'
    )
    data = made("home_depot", zipped((DEPOT + lines).encode("latin-1")), suffix=".csv.zip")
    assert data.graded
    assert data.table["text_pair"].tolist() == ["Caf\xe9 chair 1/2 in. \xb0", "Chair", "NA"]
    assert data.table["text"].tolist() == ["angle bracket", "angle bracket", "null"]
    assert data.table["label"].tolist() == [2.33, 3.0, 1.0]
    assert data.group.tolist() == data.table["text"].tolist()
    assert data.cleaning == {
        "empty query": 0,
        "empty title": 1,
        "rows read": 4,
        "rows dropped": 1,
        "rows kept": 3,
    }


def test_judged_lists_leave_constant_ones_out(made):
    rows = [("b", 3), ("a", 1), ("b", 2), ("c", 2), ("c", 2), ("a", 3), ("d", 1)]
    lines = "".join(f"{n},{n},title {n},{query},{grade}\n" for n, (query, grade) in enumerate(rows))
    data = made("home_depot", DEPOT + lines)
    lists = judged_lists(data)
    assert lists.rows.tolist() == [0, 2, 1, 5]
    assert lists.lists.tolist() == [0, 0, 1, 1]
    assert lists.dropped == 2
    part = judged_lists(data, np.array([1, 3, 4, 5]))
    assert (part.rows.tolist(), part.lists.tolist(), part.dropped) == ([1, 5], [0, 0], 1)
    none = judged_lists(data, np.array([], dtype=int))
    assert (len(none.rows), none.dropped) == (0, 0)


def test_banking77_keeps_the_sources_parts(made):
    train = INTENTS + '"Where, is it?",b\nLost card,a\n ,a\n'
    data = made("banking77", train, INTENTS + "lost  CARD,a\n")
    assert data.labels == ["a", "b"]
    assert data.table["label"].tolist() == [1, 0, 0]
    assert data.table["part"].tolist() == ["train", "train", "test"]
    assert data.group is None
    assert data.cleaning["empty text"] == data.cleaning["rows dropped"] == 1
    parts = labelled_split(data)
    assert parts["test"].tolist() == [2]
    assert 1 not in [*parts["train"], *parts["validation"]]  # the same question, but for case and blanks


def test_banking77_needs_both_files_and_known_intents(made):
    with pytest.raises(RegistryError, match="no file has the role 'test'"):
        made("banking77", INTENTS + "x,a\n")
    with pytest.raises(NotData, match="intents of the test file only: b"):
        made("banking77", INTENTS + "x,a\n", INTENTS + "y,b\n")


def test_womens_clothing_joins_titles_and_drops_what_has_no_text(made):
    lines = (
        "0,767,33,,Silky,4,1,0,Initmates,Intimate,Intimates\n"
        '1,1080,34,Flaws,"It said ""no"",\nreally",2,0,4,General,Dresses,Dresses\n'
        "2,1080,60,Title only,,5,1,0,,,\n"
        "3,5,60,,,5,1,0,General,Dresses,\n"
        "4,5,61,,Fine,3,0,0,,,\n"
    )
    content = zipped(CLOTHES + lines, "__MACOSX/._data.csv")
    data = made("womens_clothing", content, suffix=".csv.zip")
    assert data.table["text"].tolist() == ["Silky", 'Flaws\nIt said "no",\nreally', "Fine"]
    assert data.table["label"].tolist() == [1, 0, 0]
    assert data.table["rating"].tolist() == [4, 2, 3]
    assert data.table["group"].tolist() == [767, 1080, 5]
    assert data.table["title"].tolist() == [None, "Flaws", None]
    assert data.table["class"].tolist() == ["Intimates", "Dresses", None]
    assert data.cleaning == {
        "kept without a title": 2,
        "empty text": 2,
        "rows read": 5,
        "rows dropped": 2,
        "rows kept": 3,
    }


def test_chinese_reviews_lose_stray_marks_and_the_empty_one(made):
    lines = "书籍,1,\ufeff很好\n酒店,0,  \n酒店,0,NA\n水果,0,很好\n"
    data = made("chinese_reviews", zipped("\ufeff" + CHINESE + lines), suffix=".zip")
    assert data.table["text"].tolist() == ["很好", "NA", "很好"]
    assert data.table["category"].tolist() == ["书籍", "酒店", "水果"]
    assert data.table["label"].tolist() == [1, 0, 0]
    assert (data.cleaning["empty text"], data.cleaning["kept though repeated"]) == (1, 1)
    parts = [set(rows) for rows in labelled_split(data).values()]
    assert any({0, 2} <= rows for rows in parts)


@pytest.mark.parametrize(
    ("family", "content", "message"),
    [
        ("home_depot", INTENTS + "x,a\n", "column missing: product_uid, product_title"),
        ("home_depot", DEPOT + "1,2,t,q,3.5\n", "relevance is 3.5 in row 1"),
        ("home_depot", DEPOT + "1,2,t,q,\n", "relevance is nan in row 1"),
        ("home_depot", DEPOT + "1,x,t,q,3\n", "no readable table of home_depot"),
        ("home_depot", DEPOT, "a table without rows"),
        ("womens_clothing", CLOTHES + "0,1,2,,t,6,1,0,,,\n", "Rating is 6"),
        ("womens_clothing", CLOTHES + "0,1,2,,t,5,2,0,,,\n", "Recommended IND is 2"),
        ("womens_clothing", CLOTHES + "0,,2,,t,5,1,0,,,\n", "no readable table"),
        ("chinese_reviews", CHINESE + "x,-1,t\n", "label is -1"),
        ("chinese_reviews", (CHINESE + "书籍,1,很好\n").encode("gb18030"), "not utf-8 text"),
        ("chinese_reviews", "", "no readable table"),
        ("chinese_reviews", CHINESE + 'x,1,"t\n', "no readable table"),
    ],
)
def test_wrong_files_are_named_in_one_line(made, family, content, message):
    assert message in refused(NotData, made, family, content)


def test_wrong_archives_are_refused(made):
    def load(content: bytes):
        return made("chinese_reviews", content, suffix=".zip")

    assert "HTML page" in refused(NotData, load, b"<!doctype html>")
    assert "expected one file" in refused(NotData, load, zipped(CHINESE, "second.csv"))
    assert "no complete zip" in refused(NotData, load, zipped(CHINESE + "x,1,t\n")[:-9])
    assert "outside the target" in refused(UnsafeContent, load, zipped(CHINESE, name="../data.csv"))


def split_sizes(data) -> dict[str, int]:
    parts = labelled_split(data)
    for column in ("text", "group"):
        if column == "text" and "text_pair" in data.table:
            continue  # a query's list has its text in every row
        if column in data.table:
            found = [set(data.table[column].iloc[rows]) for rows in parts.values()]
            assert sum(map(len, found)) == len(set().union(*found))
    return {name: len(rows) for name, rows in parts.items()}


def test_real_home_depot(real_data):
    real_data("home_depot/train.csv.zip")
    data = load_labelled("home_depot")
    assert len(data) == data.cleaning["rows kept"] == data.cleaning["rows read"] == 74_067
    assert data.group.nunique() == 11_795
    assert data.table["product"].nunique() == 54_667
    assert data.group.value_counts().median() == 7
    assert data.table["label"].value_counts().loc[[1.0, 3.0]].tolist() == [2_105, 19_125]
    lists = judged_lists(data)
    assert (lists.dropped, len(np.unique(lists.lists))) == (1_835, 11_795 - 1_835)
    assert split_sizes(data) == {"train": 59_183, "validation": 7_429, "test": 7_455}
    assert sources.files_read.keys() == {"home_depot/train.csv.zip"}


def test_real_banking77(real_data):
    real_data("banking77/train.csv", "banking77/test.csv")
    data = load_labelled("banking77")
    assert (len(data), len(data.labels), data.cleaning["rows dropped"]) == (13_083, 77, 0)
    assert data.table["part"].value_counts().to_dict() == {"train": 10_003, "test": 3_080}
    assert set(data.table["label"][data.table["part"] == "test"].value_counts()) == {40}
    # Seven training questions stand in test too, but for case and blanks.
    assert split_sizes(data) == {"train": 8_950, "validation": 1_046, "test": 3_080}
    for rows in labelled_split(data).values():
        assert data.table["label"].iloc[rows].nunique() == 77


def test_real_womens_clothing(real_data):
    real_data("womens_clothing/Womens_Clothing_E-Commerce_Reviews.csv.zip")
    data = load_labelled("womens_clothing")
    assert (data.cleaning["rows read"], data.cleaning["empty text"], len(data)) == (23_486, 845, 22_641)
    assert data.table["label"].sum() == 18_540
    assert data.group.nunique() == 1_179
    assert data.cleaning["kept without a title"] == 2_966
    assert split_sizes(data) == {"train": 18_519, "validation": 1_965, "test": 2_155}


def test_real_chinese_reviews(real_data):
    real_data("chinese_reviews/online_shopping_10_cats.zip")
    data = load_labelled("chinese_reviews")
    assert (data.cleaning["rows read"], data.cleaning["empty text"], len(data)) == (62_774, 1, 62_773)
    assert data.table["label"].value_counts().to_dict() == {1: 31_727, 0: 31_046}
    assert data.table["category"].nunique() == 10
    assert not data.table["text"].str.startswith("\ufeff").any()
    assert data.cleaning["kept though repeated"] == 50
    assert isinstance(data.table.index, pd.RangeIndex)
    assert split_sizes(data) == {"train": 50_296, "validation": 6_216, "test": 6_261}
