"""Workers: order, faults, memory, a file that kills its decoder."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from recsys.multimodal.decoding.faults import DecodingError
from recsys.multimodal.decoding.workers import decode_files
from tests.conftest import ROOT
from tests.multimodal.broken_files import bytes_of, halves, hundred_of_all_kinds, hundred_pictures

PICTURES = "recsys.multimodal.decoding.pictures:decode_picture"
SIZE = {"width": 8, "height": 8}
DECODE_ALL = """
import json, resource, sys
from pathlib import Path
from recsys.multimodal.decoding.faults import Undecodable
from recsys.multimodal.decoding.pictures import decode_picture
from recsys.multimodal.decoding.sound import decode_sound
from recsys.multimodal.decoding.video import decode_video
import av, scipy.signal  # what decoding imports lazily is not what a file costs
size = {"width": 64, "height": 64}
decoders = {"picture": (decode_picture, size), "video": (decode_video, size), "sound": (decode_sound, {})}
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
before, reasons = peak(), []
for path, kind, _ in json.loads(Path(sys.argv[1]).read_text()):
    decode, options = decoders[kind]
    try:
        decode(Path(path).read_bytes(), **options)
        reasons.append(None)
    except Undecodable as error:
        reasons.append(str(error))
print(json.dumps({"reasons": reasons, "megabytes": peak() - before}))
"""


def explosive(content: bytes) -> np.ndarray:
    """A decoder that dies of one content and takes all memory at another."""
    if content == b"kill":
        os._exit(3)
    if content == b"memory":
        return np.ones(40 << 30, np.uint8)
    return np.frombuffer(content, np.uint8)


def test_a_hundred_broken_files_are_each_handled(tmp_path):
    paths, good = hundred_pictures(tmp_path)
    found = dict(decode_files(paths, PICTURES, SIZE, workers=2))
    assert sorted(found) == list(range(100))
    assert [not isinstance(found[row], str) for row in range(100)] == good
    assert all(found[row] for row in range(100) if not good[row])


def test_a_hundred_files_of_all_kinds_are_each_decoded_or_refused_in_little_memory(tmp_path):
    """In a process of its own, whose memory is measured: the bomb alone would take 2.7 GB."""
    pytest.importorskip("av")
    told = hundred_of_all_kinds(tmp_path)
    (tmp_path / "list.json").write_text(json.dumps(told))
    done = subprocess.run(
        [sys.executable, "-c", DECODE_ALL, str(tmp_path / "list.json")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert [reason is None for reason in found["reasons"]] == [fine for _, _, fine in told]
    assert all(reason for reason, (_, _, fine) in zip(found["reasons"], told, strict=True) if not fine)
    assert found["megabytes"] < 300


def test_workers_and_this_process_agree(tmp_path):
    paths = []
    for number in range(70):
        path = tmp_path / f"{number}.png"
        path.write_bytes(bytes_of(halves(20 + number, 30), "PNG"))
        paths.append(str(path))
    here = list(decode_files(paths, PICTURES, SIZE, workers=0))
    there = list(decode_files(paths, PICTURES, SIZE, workers=2))
    assert [row for row, _ in there] == list(range(70))
    assert all((a == b).all() for (_, a), (_, b) in zip(here, there, strict=True))


def test_a_file_that_kills_its_worker_is_listed_and_its_neighbours_live(tmp_path):
    contents = [b"abc"] * 40
    contents[7], contents[20], contents[33] = b"kill", b"memory", b"missing"
    paths = []
    for number, content in enumerate(contents):
        path = tmp_path / str(number)
        if content != b"missing":
            path.write_bytes(content)
        paths.append(str(path))
    found = dict(decode_files(paths, f"{__name__}:explosive", {}, workers=2))
    assert found[7] == "killed its decoder"
    assert "memory" in found[20]
    assert "cannot be read" in found[33]
    assert sum(isinstance(value, np.ndarray) for value in found.values()) == 37


def test_workers_that_always_die_are_an_error(tmp_path):
    paths = [str(tmp_path / str(number)) for number in range(3)]
    for path in paths:
        with open(path, "wb") as file:
            file.write(b"kill")
    with pytest.raises(DecodingError, match="die whatever"):
        list(decode_files(paths, f"{__name__}:explosive", {}, workers=1))
