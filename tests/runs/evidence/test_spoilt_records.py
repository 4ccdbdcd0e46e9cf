"""Committed records that were edited, merged by hand, cut off or replaced by links: each is named."""

import copy
import json

import pytest

from recsys.runs import paths
from recsys.runs.checksums import CHECKSUMS, altered
from recsys.runs.evidence import verify
from recsys.runs.evidence.verify import check_record, unreadable
from recsys.runs.grid import git
from recsys.runs.record_shape import fault
from recsys.runs.records import load_records, read_record
from tests.runs.evidence.test_verify import changed_by_one, leaves, write_record

EXPERIMENTS = sorted({path.parent.parent.name for path in paths.REFERENCE.glob("*/*/record.json")})
ANOTHER = {
    str: ["", "0", 0, None],
    bool: [None, 0, "True"],
    int: [None, "1", 0.5, True],
    float: [None, "1", 0],
}


def newest(experiment):
    return max(load_records(paths.REFERENCE, experiment), key=lambda record: record.started)


def others(value):
    """Values of other kinds that an edit may leave, beside one of the same kind."""
    found = [changed_by_one(value), *ANOTHER.get(type(value), [1])]
    return [other for other in found if repr(other) != repr(value)]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_word_and_number_of_the_newest_records_is_guarded(experiment):
    """Whatever a room's notebooks record: parameters, nested notes, lists, empty texts."""
    record = newest(experiment)
    assert altered(record.raw) == []
    places = list(leaves(record.raw))
    assert len(places) >= 30
    for place in places:
        raw = copy.deepcopy(record.raw)
        node = raw
        for key in place[:-1]:
            node = node[key]
        for other in others(node[place[-1]]):
            node[place[-1]] = other
            name = ".".join(map(str, place))
            said = [problem for problem in altered(raw) if problem.startswith(f"{name} is ")]
            assert said or fault(raw), f"{experiment}: {name} = {other!r} goes unnoticed"


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_word_less_or_more_in_the_newest_records_is_named(experiment):
    record = newest(experiment)
    for part in [record.raw, *(v for k, v in record.raw.items() if isinstance(v, dict) and k != CHECKSUMS)]:
        for key in [name for name in part if name != CHECKSUMS]:
            taken = part.pop(key)
            assert any("was removed later" in problem for problem in altered(record.raw)), key
            part[key] = taken
        part["further"] = 1
        assert any("further was added later" in problem for problem in altered(record.raw))
        del part["further"]
    assert altered(record.raw) == []


def test_a_checksum_itself_is_guarded(tmp_path):
    record = write_record(tmp_path / "00_x" / "run")
    for name in record.raw[CHECKSUMS]:
        raw = copy.deepcopy(record.raw)
        raw[CHECKSUMS][name] = "00000000"
        assert [problem.partition(" is ")[0] for problem in altered(raw)] == [name]


def test_a_table_that_no_run_recorded_is_named(tmp_path):
    """Verdicts read lists.parquet wherever it lies."""
    record = write_record(tmp_path / "00_x" / "run")
    (record.folder / "lists.parquet").write_bytes((record.folder / "ranks.parquet").read_bytes())
    assert "00_x/run: lists.parquet is not among the files that were recorded" in check_record(record)[0]


def test_a_folder_without_a_record_and_links_are_named(tmp_path):
    reference, elsewhere = tmp_path / "reference", tmp_path / "elsewhere"
    for run in ("whole", "half", "linked"):
        write_record(reference / "00_x" / run)
    write_record(elsewhere / "00_x" / "led")
    (reference / "00_x" / "half" / "record.json").unlink()
    moved = (reference / "00_x" / "linked" / "record.json").rename(elsewhere / "record.json")
    (reference / "00_x" / "linked" / "record.json").symlink_to(moved)
    (reference / "00_x" / "led").symlink_to(elsewhere / "00_x" / "led")
    (reference / "00_x" / "nowhere").symlink_to(tmp_path / "gone")
    (reference / "00_x" / ".run.part").mkdir()
    assert unreadable(reference) == [
        "00_x/half: holds no record.json",
        "00_x/led: led is a link, not a file of its own",
        "00_x/linked: record.json is a link, not a file of its own",
    ]


@pytest.mark.parametrize("spoilt", ["", "{", "[]", "3", "[" * 100_000, "\udcff"])
def test_costs_and_drills_that_are_no_json_are_named(tmp_path, spoilt):
    path = tmp_path / "00_x" / "cost.json"
    path.parent.mkdir()
    path.write_text(spoilt, errors="surrogateescape")
    problems = []
    assert verify._read_json(path, problems) == {}
    assert "00_x/cost.json: cannot be read (" in problems[0]


@pytest.mark.parametrize("started", ["2026-11-22T06:40:00", "2026-11-22", "yesterday", ""])
def test_a_time_without_its_zone_makes_no_record(tmp_path, started):
    """It could not be compared with the times of commits."""
    write_record(tmp_path / "00_x" / "run", started=started)
    assert read_record(tmp_path / "00_x" / "run") is None
    assert "started" in unreadable(tmp_path)[0]


def test_only_commits_are_commits():
    head = git.head()
    blob = git.git("rev-parse", "HEAD:pyproject.toml").strip()
    tree = git.git("rev-parse", "HEAD^{tree}").strip()
    strange = {"HEAD", "main", "", "none", "--all", "0" * 40, blob, tree, "abc def", f"{head} x", "é" * 40}
    assert git.missing_commits([head, head[:12], *strange]) == strange


def test_a_record_with_a_key_twice_is_what_json_reads_and_its_checksums_hold(tmp_path):
    record = write_record(tmp_path / "00_x" / "run")
    path = record.folder / "record.json"
    path.write_text(path.read_text().replace('"threads": 1', '"threads": 1, "threads": 2'))
    assert any("threads is 2" in problem for problem in check_record(read_record(record.folder))[0])
    assert json.loads(path.read_text())["threads"] == 2
