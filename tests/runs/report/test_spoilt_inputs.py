"""What reaches the report from elsewhere: scripts in values, half-written files, a report once stopped."""

import json
import xml.etree.ElementTree

import nbformat
import pytest
from rich.console import Console

from recsys.runs.records import load_records
from recsys.runs.report.command import _read_last, report_command
from recsys.runs.report.pages import write_report
from recsys.runs.report.site import MANIFEST, Site
from tests.runs.made_records import claims_of, experiment, make_record
from tests.runs.report.test_pages import Elements

EXPERIMENT = "01_loss_derivation"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>"
ODD = [
    SCRIPT,
    "$\\frac{$ and $x",
    "$\\nosuchcommand$",
    "a -- b --> c ]]> &amp; {{ 7 * 7 }} {% raw %}",
    "\x00\x07\x1b[31m",
    "\ud800 half",
    "javascript:alert(1)",
    "x" * 5_000,
    "",
]


def edited(folder, number, **changes):
    """A record whose words are changed by hand."""
    record = make_record(folder, EXPERIMENT, {"objective": f"o{number}", "seed": 0}, {"accuracy": 0.5})
    path = record.folder / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A report whose every text is somebody else's."""
    folder = tmp_path_factory.mktemp("odd")
    metric = f"accuracy {SCRIPT} $\\bad$"
    for number, value in enumerate(ODD):
        parameters = {"objective": value, "dataset": SCRIPT, "seed": 0}
        notes = {"notes": value.replace("\ud800", ""), "data": {SCRIPT: SCRIPT}}
        edited(folder / "runs", number, parameters=parameters, metrics={metric: 0.5 + number}, **notes)
    shown = experiment(
        question=SCRIPT,
        metrics=[metric],
        primary_metric=metric,
        plot={"metric": metric, "x": "objective", "panel": "dataset"},
        budget={"quick": SCRIPT},
    )
    asked = {"metric": metric, "treatment": {"objective": SCRIPT}, "value": 0.0, "pair": "seed"}
    claims = claims_of(
        {"paraphrase": SCRIPT, "test": SCRIPT, "criteria": [asked | {"alternative": "greater"}]},
        {"paraphrase": SCRIPT, "reason": SCRIPT},
        {"paraphrase": SCRIPT, "aged": SCRIPT, "disclosed": [{"commit": "a" * 7, "what": SCRIPT}]},
    )
    told = {"experiment": EXPERIMENT, "run": "x", "label": SCRIPT, "reason": SCRIPT, "cell": None}
    records = load_records(folder / "runs")
    assert len(records) == len(ODD)
    failures = [told | {"state": "failed"}, told | {"state": "not run"}]
    write_report(folder / "site", records, records, failures, claims, {EXPERIMENT: shown}, folder / "runs")
    return folder / "site"


def test_no_text_becomes_a_tag(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) >= 2
    for page in pages:
        for tag, attributes in Elements(page).tags:
            assert tag not in ("script", "iframe", "object"), page
            assert not any(name.startswith("on") for name in attributes), (page, tag)
            assert not (attributes.get("href") or "").startswith("javascript:")
            assert attributes.get("src") != "x"
    text = Elements(site / "experiments" / f"{EXPERIMENT}.html").text
    assert "{{ 7 * 7 }}" in text
    assert "alert(1)" in text


def test_every_drawing_is_whole(site):
    drawings = sorted(site.rglob("*.svg"))
    assert drawings
    for drawing in drawings:
        xml.etree.ElementTree.parse(drawing)
        assert "<script" not in drawing.read_text()


DAMAGED = ["", "{", "[]", "null", "3", "\udcff", '{"cells": [{"cell_type": "markdown", "metadata": {}, "sou']
DAMAGED += ['{"nbformat": 99}', '{"cells": {}}', '{"nbformat": 4, "cells": [{"cell_type": "code"}]}']


@pytest.mark.parametrize("spoilt", DAMAGED)
def test_a_damaged_notebook_is_told_on_its_page(tmp_path, spoilt):
    record = make_record(tmp_path / "runs", EXPERIMENT, {"objective": "bce", "seed": 0}, {"accuracy": 0.5})
    (record.folder / "executed.ipynb").write_text(spoilt, errors="surrogateescape")
    shown = experiment(metrics=["accuracy"], primary_metric="accuracy", plot=None)
    write_report(tmp_path / "site", [record], [], [], claims_of({}), {EXPERIMENT: shown})
    (page,) = (tmp_path / "site" / "notebooks").rglob("*.html")
    assert "executed.ipynb cannot be shown" in Elements(page).text


def test_outputs_of_every_odd_kind_are_shown(tmp_path):
    new = nbformat.v4
    outputs = [
        new.new_output("display_data", data={"text/html": SCRIPT, "text/plain": ["a", "b"]}),
        new.new_output("display_data", data={"image/svg+xml": f"<svg>{SCRIPT}</svg>"}),
        new.new_output("display_data", data={"application/json": {"a": [1]}}),
        new.new_output("display_data", data={"text/latex": "$\\frac{$"}),
        new.new_output("display_data", data={"image/png": "no base64"}),
        new.new_output("display_data", data={}),
        new.new_output("error", ename="E", evalue=SCRIPT, traceback=[SCRIPT]),
    ]
    cell = new.new_code_cell("1", outputs=outputs)
    book = new.new_notebook(
        cells=[cell, new.new_markdown_cell(f"{SCRIPT} [x](javascript:alert(1)) $\\bad{{$")]
    )
    record = make_record(
        tmp_path / "runs",
        EXPERIMENT,
        {"objective": "bce", "seed": 0},
        {"accuracy": 0.5},
        notebook=book,
    )
    shown = experiment(metrics=["accuracy"], primary_metric="accuracy", plot=None)
    write_report(tmp_path / "site", [record], [], [], claims_of({}), {EXPERIMENT: shown})
    (page,) = (tmp_path / "site" / "notebooks").rglob("*.html")
    assert "cannot be shown" not in Elements(page).text
    head = page.read_text().partition("</head>")[0]
    assert "default-src 'none'" in head  # so that no script of a notebook's output runs
    assert "script-src" not in head
    links = [attributes.get("href") or "" for tag, attributes in Elements(page).tags if tag == "a"]
    assert not any(link.startswith("javascript:") for link in links)


@pytest.mark.parametrize(
    "spoilt",
    ["", "{", "[]", '{"files": 3}', '{"files": [3, null, "../../x", "/etc/x", "a\\u0000b", "style"]}', "\0"],
)
def test_a_spoilt_list_of_files_does_not_end_the_next_report(tmp_path, spoilt):
    for _ in range(2):
        write_report(tmp_path, [], [], [], claims_of({}), {EXPERIMENT: experiment()})
        (tmp_path / MANIFEST).write_text(spoilt)
    write_report(tmp_path, [], [], [], claims_of({}), {EXPERIMENT: experiment()})
    assert "index.html" in json.loads((tmp_path / MANIFEST).read_text())["files"]


def test_a_report_that_was_stopped_is_written_again(tmp_path, monkeypatch):
    written = Site.write

    def stopped(site, name, text):
        name = written(site, name, text)
        if name == "index.html":
            raise KeyboardInterrupt
        return name

    monkeypatch.setattr(Site, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_report(tmp_path, [], [], [], claims_of({}), {EXPERIMENT: experiment()})
    monkeypatch.undo()
    assert write_report(tmp_path, [], [], [], claims_of({}), {EXPERIMENT: experiment()}).is_file()


WHOLE = {"experiment": "00_x", "run": "a-1", "label": "a", "state": "failed", "reason": "why", "cell": None}


NO_ENTRIES = [{"run": None}, {"run": "../../../x"}, {"experiment": ".."}, {"reason": 3}, {"label": ["a"]}]
NO_ENTRIES += [{"cell": "7"}, {"run": ""}, {"run": "a\x00"}]


@pytest.mark.parametrize("change", NO_ENTRIES, ids=str)
def test_an_entry_of_the_last_command_that_is_none_is_not_read(tmp_path, change, capsys):
    for runs in ([WHOLE], [WHOLE, WHOLE | change]):
        (tmp_path / "last.json").write_text(json.dumps({"runs": runs}))
        found = _read_last(Console(), tmp_path)
        assert found == ([WHOLE] if len(runs) == 1 else [])
    assert "not read" in capsys.readouterr().out


def test_a_folder_of_runs_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="rnus"):
        report_command(Console(), tmp_path / "site", tmp_path / "rnus")
    assert not (tmp_path / "site").exists()
