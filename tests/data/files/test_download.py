"""Downloads from a server that truncates, resumes, lies and answers with web pages."""

import gzip
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.data.errors import (
    CacheNotWritable,
    DataUnavailable,
    DiskFull,
    NoNetwork,
    NotData,
    Truncated,
    WrongChecksum,
)
from recsys.data.files.download import ATTEMPTS, fetch
from recsys.data.registry import SourceFile
from tests.data.loopback_server import LoopbackServer

CONTENT = random.Random(0).randbytes(300_000)


def entry(*urls: str, content: bytes = CONTENT, pinned: bool = True, name: str = "file.bin") -> SourceFile:
    digest = hashlib.sha256(content).hexdigest() if pinned else None
    return SourceFile(name, "sequences", f"s3rec/{name}", urls, digest, len(content) if pinned else None)


def failure(kind: type[DataUnavailable], file: SourceFile, destination: Path) -> str:
    """The message of the failure, after the checks that hold for every failure."""
    with pytest.raises(kind) as caught:
        fetch(file, destination, progress=False)
    message = str(caught.value)
    assert "\n" not in message
    assert file.name in message
    assert not destination.exists()
    return message


def left_behind(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")}


def test_whole_file_arrives(server, tmp_path):
    server.content = CONTENT
    fetch(entry(server.url()), tmp_path / "deep" / "file.bin")
    assert (tmp_path / "deep" / "file.bin").read_bytes() == CONTENT
    assert left_behind(tmp_path) == {"file.bin"}


def test_interrupted_transfer_is_continued_where_it_stopped(server, tmp_path):
    server.content, server.behaviour, server.cuts = CONTENT, "cuts", [100_000, 250_000]
    fetch(entry(server.url()), tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=250000-"]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 3000), max_size=6), pinned=st.booleans())
def test_wherever_the_server_hangs_up_the_file_is_exact_or_absent(cuts, pinned):
    content = CONTENT[:3000]
    with LoopbackServer() as server, tempfile.TemporaryDirectory() as folder:
        server.content, server.behaviour, server.cuts = content, "cuts", list(cuts)
        destination = Path(folder) / "file.bin"
        try:
            fetch(entry(server.url(), content=content, pinned=pinned), destination, progress=False)
            assert destination.read_bytes() == content
        except Truncated:
            assert not destination.exists()


def test_server_that_always_truncates(server, tmp_path):
    server.content, server.behaviour = CONTENT, "always cut"
    message = failure(Truncated, entry(server.url()), tmp_path / "file.bin")
    assert "150,000 of 300,000 bytes" in message
    assert "RECSYS_DATA" in message
    assert len(server.ranges) == ATTEMPTS + 1  # the first one advanced, so it does not count
    assert left_behind(tmp_path) == {"file.bin.part"}


def test_unpinned_file_is_never_joined_from_pieces(server, tmp_path):
    server.content, server.behaviour, server.cuts = CONTENT, "cuts", [100_000]
    fetch(entry(server.url(), pinned=False), tmp_path / "file.bin")
    assert server.ranges == [None, None]
    server.behaviour = "always cut"
    failure(Truncated, entry(server.url(), pinned=False), tmp_path / "other.bin")
    assert left_behind(tmp_path) == {"file.bin"}


def test_server_without_ranges_gets_a_clean_retry(server, tmp_path):
    server.content, server.behaviour = CONTENT, "no ranges"
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    fetch(entry(server.url()), tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_stale_beginning_is_thrown_away(server, tmp_path):
    server.content = CONTENT
    (tmp_path / "file.bin.part").write_bytes(b"another version" * 100)
    fetch(entry(server.url()), tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges == ["bytes=1500-", None]


def test_transfer_that_ended_before_the_rename_is_not_repeated(server, tmp_path):
    server.content = CONTENT
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    fetch(entry(server.url()), tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_server_that_lies_about_ranges(server, tmp_path):
    server.content, server.behaviour = CONTENT, "lies about ranges"
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    fetch(entry(server.url()), tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "served", [b"something else" * 1000, b"x" * len(CONTENT)], ids=["short", "same size"]
)
def test_wrong_sha256(server, tmp_path, served):
    server.content = served
    file = entry(server.url())
    message = failure(WrongChecksum, file, tmp_path / "file.bin")
    assert f"expected {file.sha256}" in message
    assert f"got {hashlib.sha256(served).hexdigest()}" in message
    assert left_behind(tmp_path) == set()


@pytest.mark.parametrize("behaviour", ["html", "html as text"])
@pytest.mark.parametrize("pinned", [True, False])
def test_html_page_instead_of_data(server, tmp_path, behaviour, pinned):
    server.behaviour = behaviour
    message = failure(NotData, entry(server.url(), pinned=pinned), tmp_path / "file.bin")
    assert "HTML page instead of data" in message
    assert left_behind(tmp_path) == set()


def test_truncated_gzip_of_unknown_checksum(server, tmp_path):
    server.content = gzip.compress(CONTENT)[:-2000]
    message = failure(Truncated, entry(server.url(), pinned=False, name="file.gz"), tmp_path / "file.gz")
    assert "truncated gzip" in message
    assert left_behind(tmp_path) == set()


def test_a_stream_without_end_is_cut_off_at_the_size_that_is_known(server, tmp_path):
    server.content = CONTENT * 100
    message = failure(WrongChecksum, entry(server.url()), tmp_path / "file.bin")
    assert "sends more than its 300,000 bytes" in message
    assert left_behind(tmp_path) == set()


def test_status_that_means_no(server, tmp_path):
    server.behaviour = "status"
    assert "answered 404 Not Found" in failure(DataUnavailable, entry(server.url()), tmp_path / "file.bin")
    server.status = 503
    assert "answered 503" in failure(NoNetwork, entry(server.url()), tmp_path / "file.bin")


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/file"


def test_no_network(tmp_path):
    message = failure(NoNetwork, entry(closed_port(), "http://host.invalid/file"), tmp_path / "file.bin")
    assert "no network" in message
    assert "put it by hand at s3rec/file.bin" in message
    assert "0x" not in message
    assert left_behind(tmp_path) == set()


def test_mirror_is_used_and_its_word_outweighs_silence(server, tmp_path):
    server.content = CONTENT
    fetch(entry(closed_port(), server.url()), tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    server.behaviour = "html"
    message = failure(NotData, entry(closed_port(), server.url()), tmp_path / "other.bin")
    assert message.index("HTML page") < message.index("no network")


def test_file_without_public_source(tmp_path):
    assert "put it by hand" in failure(DataUnavailable, entry(), tmp_path / "file.bin")


def test_several_at_once_transfer_once(server, tmp_path):
    server.content = CONTENT
    threads = [
        threading.Thread(target=fetch, args=(entry(server.url()), tmp_path / "file.bin", False))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert len(server.ranges) == 1


def test_killed_transfer_is_continued_by_the_next_process(server, tmp_path):
    server.content, server.behaviour = CONTENT, "stalls"
    file = entry(server.url())
    program = (
        "from pathlib import Path; from recsys.data.files.download import fetch;"
        "from recsys.data.registry import SourceFile;"
        f"fetch({file!r}, Path({str(tmp_path / 'file.bin')!r}), False)"
    )
    child = subprocess.Popen([sys.executable, "-c", program])
    assert server.reached_half.wait(30)
    part = tmp_path / "file.bin.part"
    while not part.exists() or part.stat().st_size == 0:  # the child reads what the server has sent
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "file.bin").exists()
    have = part.stat().st_size
    server.behaviour = "good"
    fetch(file, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.ranges[-1] == f"bytes={have}-"


@pytest.fixture
def small_disk(tmp_path):
    """A mounted file system of 64 KiB; needs the right to mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no right to mount a small tmpfs here, so the full disk cannot be tried")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(server, small_disk):
    server.content = CONTENT
    message = failure(DiskFull, entry(server.url()), small_disk / "file.bin")
    assert "disk full" in message
    assert "RECSYS_CACHE" in message
    assert left_behind(small_disk) == set()


@pytest.fixture
def read_only_folder():
    """A folder that this process may not write, for root too (who is made nobody for the time)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    yield folder
    if me == 0:
        os.seteuid(0)
    folder.chmod(0o755)
    folder.rmdir()


def test_read_only_cache(server, read_only_folder):
    server.content = CONTENT
    for destination in (read_only_folder / "file.bin", read_only_folder / "deep" / "file.bin"):
        message = failure(CacheNotWritable, entry(server.url()), destination)
        assert "cannot write" in message
        assert "RECSYS_CACHE" in message
    assert server.ranges == []


def test_cache_that_is_a_file(server, tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(CacheNotWritable, match="RECSYS_CACHE"):
        fetch(entry(server.url()), tmp_path / "cache" / "file.bin")
