"""Anybody's labelled texts in one CSV file."""

import pytest
import yaml

from recsys.data.errors import NotData, RegistryError
from recsys.data.labelled.dataset import describe_labelled, labelled_split, load_labelled
from tests.data.test_sources import refused

REVIEWS = "comment;stars;product\nschön;5;a\n ;4;a\nno;1;b\nso so;3;b\nfine;4;c\nNA;2;c\nlast;;c\n"
COLUMNS = {"text": "comment", "label": "stars", "group": "product"}
CLASSES = {"1": "bad", "2": "bad", "3": None, "4": "good", "5": "good"}


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Function: load a labelled set of this content and these options."""

    def load(content: str = REVIEWS, **options):
        (tmp_path / "reviews.csv").write_text(content, options.get("encoding", "utf-8"))
        files = [{"name": "reviews.csv", "path": str(tmp_path / "reviews.csv")}]
        told = {"columns": COLUMNS, "separator": ";"} | options
        entry = {"mine": {"family": "labelled_table", "files": files, "options": told}}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(entry))
        monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "mine.yaml"))
        return load_labelled("mine")

    return load


def test_classes_with_names(mine):
    found = mine(classes=CLASSES, encoding="latin-1")
    assert found.labels == ["bad", "good"]
    assert found.table["text"].tolist() == ["schön", "no", "fine", "NA"]
    assert found.table["label"].tolist() == [1, 0, 1, 0]
    assert found.cleaning == {
        "empty text": 1,
        "empty label": 1,
        "empty group": 0,
        "left out by classes": 1,
        "rows read": 7,
        "rows dropped": 3,
        "rows kept": 4,
    }
    parts = labelled_split(found)
    assert sum(len(rows) for rows in parts.values()) == 4
    assert "good: 2" in describe_labelled("mine")["labels"]


def test_every_value_a_class_and_grades(mine):
    assert mine().labels == ["1", "2", "3", "4", "5"]
    graded = mine(graded=True)
    assert graded.graded
    assert graded.table["label"].tolist() == [5.0, 1.0, 3.0, 4.0, 2.0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"columns": {"text": "comment"}}, "columns must name label"),
        ({"columns": {"text": "comment", "lable": "stars"}}, "no column 'lable' is known"),
        ({"columns": COLUMNS | {"text": "comments"}}, "no column comments; it has comment, stars, product"),
        ({"classes": {"1": "bad", "5": "good"}}, "label '2' is not in the map `classes`"),
        ({"classes": dict.fromkeys("12345", "one")}, "all labels are 'one'"),
        ({"classes": CLASSES, "graded": True}, "either graded or classes"),
        ({"columns": {"text": "comment", "label": "stars"}, "graded": True}, "need a column group"),
        (
            {"columns": {"text": "stars", "label": "comment", "group": "product"}, "graded": True},
            "is no number",
        ),
        ({"separator": ","}, "it has comment;stars;product"),
        ({"colums": {}}, "Extra inputs"),
        ({"columns": COLUMNS | {"group": "stars"}}, "two of the columns are one column of the file"),
        ({"encoding": "utf-7-x"}, "no readable table"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(mine, options, told):
    assert told in refused((NotData, RegistryError), lambda: mine(**options))


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        ("comment;stars;product;stars\na;1;x;5\nb;2;y;4\n", {}, "column stars stands 2 times"),
        ("comment;stars;product\na;inf;x\nb;2;y\n", {"graded": True}, "label 'inf' is no number"),
        ("comment;stars;product\na;nan;x\nb;2;y\n", {"graded": True}, "label 'nan' is no number"),
        ("comment;stars;product\na;2,5;x\nb;2;y\n", {"graded": True}, "label '2,5' is no number"),
        ("", {}, "no readable table"),
        ("comment;stars;product\n", {}, "no text is left of 0 rows"),
        ('comment;stars;product\n"a;1;x\n', {}, "no readable table"),
    ],
)
def test_a_file_that_says_what_no_set_can_hold_is_named(mine, content, options, told):
    assert told in refused(NotData, lambda: mine(content, **options))


@pytest.mark.parametrize("encoding", ["UTF-8", "utf8", "utf_8", "utf-8"])
def test_a_byte_order_mark_is_none_of_the_first_column_s_name(mine, encoding):
    content = "\ufeffcomment;stars;product\r\nschön;5;a\r\nno;1;b\r\n"
    assert mine(content, encoding=encoding).table["text"].tolist() == ["schön", "no"]


def test_another_encoding_is_named(mine, tmp_path):
    mine(encoding="latin-1")
    (tmp_path / "reviews.csv").write_bytes(REVIEWS.encode("latin-1"))
    (tmp_path / "mine.yaml").write_text((tmp_path / "mine.yaml").read_text().replace("latin-1", "utf-8"))
    assert "not utf-8 text" in refused(NotData, load_labelled, "mine")
