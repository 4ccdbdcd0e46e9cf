"""The house rules that a machine can check."""

import re
import subprocess

import pytest

from tests.conftest import ROOT

TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
]
TEXT = [p for p in TRACKED if p.is_file() and p.suffix not in {".parquet", ".png", ".lock"}]


PYTHON = [p for p in TEXT if p.suffix == ".py"]
MOST_FILES, MOST_LINES, LONGEST = (
    20,
    2500,
    300,
)  # of a folder, its sub-folders counted on their own; of a file


def test_no_file_is_too_long():
    assert {str(p.relative_to(ROOT)): n for p in PYTHON if (n := lines(p)) > LONGEST} == {}


def test_no_room_is_too_full():
    rooms: dict[str, list[int]] = {}
    for path in PYTHON:
        rooms.setdefault(str(path.parent.relative_to(ROOT)), []).append(lines(path))
    full = {room: (len(sizes), sum(sizes)) for room, sizes in rooms.items()}
    assert {room: size for room, size in full.items() if size[0] > MOST_FILES or size[1] > MOST_LINES} == {}


def lines(path):
    return path.read_text(encoding="utf-8").count("\n")


@pytest.mark.parametrize(
    "path", [p for p in PYTHON if p.is_relative_to(ROOT / "recsys")], ids=lambda p: str(p.relative_to(ROOT))
)
def test_the_first_line_says_the_job_in_a_whole_sentence(path):
    """docs/code.md promises it: a reader of the tree sees file names and first lines only."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    assert first.startswith('"""')
    assert first.rstrip('"').rstrip()[-1] in ".?!)", first


def test_no_name_that_says_nothing():
    assert [p for p in TRACKED if p.name in {"utils.py", "helpers.py", "common.py", "misc.py"}] == []


@pytest.mark.parametrize("path", TEXT, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_machine_path_and_no_registry_address(path):
    text = path.read_text(encoding="utf-8")
    machine = re.findall(r"(?<![\w.])/(?:home/(?!mambauser)|root/|Users/|work/|opt/wheels/)[\w./-]+", text)
    registry = re.findall(r"https?://(?:pypi\.|files\.pythonhosted|registry\.npmjs|deb\.debian)\S*", text)
    assert machine + registry == []
