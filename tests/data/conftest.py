"""Fixtures of the data tests: an own cache for each test, a bad web server, the real files if any."""

import hashlib
import os
from pathlib import Path

import pytest
import yaml

from recsys.data import sources
from recsys.data.files import download, locations
from tests.data.loopback_server import LoopbackServer

# Beside the project, where developers keep the real files; nobody else needs to have it.
NEIGHBOUR = Path(__file__).resolve().parents[3] / "shared" / "data"
LOG = b"1 1 2 3\n2 2 3 1\n"
DIGEST = hashlib.sha256(LOG).hexdigest()
REAL_DATA = Path(os.environ.get("RECSYS_DATA") or NEIGHBOUR)


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """No test sees the user's data, cache or registry, nor another test's."""
    for name in ("RECSYS_DATA", "RECSYS_SOURCES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "files_read", {})
    monkeypatch.setattr(locations, "_announced", set())
    monkeypatch.setattr(download, "FIRST_PAUSE", 0.0)


@pytest.fixture
def real_data(monkeypatch):
    """Function: make the real data folder RECSYS_DATA, or skip where one of the named files is not there."""

    def use(*paths: str) -> Path:
        missing = [path for path in paths if not (REAL_DATA / path).is_file()]
        if missing:
            pytest.skip(f"real data not at hand: {', '.join(missing)}")
        monkeypatch.setenv("RECSYS_DATA", str(REAL_DATA))
        return REAL_DATA

    return use


@pytest.fixture
def server():
    with LoopbackServer() as running:
        yield running


@pytest.fixture
def register(tmp_path, monkeypatch):
    """Function: add one data set, "small", to the registry; returns nothing."""

    def add(name: str = "small", **fields) -> None:
        fields = {"family": "s3rec", "files": [{"name": "log.txt", "sha256": DIGEST}]} | fields
        path = tmp_path / "sources.yaml"
        path.write_text(yaml.safe_dump({name: fields}))
        monkeypatch.setenv("RECSYS_SOURCES", str(path))

    return add
