"""Workers: order, faults, memory, a file that kills its decoder."""

import os

import numpy as np
import pytest

from recsys.multimodal.decoding.faults import DecodingError
from recsys.multimodal.decoding.workers import decode_files
from tests.multimodal.broken_files import bytes_of, halves, hundred_pictures

PICTURES = "recsys.multimodal.decoding.pictures:decode_picture"
SIZE = {"width": 8, "height": 8}


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
