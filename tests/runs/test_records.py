"""Records as disks, merges and kills leave them: whole, or told in one line why not."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.runs import paths
from recsys.runs.evidence import publish
from recsys.runs.evidence.verify import check_record, unreadable
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.grid.plan import plan
from recsys.runs.record_shape import fault
from recsys.runs.records import RecordFileError, load_records, not_whole, read_record
from tests.conftest import make_project, write_notebook
from tests.runs.evidence.test_verify import write_record

NEEDED = (
    ("experiment",),
    ("run",),
    ("profile",),
    ("parameters",),
    ("threads",),
    ("metrics",),
    ("code",),
    ("code", "commit"),
    ("code", "dirty"),
    ("code", "notebook"),
    ("code", "notebook", "path"),
    ("code", "notebook", "sha256"),
    ("code", "loaded"),
    ("code", "provenance"),
    ("data",),
    ("machine",),
    ("machine", "memory_gb"),
    ("files",),
    ("seconds",),
    ("started",),
    ("peak_memory_mb",),
)


@pytest.fixture
def record(tmp_path):
    return write_record(tmp_path / "00_x" / "run")


def edited(record, place, *value):
    """The record with the value at a place replaced, or removed where none is given."""
    raw = json.loads((record.folder / "record.json").read_text())
    node = raw
    for key in place[:-1]:
        node = node[key]
    del node[place[-1]]
    if value:
        node[place[-1]] = value[0]
    return raw


@pytest.mark.parametrize("place", NEEDED, ids=".".join)
def test_a_field_that_is_missing_or_of_another_type_is_named_and_the_record_left_out(record, place):
    right = json.loads((record.folder / "record.json").read_text())
    for key in place:
        right = right[key]
    number = isinstance(right, int | float) and not isinstance(right, bool)
    wrong = [[1], *([True, "1", float("nan")] if number else [1])]
    for raw in (edited(record, place), *(edited(record, place, value) for value in wrong)):
        (record.folder / "record.json").write_text(json.dumps(raw))
        assert read_record(record.folder) is None
        assert load_records(record.folder.parents[1]) == []
        (said,) = unreadable(record.folder.parents[1])
        assert f"is no whole record ({'.'.join(place)}" in said
        assert "\n" not in said
        (record.folder / "record.json").write_text(json.dumps(record.raw))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ('{"format": 2', "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ("{}", "Field required"),
        ("\udcff".encode("utf-8", "surrogateescape"), "no JSON"),
    ],
    ids=["empty", "cut", "deep", "list", "bare", "bytes"],
)
def test_what_is_no_record_is_told_in_one_line(tmp_path, text, why):
    path = tmp_path / "00_x" / "run" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert read_record(path.parent) is None
    assert why in not_whole(path.parent)
    assert read_record(tmp_path) is None
    assert not_whole(tmp_path) is None, "where there is no file, nothing is broken"


@pytest.mark.parametrize("name", ["../outside", "a/b", "/etc/passwd", ".hidden", ""])
@pytest.mark.parametrize("field", ["experiment", "run", "files"])
def test_names_that_lead_out_of_the_folder_are_no_record(record, field, name):
    raw = edited(record, (field,), {name: "ab"} if field == "files" else name)
    assert field in fault(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_no_json_value_makes_the_check_itself_fail(value):
    assert fault(value)


def test_run_and_status_say_that_a_record_is_not_whole(tmp_path, monkeypatch):
    project = make_project(tmp_path)
    write_notebook(project / "notebooks" / "00_x.ipynb", "seed: int = 0  # seed")
    (project / "experiments" / "00_x.yaml").write_text(
        "name: 00_x\nnotebook: notebooks/00_x.ipynb\nquestion: q\nmetrics: [mrr]\nprimary_metric: mrr\n"
        "profiles: {quick: {cells: [{}]}}\n"
    )
    monkeypatch.setattr(paths, "PROJECT", project)
    monkeypatch.setattr(paths, "EXPERIMENTS", project / "experiments")
    experiments = load_experiments(project / "experiments").values()
    (before,) = plan(experiments, "quick", runs=tmp_path / "runs")
    assert before.reason == "not run yet"
    made = write_record(before.folder, profile="quick")
    (before.folder / "record.json").write_text(json.dumps(edited(made, ("code", "commit"))))
    (one,) = plan(experiments, "quick", runs=tmp_path / "runs")
    assert one.reason == "its record is not whole (code.commit: Field required)"


def test_a_cut_table_is_one_line_that_says_what_to_do(record):
    path = record.folder / "ranks.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RecordFileError, match=r"^00_x/run/ranks.parquet cannot be read \(.*--force$"):
        record.positions()
    problems = check_record(record)[0]
    assert any("ranks.parquet cannot be read" in problem for problem in problems)
    assert any("sha256 differs" in problem for problem in problems)
    path.write_bytes(b"")
    with pytest.raises(RecordFileError, match="cannot be read"):
        record.positions()


def test_a_table_without_its_columns_is_named(record):
    path = record.folder / "ranks.parquet"
    record.positions().drop(columns="better").to_parquet(path)
    with pytest.raises(RecordFileError, match="has no column better"):
        record.positions()


class Killed(BaseException):
    """Not an Exception: nothing may tidy up as if it were an error."""


@pytest.mark.parametrize("moment", range(6))
@pytest.mark.parametrize("earlier", [False, True], ids=["new", "published before"])
def test_a_kill_while_publishing_leaves_the_old_record_or_the_new_one(tmp_path, monkeypatch, moment, earlier):
    """The process ends before the n-th thing that publishing does to the disk; then publish goes again."""
    reference = tmp_path / "reference"
    new = write_record(tmp_path / "runs" / "00_x" / "run", seed=1)
    if earlier:
        publish._copy(write_record(tmp_path / "before" / "00_x" / "run", seed=0), reference)
    left = [moment]

    def or_die(do):
        def step(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return do(*arguments, **options)

        return step

    with monkeypatch.context() as dying:
        dying.setattr(shutil, "rmtree", or_die(shutil.rmtree))
        dying.setattr(shutil, "copyfile", or_die(shutil.copyfile))
        for name in ("rename", "replace", "write_text"):
            dying.setattr(f"pathlib.Path.{name}", or_die(getattr(type(tmp_path), name)))
        with pytest.raises(Killed):
            publish._copy(new, reference)
    found = load_records(reference)
    assert len(found) <= 1
    for record in found:
        assert check_record(record)[0] == []
    publish._copy(new, reference)
    (record,) = load_records(reference)
    assert record.seed == 1
    assert check_record(record)[0] == []
    assert [path.name for path in (reference / "00_x").iterdir()] == ["run"], "nothing is left over"


def test_a_full_disk_while_publishing_leaves_the_record_that_was_there(tmp_path, monkeypatch):
    reference = tmp_path / "reference"
    publish._copy(write_record(tmp_path / "before" / "00_x" / "run", seed=0), reference)
    new = write_record(tmp_path / "runs" / "00_x" / "run", seed=1)

    def full(source, target):
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(28, "No space left on device", str(target))

    with monkeypatch.context() as disk:
        disk.setattr(shutil, "copyfile", full)
        with pytest.raises(OSError, match="No space"):
            publish._copy(new, reference)
    (record,) = load_records(reference)
    assert record.seed == 0
    assert check_record(record)[0] == []
    assert [path.name for path in (reference / "00_x").iterdir()] == ["run"]
