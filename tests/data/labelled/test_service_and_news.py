"""Customer questions, company news, tweets and own dated texts: what is dropped, and what names the fault."""

import io
import json
import tarfile
import zipfile

import pandas as pd
import pytest
import yaml

from recsys.data.errors import NotData, RegistryError
from recsys.data.files.spreadsheet import read_sheet
from recsys.data.labelled.clinc_oos import OUTSIDE
from recsys.data.labelled.dataset import labelled_split, load_labelled

SHEET = """<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">
<sheetData>{rows}</sheetData></worksheet>"""
TEXTS = """<?xml version="1.0"?><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{texts}</sst>"""


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """Function: a data set "mine" of a family from files (role -> name and bytes); returns it loaded."""

    def load(family: str, files: dict[str, tuple[str, bytes]], options: dict | None = None):
        places = []
        for role, (name, content) in files.items():
            (tmp_path / name).write_bytes(content)
            places.append({"name": name, "role": role, "path": str(tmp_path / name)})
        made = {"family": family, "files": places} | ({"options": options} if options else {})
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"mine": made}))
        monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "sources.yaml"))
        return load_labelled("mine")

    return load


def spreadsheet(rows: list[list[str]]) -> bytes:
    cells = [cell for row in rows for cell in row]
    lines, number = [], 0
    for place, row in enumerate(rows, start=1):
        line = ""
        for column, _ in zip("ABCDE", row, strict=False):
            line += f'<c r="{column}{place}" t="s"><v>{number}</v></c>'
            number += 1
        lines.append(f'<row r="{place}">{line}</row>')
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", SHEET.format(rows="".join(lines)))
        archive.writestr(
            "xl/sharedStrings.xml", TEXTS.format(texts="".join(f"<si><t>{c}</t></si>" for c in cells))
        )
    return stream.getvalue()


def clinc(**parts) -> bytes:
    empty = {f"{oos}{part}": [] for oos in ("", "oos_") for part in ("train", "val", "test")}
    return json.dumps(empty | parts).encode()


def test_clinc_has_three_parts_and_a_label_for_what_belongs_to_none(entry):
    content = clinc(train=[["b one", "b"], ["a one", "a"]], test=[["a two", "a"]], oos_test=[["zz", "oos"]])
    data = entry("clinc_oos", {"questions": ("q.json", content)})
    assert data.labels == ["a", "b", OUTSIDE]
    assert data.table["label"].tolist() == [1, 0, 0, 2]
    assert data.table["own_part"].tolist() == ["train", "train", "test", "test"]
    assert len(labelled_split(data)["test"]) == 2


@pytest.mark.parametrize("content", [b"[]", b"no json", b'{"train": []}', clinc(test=[["x", "new"]])])
def test_another_file_than_clincs_is_named(entry, content):
    with pytest.raises(NotData, match=r"q\.json"):
        entry("clinc_oos", {"questions": ("q.json", content)})


def test_bitext_keeps_marks_and_parts(entry):
    head = "utterance,intent,entity_type,entity_value,start_offset,end_offset,category,tags\n"
    files = {
        "train": ("train.csv", f"{head}cancel 123456,cancel,order_id,123456,7,13,ORDER,BL\n".encode()),
        "validation": ("dev.csv", f"{head}track it,track,,,,,ORDER,BZ\n".encode()),
        "test": ("test.csv", f"{head},track,,,,,ORDER,B\ncancel it,cancel,,,,,ORDER,B\n".encode()),
    }
    data = entry("bitext_support", files)
    assert data.labels == ["cancel", "track"]
    assert data.table["value"].tolist() == ["123456", "", ""]
    assert data.table["own_part"].tolist() == ["train", "validation", "test"]
    assert data.cleaning["empty text"] == 1


NEWS = (
    ",日期,公司,代码,正负面,标题,正文\n"
    "1,2018年5月1日,甲,000001,0,甲亏损,正文\n"
    "2,2018年04月02日,乙,600002,1,乙增长,\n"
)
SEED = [
    ["日期", "公司", "代码", "正/负面", "标题"],
    ["2018年1月3日", "甲", "000001", "0", "甲亏损"],
    ["2018年1月4日", "丙", "000003", "1", "丙中标"],
]


def test_company_news_are_by_time_with_codes_as_texts_and_no_title_twice(entry):
    data = entry("company_news", {"news": ("n.csv", NEWS.encode()), "seed": ("s.xlsx", spreadsheet(SEED))})
    assert data.table["text"].tolist() == ["丙中标", "乙增长", "甲亏损"]
    assert data.table["label"].tolist() == [0, 0, 1]
    assert data.table["code"].tolist() == ["000003", "600002", "000001"]
    assert data.table["time"].is_monotonic_increasing
    assert data.table["origin"].tolist() == ["seed", "news", "news"]
    assert data.cleaning["title stands before"] == 1


def test_a_date_or_a_label_that_is_none(entry):
    with pytest.raises(NotData, match="no date"):
        entry("company_news", {"news": ("n.csv", NEWS.replace("2018年5月1日", "5/1/18").encode())})
    with pytest.raises(NotData, match="labels are 0 and 1"):
        entry("company_news", {"news": ("n.csv", NEWS.replace(",0,", ",2,").encode())})


@pytest.mark.parametrize("content", [b"no zip", spreadsheet([])[:40]], ids=["no zip", "cut"])
def test_no_spreadsheet(tmp_path, content):
    (tmp_path / "x.xlsx").write_bytes(content)
    with pytest.raises(NotData, match="no readable spreadsheet"):
        read_sheet(tmp_path / "x.xlsx")


def test_a_spreadsheet_that_blows_up_is_refused(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "' + "z" * 1000 + '">'
    bomb += "".join(f'<!ENTITY {b} "{f"&{a};" * 100}">' for a, b in zip("abcd", "bcde", strict=True)) + "]>"
    with zipfile.ZipFile(tmp_path / "x.xlsx", "w") as archive:
        archive.writestr("xl/sharedStrings.xml", f"<?xml version='1.0'?>{bomb}<sst><si><t>&e;</t></si></sst>")
        archive.writestr("xl/worksheets/sheet1.xml", SHEET.format(rows=""))
    with pytest.raises(NotData, match="no readable spreadsheet"):
        read_sheet(tmp_path / "x.xlsx")


def tweets(files: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def test_tweets_have_their_firm_and_exact_time(entry):
    line = json.dumps({"text": ["$", "xy", "falls"], "created_at": "Thu Jan 02 15:45:02 +0000 2014"})
    data = entry(
        "stock_tweets", {"archive": ("t.tar.gz", tweets({"tweet/preprocessed/XY/2014-01-02": line + "\n"}))}
    )
    assert data.table["text"].tolist() == ["$ xy falls"]
    assert data.table["time"].tolist() == [pd.Timestamp("2014-01-02 15:45:02")]
    assert data.labels == ["XY"]


@pytest.mark.parametrize("files", [{}, {"tweet/preprocessed/XY/2014-01-02": "no json"}, {"readme": "x"}])
def test_no_tweets(entry, files):
    with pytest.raises(NotData, match=r"t\.tar\.gz"):
        entry("stock_tweets", {"archive": ("t.tar.gz", tweets(files))})


def test_own_dated_texts(entry):
    content = b"when,what\n2020-01-02,second\n2020-01-01T10:00:00Z,first\n,third\n"
    data = entry("dated_texts", {"texts": ("x.csv", content)}, {"text": "what", "time": "when"})
    assert data.table["text"].tolist() == ["first", "second"]
    assert set(data.table["firm"]) == {"mine"}
    with pytest.raises(RegistryError, match="no 'firma'"):
        entry("dated_texts", {"texts": ("x.csv", content)}, {"text": "what", "time": "when", "firma": "x"})
    with pytest.raises(RegistryError, match="name the column of time"):
        entry("dated_texts", {"texts": ("x.csv", content)}, {"text": "what"})
    with pytest.raises(NotData, match="how times are written"):
        entry(
            "dated_texts", {"texts": ("x.csv", b"when,what\n1.2.2020,x\n")}, {"text": "what", "time": "when"}
        )


def test_the_real_files(real_data):
    real_data("clinc_oos/data_full.json", "chinese_financial_news/news_seed.xlsx", "bitext_support/test.csv")
    questions = load_labelled("clinc_oos")
    assert len(questions) == 23_700
    assert len(questions.labels) == 151
    news = load_labelled("company_news")
    assert news.cleaning["rows read"] == 9_446
    assert not news.table["text"].duplicated().any()
    assert len(load_labelled("bitext_support")) == 8_100
