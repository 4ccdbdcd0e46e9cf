"""The registry, where files are looked for, and what is noted about them."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recsys.data import families, sources
from recsys.data.errors import DataUnavailable, NotData, UnsafeContent, WrongChecksum
from recsys.data.files.archives import load_object_array
from tests.data.conftest import DIGEST, LOG
from tests.data.files.test_archives import Foreign, make_npy
from tests.data.loopback_server import HTML, LoopbackServer

PLACED_BY_HAND = {"home_depot", "womens_clothing", "stock_tweets"}  # no public URL
# made from originals by recsys.data.media.derive
DERIVED = {"images_60x80_id_mod4_0.tar.gz", "posters_128.tar.gz"}
DERIVED |= {"grocery_store_128.tar", "recordings_0_14.tar.gz"}


def place(folder: Path, content: bytes, path: str = "s3rec/log.txt") -> Path:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
    return folder / path


def cache() -> Path:
    return Path(os.environ["RECSYS_CACHE"])


def refused(kind: type[Exception], action, *arguments) -> str:
    with pytest.raises(kind) as caught:
        action(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_built_in_entries_are_complete():
    for source in sources.BUILT_IN:
        assert source.licence
        assert source.homepage.startswith("https://")
        assert {file.role for file in source.files} <= set(families.family(source.family).roles)
        for file in source.files:
            assert all(url.startswith("https://") for url in file.urls)
            by_hand = source.name in PLACED_BY_HAND or file.name in DERIVED
            assert bool(file.urls) != by_hand
            if source.name != "online_retail_2":  # the one whose bytes nobody here has seen
                assert len(file.sha256) == 64
                assert file.size > 0


def test_built_in_checksums_are_those_of_the_real_files(real_data):
    folder = real_data("SHA256SUMS")
    rows = (line.split() for line in (folder / "SHA256SUMS").read_text().splitlines())
    known = {name.removeprefix("./"): digest for digest, name in rows}
    compared = 0
    for source in sources.BUILT_IN:
        for file in source.files:
            if file.path in known:
                assert file.sha256 == known[file.path]
                assert file.size == (folder / file.path).stat().st_size
                compared += 1
    assert compared >= 48


def test_data_folder_comes_first_then_cache_then_the_server(register, server, tmp_path, monkeypatch):
    server.content = LOG
    register(files=[{"name": "log.txt", "url": server.url(), "sha256": DIGEST}])
    in_cache = cache() / "s3rec" / "log.txt"
    assert sources.local_file("small", "log.txt") == in_cache
    assert in_cache.read_bytes() == LOG
    assert len(server.ranges) == 1
    assert sources.local_file("small", "log.txt") == in_cache
    assert len(server.ranges) == 1
    mine = place(tmp_path / "mine", LOG)
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path / "mine"))
    assert sources.local_file("small", "log.txt") == mine


def test_reading_is_noted_fetching_is_not(register):
    register()
    place(cache(), LOG)
    sources.ensure("small")
    assert sources.files_read == {}
    sources.local_file("small", "log.txt")
    assert sources.files_read == {"small/log.txt": DIGEST}


def test_file_without_a_pinned_checksum_is_recorded_as_it_is(register):
    register(files=[{"name": "log.txt"}])
    place(cache(), b"1 2 3\n")
    sources.local_file("small", "log.txt")
    assert sources.files_read == {"small/log.txt": hashlib.sha256(b"1 2 3\n").hexdigest()}


def test_wrong_file_is_named_with_the_way_to_mend_it(register, server, tmp_path, monkeypatch):
    register(files=[{"name": "log.txt", "url": server.url(), "sha256": DIGEST, "size": len(LOG)}])
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path / "mine"))
    mine = place(tmp_path / "mine", b"other")
    message = refused(WrongChecksum, sources.local_file, "small", "log.txt")
    for part in (
        DIGEST,
        hashlib.sha256(b"other").hexdigest(),
        str(mine),
        "RECSYS_DATA",
        "delete it",
        "5 of 16",
    ):
        assert part in message
    assert sources.files_read == {}
    mine.write_bytes(HTML)
    assert "HTML page" in refused(NotData, sources.ensure, "small")
    mine.write_bytes(LOG)
    sources.ensure("small")
    assert server.ranges == []


def test_a_file_spoilt_later_in_the_process_is_noticed(register):
    register()
    path = place(cache(), LOG)
    sources.local_file("small", "log.txt")
    path.write_bytes(LOG.replace(b"3", b"4"))
    refused(WrongChecksum, sources.local_file, "small", "log.txt")


def test_current_checksum_is_of_the_present_file_else_the_pinned_one(register, tmp_path, monkeypatch):
    register()
    assert sources.current_sha256("small/log.txt") == DIGEST
    path = place(cache(), b"changed")
    assert sources.current_sha256("small/log.txt") == hashlib.sha256(b"changed").hexdigest()
    path.write_bytes(b"changed again")
    assert sources.current_sha256("small/log.txt") == hashlib.sha256(b"changed again").hexdigest()
    for key in ("small/nothing.txt", "nothing/log.txt", "demo_store/x", "odd"):
        assert sources.current_sha256(key) is None
    register(files=[{"name": "other.txt"}])
    assert sources.current_sha256("small/other.txt") is None
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path / "nowhere"))
    assert sources.current_sha256("beauty/Beauty.txt") == sources.get("beauty").file("Beauty.txt").sha256


def test_data_folder_that_is_none(register, tmp_path, monkeypatch):
    register()
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path / "nowhere"))
    assert "is no folder" in refused(DataUnavailable, sources.ensure, "small")


def test_source_and_licence_are_printed_once(register, capsys):
    register(title="A small log", licence="CC0", homepage="https://example.org")
    place(cache(), LOG)
    sources.ensure("small")
    notice = capsys.readouterr().err
    assert all(part in notice for part in ("A small log", "CC0", "https://example.org"))
    sources.ensure("small")
    sources.locations._announced.clear()  # as in a new process
    sources.ensure("small")
    assert capsys.readouterr().err == ""
    register(title="A small log", licence="changed terms")
    sources.ensure("small")
    assert "changed terms" in capsys.readouterr().err


def test_notice_survives_a_cache_that_cannot_be_written(register, tmp_path, monkeypatch, capsys):
    register()
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path / "mine"))
    place(tmp_path / "mine", LOG)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "file"))
    sources.ensure("small")
    assert "small" in capsys.readouterr().err


def test_listing_says_where_each_data_set_is(register):
    register(
        files=[
            {"name": "log.txt"},
            {"name": "t.txt", "role": "title_sequences"},
            {"name": "t.npy", "role": "titles"},
        ]
    )
    place(cache(), LOG)
    rows = {row["name"]: row for row in sources.listing()}
    assert rows["demo_store"]["where"] == "generated"
    assert rows["small"]["where"] == "cache (1 of 3 files)"
    assert rows["beauty"]["where"] == "not fetched"
    assert rows["beauty"]["size"] == "4.3 MB"
    assert {row["file"]: row["where"] for row in sources.file_listing("small")} == {
        "log.txt": "cache",
        "t.txt": "not fetched",
        "t.npy": "not fetched",
    }


def test_file_that_only_the_user_can_have_is_asked_for(tmp_path, monkeypatch):
    message = refused(DataUnavailable, sources.ensure, "home_depot")
    for part in ("no public source", "https://www.kaggle.com/c/home-depot", "home_depot/train.csv.zip"):
        assert part in message
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
    place(tmp_path, b"other", "home_depot/train.csv.zip")
    message = refused(WrongChecksum, sources.ensure, "home_depot")
    assert "https://www.kaggle.com/c/home-depot" in message
    assert "RECSYS_SOURCES" in message


def test_own_file_by_absolute_path(register, tmp_path):
    path = place(tmp_path, LOG, "anywhere/mine.txt")
    register(files=[{"name": "log.txt", "path": str(path)}])
    assert sources.local_file("small", "log.txt") == path
    path.unlink()
    assert "there is no file" in refused(DataUnavailable, sources.ensure, "small")


@pytest.mark.parametrize("variable", ["RECSYS_CACHE", "RECSYS_DATA", "RECSYS_SOURCES"])
def test_the_folder_of_a_user_who_does_not_exist(register, monkeypatch, variable):
    register(files=[{"name": "log.txt", "url": "http://127.0.0.1:9/x"}])
    monkeypatch.setenv(variable, "~nobody-of-that-name/data")
    told = refused(DataUnavailable, sources.ensure, "small")
    assert f"{variable} is ~nobody-of-that-name/data, and there is no such user" in told
    assert sources.current_sha256("small/log.txt") is None
    assert sources.current_sha256("weights of ~nobody-of-that-name/x/config.json") is None


def test_folders_of_the_environment_do_not_depend_on_where_a_kernel_runs(register, tmp_path, monkeypatch):
    register(files=[{"name": "log.txt"}])
    path = place(tmp_path / "data", LOG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECSYS_DATA", "data")
    assert sources.local_file("small", "log.txt") == path


def test_foreign_pickle_is_not_even_cached(register, tmp_path):
    witness = tmp_path / "witness"
    with LoopbackServer() as log, LoopbackServer() as pickled:
        log.content = LOG
        pickled.content = make_npy(tmp_path / "evil.npy", {"1": Foreign(witness)}).read_bytes()
        register(
            files=[
                {"name": "log.txt", "url": log.url()},
                {"name": "copy.txt", "role": "title_sequences", "url": log.url()},
                {"name": "titles.npy", "role": "titles", "url": pickled.url()},
            ]
        )
        refused(UnsafeContent, sources.ensure, "small")
    assert not witness.exists()
    assert not list(cache().rglob("titles.npy*"))
    with pytest.raises(UnsafeContent):
        load_object_array(tmp_path / "evil.npy")


def test_import_is_light():
    heavy = "{'numpy', 'pandas', 'torch', 'pandera', 'requests', 'pyarrow'}"
    program = f"import sys, recsys.data.sources; print(sorted({heavy} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"
