"""Archives that climb out of their folder, pickles that run code, files that end early."""

import gzip
import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.errors import DataUnavailable, NotData, Truncated, UnsafeContent
from recsys.data.files import archives
from recsys.data.files.archives import check_content, extract, load_object_array, read_text

LINES = "1 2 3\n2 3 4\n" * 500


def make_zip(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def make_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def make_npy(path: Path, content: object) -> Path:
    np.save(path, np.array(content, dtype=object), allow_pickle=True)
    return path


class Foreign:
    """Its pickle would run a shell command on loading."""

    def __init__(self, witness: Path):
        self.witness = witness

    def __reduce__(self):
        return os.system, (f"touch {self.witness}",)


def refused(kind: type[DataUnavailable], action, *arguments) -> str:
    with pytest.raises(kind) as caught:
        action(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["../evil.txt", "a/../../evil.txt", "/tmp/evil.txt", "..\\evil.txt", "C:\\evil.txt"]
)
def test_zip_that_climbs_out_is_refused_whole(tmp_path, name):
    archive = make_zip(tmp_path / "a.zip", {"good.txt": "good", name: "evil"})
    assert "outside the target folder" in refused(
        UnsafeContent, extract, archive, tmp_path / "out" / "content"
    )
    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize(
    "member",
    [
        tar_member("../evil.txt"),
        tar_member("a/../../evil.txt"),
        tar_member("link", tarfile.SYMTYPE, "../../outside"),
        tar_member("link", tarfile.LNKTYPE, "../outside"),
        tar_member("link", tarfile.SYMTYPE, "/etc/passwd"),
        tar_member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda member: f"{member.name} {member.linkname}",
)
def test_tar_that_climbs_out_is_refused_whole(tmp_path, member):
    archive = make_tar(tmp_path / "a.tar", (tar_member("good.txt"), b"good"), (member, b""))
    assert "outside the target folder" in refused(
        UnsafeContent, extract, archive, tmp_path / "out" / "content"
    )
    assert list((tmp_path / "out").iterdir()) == []


def test_zip_with_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "is a link" in refused(UnsafeContent, extract, tmp_path / "a.zip", tmp_path / "content")


def test_sound_archives_unpack(tmp_path):
    made = make_zip(tmp_path / "a.zip", {"a/b.txt": "b", "c.txt": "c"})
    assert [file.name for file in extract(made, tmp_path / "zip")] == ["b.txt", "c.txt"]
    made = make_tar(tmp_path / "a.tar.gz", (tar_member("a/b.txt"), b"b"))
    assert [file.read_bytes() for file in extract(made, tmp_path / "tar")] == [b"b"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_cut_archive_leaves_nothing(tmp_path, name):
    archive = tmp_path / name
    content = os.urandom(50_000)
    if name.endswith("zip"):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("a.bin", content)
    else:
        make_tar(archive, (tar_member("a.bin"), content))
    archive.write_bytes(archive.read_bytes()[:20_000])
    refused(DataUnavailable, extract, archive, tmp_path / "out" / "content")
    assert list((tmp_path / "out").iterdir()) == []


def test_foreign_global_is_named_and_not_called(tmp_path):
    witness = tmp_path / "witness"
    path = make_npy(tmp_path / "titles.npy", {"1": Foreign(witness)})
    assert "posix.system" in refused(UnsafeContent, load_object_array, path)
    assert not witness.exists()
    np.load(path, allow_pickle=True)  # the pickle does run a command where nobody looks
    assert witness.exists()


@pytest.mark.parametrize(
    "target", [eval, os.path.join, np.load, pickle.loads, np.frombuffer], ids=lambda one: one.__qualname__
)
def test_every_other_global_is_refused_even_numpys(tmp_path, target):
    refused(UnsafeContent, load_object_array, make_npy(tmp_path / "a.npy", [target, None]))


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=5),
        max_size=5,
    )
)
def test_plain_objects_survive(tmp_path_factory, content):
    path = make_npy(tmp_path_factory.mktemp("npy") / "a.npy", content)
    assert load_object_array(path) == content


def test_numpy_numbers_and_plain_arrays_survive(tmp_path):
    content = {"a": np.int64(3), "b": np.float32(0.5), "c": [np.arange(3)]}
    read = load_object_array(make_npy(tmp_path / "a.npy", content))
    assert (read["a"], read["b"], read["c"][0].tolist()) == (3, 0.5, [0, 1, 2])
    np.save(tmp_path / "b.npy", np.arange(6).reshape(2, 3))
    assert load_object_array(tmp_path / "b.npy").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_damaged_pickles(tmp_path):
    path = make_npy(tmp_path / "a.npy", {"a": "b" * 1000})
    path.write_bytes(path.read_bytes()[:-300])
    refused(DataUnavailable, load_object_array, path)
    path.write_bytes(b"no numpy at all")
    refused(NotData, load_object_array, path)


def test_text_is_read_from_every_packing(tmp_path):
    (tmp_path / "a.txt").write_text(LINES)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(LINES.encode()))
    make_zip(tmp_path / "a.zip", {"a.txt": LINES, "__MACOSX/._a.txt": "shadow"})
    make_tar(tmp_path / "a.tar.gz", (tar_member("deep/a.txt"), LINES.encode()))
    for name in ("a.txt", "a.txt.gz", "a.zip", "a.tar.gz"):
        assert read_text(tmp_path / name) == LINES
    make_zip(tmp_path / "two.zip", {"a.txt": LINES, "b.txt": LINES})
    assert "found 2" in refused(NotData, read_text, tmp_path / "two.zip")
    (tmp_path / "latin.txt").write_bytes("Größe".encode("latin-1"))
    assert "not UTF-8" in refused(NotData, read_text, tmp_path / "latin.txt")


@pytest.mark.parametrize("keep", [5, 30, -9, -1])
def test_truncated_gzip(tmp_path, keep):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(LINES.encode())[:keep])
    assert "truncated gzip" in refused(Truncated, read_text, path)
    refused(Truncated, check_content, path, "a.gz")


def test_damaged_gzip(tmp_path):
    path = tmp_path / "a.gz"
    content = bytearray(gzip.compress(LINES.encode()))
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    refused(NotData, read_text, path)


def test_real_truncated_downloads(real_data):
    name = "amazon_2014_digital_music/reviews_Digital_Music_5.truncated.json.gz"
    path = real_data(name) / name
    assert "truncated gzip" in refused(Truncated, check_content, path, path.name)


def test_content_must_fit_the_name(tmp_path):
    path = tmp_path / "download"
    path.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    check_content(path, "a.parquet")
    path.write_bytes(b"PAR1" + bytes(100))
    refused(Truncated, check_content, path, "a.parquet")
    path.write_bytes(b"a,b\n1,2\n")
    check_content(path, "a.csv")
    for name in ("a.parquet", "a.gz", "a.zip", "a.tar", "a.npy"):
        refused(NotData, check_content, path, name)
    path.write_bytes(b"\xef\xbb\xbf \n<!doctype HTML><html></html>")
    assert "HTML page" in refused(NotData, check_content, path, "a.csv")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.txt.gz"])
def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch, name):
    path = tmp_path / name
    if name.endswith(".zip"):
        make_zip(path, {"a.txt": LINES})
    elif name.endswith(".tar.gz"):
        make_tar(path, (tar_member("a.txt"), LINES.encode()))
    else:
        path.write_bytes(gzip.compress(LINES.encode()))
    assert read_text(path) == LINES
    monkeypatch.setattr(archives, "UNPACKED_LIMIT", len(LINES) - 1)
    assert "bytes unpacked" in refused(UnsafeContent, read_text, path)
    assert "bytes unpacked" in refused(UnsafeContent, check_content, path, name)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
