"""The exported RO-Crate: every reference leads somewhere, every file is there, and nothing is said twice."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import pytest

from recsys.runs.evidence.export.ro_crate import PROFILE, ExportError, export
from recsys.runs.grid import git
from recsys.runs.records import PROVENANCE
from tests.runs.evidence.test_verify import SHARED, write_record

pytest.importorskip("rocrate", reason="rocrate is not installed")
NOTEBOOK = "notebooks/00_data_and_splits.ipynb"
DATA = {"beauty/Beauty.txt": "ef" * 32}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    made = []
    for seed in range(3):
        code = {"commit": git.head(), "dirty": False, "notebook": {"path": NOTEBOOK, "sha256": "ab" * 8}}
        if seed == 2:
            code["commit"] = "0" * 40  # not in this repository
        code |= {"loaded": [], PROVENANCE: "to be named"}
        code[PROVENANCE] = write_record(runs / "x" / f"p{seed}").code[PROVENANCE]
        settings = {"dataset": "beauty", "list": [1, 2], "name": "two words & more", "seed": seed}
        made.append(
            write_record(runs / "00_x" / f"s{seed} & co", seed, code=code, data=DATA, parameters=settings)
        )
    return made


@pytest.fixture(scope="module")
def crate(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "crate"
    assert export(records, folder) == 3
    return folder


@pytest.fixture(scope="module")
def graph(crate):
    return json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]


def references(value):
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def test_the_graph_closes(graph):
    """Each entity once; what one refers to is there; all are reached from the root."""
    by_id = {entity["@id"]: entity for entity in graph}
    assert len(by_id) == len(graph)
    outside = {target for entity in graph for target in references(entity)} - by_id.keys()
    assert outside == {"https://w3id.org/ro/crate/1.1"}
    reached, due = set(), ["ro-crate-metadata.json"]
    while due:
        one = due.pop()
        if one in by_id and one not in reached:
            reached.add(one)
            due += references(by_id[one])
    assert by_id.keys() - reached == set()


def test_every_file_is_there_unaltered_and_every_file_is_named(crate, graph):
    named = set()
    for entity in graph:
        if "File" in entity["@type"]:
            path = crate / unquote(entity["@id"])
            assert path.is_file(), entity["@id"]
            named.add(path)
            if "sha256" in entity:
                assert hashlib.sha256(path.read_bytes()).hexdigest() == entity["sha256"]
    there = {path for path in crate.rglob("*") if path.is_file()}
    assert there - named == {crate / "ro-crate-metadata.json"}


def test_a_run_names_notebook_data_settings_results_times_and_versions(records, graph):
    by_id = {entity["@id"]: entity for entity in graph}
    root = by_id["./"]
    assert root["conformsTo"] == {"@id": PROFILE}
    assert root["license"]["@id"].endswith("Apache-2.0")
    actions = [entity for entity in graph if entity["@type"] == "CreateAction"]
    assert root["mentions"] == [{"@id": action["@id"]} for action in actions]
    assert [action["name"] for action in actions] == [record.name for record in records]
    action = actions[0]
    assert action["startTime"] == "2026-11-22T06:40:00.000+00:00"
    took = datetime.fromisoformat(action["endTime"]) - datetime.fromisoformat(action["startTime"])
    assert took.total_seconds() == records[0].seconds
    notebook = by_id[action["instrument"]["@id"]]
    assert notebook["version"] == git.head()
    package = by_id[notebook["softwareRequirements"][0]["@id"]]
    assert (package["name"], package["softwareVersion"]) == ("python", SHARED["versions"]["python"])
    objects = [by_id[one["@id"]] for one in action["object"]]
    settings = {one["name"]: one["value"] for one in objects if one["@type"] == "PropertyValue"}
    assert settings == {"dataset": "beauty", "list": "[1, 2]", "name": "two words & more", "seed": 0}
    (data,) = [one for one in objects if one["@type"] == "CreativeWork"]
    assert (data["name"], data["sha256"]) == ("beauty/Beauty.txt", "ef" * 32)
    assert by_id[data["license"]["@id"]]["name"]
    names = [by_id[one["@id"]]["name"] for one in action["result"]]
    assert names == ["Record of the run", "ranks.parquet", "Definitions and versions it depended on"]
    assert by_id[by_id[action["agent"]["@id"]]["@id"]]["@type"] == "Organization"
    lost = by_id[actions[2]["instrument"]["@id"]]
    assert (lost["@type"], lost["version"]) == ("SoftwareSourceCode", "0" * 40), "named, for want of the file"


def test_what_cannot_be_exported_is_told(records, tmp_path):
    with pytest.raises(ExportError, match="no record to export"):
        export([], tmp_path / "new")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("kept")
    with pytest.raises(ExportError, match="not empty"):
        export(records, tmp_path / "full")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    (tmp_path / "empty").mkdir()
    assert export(records[:1], tmp_path / "empty") == 1


def test_what_a_stopped_export_left_does_not_get_into_the_next(records, tmp_path):
    left = tmp_path / ".crate.part" / "old.txt"
    left.parent.mkdir()
    left.write_text("of another export")
    export(records, tmp_path / "crate")
    assert not (tmp_path / "crate" / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["crate"]


def test_the_current_folder_is_a_folder_with_a_name(records, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert export(records, Path(".")) == 3
    assert (tmp_path / "here" / "ro-crate-metadata.json").is_file()
    with pytest.raises(ExportError, match="is not empty"):
        export(records, Path("."))


def test_a_record_whose_table_is_gone_is_not_exported_without_it(tmp_path):
    record = write_record(tmp_path / "runs" / "00_x" / "one")
    (record.folder / "ranks.parquet").unlink()
    with pytest.raises(ExportError, match=r"00_x/one/ranks\.parquet is missing"):
        export([record], tmp_path / "crate")
    assert not (tmp_path / "crate").exists()
