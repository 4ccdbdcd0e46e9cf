"""Safe reading of untrusted archives, compressed files and pickles: only what is complete and harmless.

Archive members are checked by name before one byte is written; pickled numpy arrays are read by an unpickler
that allows four names of numpy and refuses every other; a compressed file must reach its end-of-stream mark.
"""

import gzip
import io
import pickle
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from recsys.data.errors import NotData, Truncated, UnsafeContent

# numpy moved its internals from numpy.core to numpy._core in version 2; files carry either name.
ALLOWED_GLOBALS = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar")
    ),
}
UNPACKED_LIMIT = 2 << 30  # bytes; far above every data set here, to stop archives made to fill the disk
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class _NumpyUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED_GLOBALS:
            raise UnsafeContent(f"the pickle asks for {module}.{name}; only numpy arrays are admitted")
        return super().find_class(module, name)


def load_object_array(path: Path) -> Any:
    """Content of a `.npy` file that holds pickled objects (dicts, lists, strings, numbers).

    Returns:
        The array; a zero-dimensional one is unwrapped to its single object.

    Raises:
        UnsafeContent: the pickle names anything but numpy's array constructors.
        NotData: the file is no `.npy` file, or its pickle is damaged.
    """
    import numpy as np

    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            _, _, dtype = read_header(file)
            content = _NumpyUnpickler(file).load() if dtype.hasobject else np.load(path, allow_pickle=False)
        except UnsafeContent as error:
            raise UnsafeContent(
                f"{path}: {error}; delete the file and take it from its public source"
            ) from None
        except EOFError:
            raise Truncated(f"{path}: the pickle ends early; delete the file and fetch it again") from None
        except (ValueError, KeyError, pickle.UnpicklingError, AttributeError, TypeError, IndexError) as error:
            raise NotData(f"{path}: no readable .npy file ({error}); delete it and fetch it again") from None
    return content.item() if getattr(content, "shape", None) == () else content


def read_text(path: Path) -> str:
    """UTF-8 text of a file as `read_bytes` reads it.

    Raises:
        Truncated, NotData, UnsafeContent: as `read_bytes`; NotData also for other than UTF-8 text.
    """
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotData(f"{path}: not UTF-8 text (byte {error.start}); is it the right file?") from None


def read_bytes(path: Path) -> bytes:
    """Content of a plain file, of a .gz file, or of a zip or tar archive with one file in it.

    macOS's shadow files (`__MACOSX/`) in an archive do not count.

    Raises:
        Truncated, NotData, UnsafeContent: as `check_content`.
    """
    name = path.name.lower()
    if name.endswith((".zip", *TAR_SUFFIXES)):
        with tempfile.TemporaryDirectory() as folder:
            members = [file for file in extract(path, Path(folder) / "content") if _is_wanted(file)]
            if len(members) != 1:
                raise NotData(f"{path}: expected one file in the archive, found {len(members)}")
            return members[0].read_bytes()
    return _gunzip(path) if name.endswith(".gz") else path.read_bytes()


def extract(archive: Path, folder: Path) -> list[Path]:
    """Unpack a zip or tar archive into a new folder, all of it or nothing.

    Members are checked first: no absolute names, no `..`, no links in a zip, for tar what Python's "data"
    filter admits, and not more than UNPACKED_LIMIT in all. Unpacking goes to a neighbouring temporary folder
    that is renamed at the end.

    Returns:
        The files written, sorted.

    Raises:
        UnsafeContent: a member would land outside the folder, or is a device or an outward link, or the
            members are too large.
        Truncated, NotData: the archive is damaged.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _unpack(archive, scratch)
        scratch.replace(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return sorted(path for path in folder.rglob("*") if path.is_file())


def check_content(path: Path, name: str) -> None:
    """Refuse a file whose content does not fit its name, or that would be unsafe to open.

    For files without a pinned sha256, where it is the only check between a broken download and a loader.

    Args:
        path: the file, which may have a temporary name.
        name: its proper name; the suffix decides what is checked.

    Raises:
        Truncated, NotData, UnsafeContent: with the reason.
    """
    lower = name.lower()
    if looks_like_html(path) and not lower.endswith((".html", ".htm")):
        raise NotData(f"{name} is an HTML page instead of data")
    checks: list[tuple[tuple[str, ...], Callable[[Path], None]]] = [
        ((".zip",), _check_zip),
        (TAR_SUFFIXES, _check_tar),
        ((".npy",), lambda file: load_object_array(file) and None),
        ((".parquet",), _check_parquet),
        ((".gz",), lambda file: _gunzip(file) and None),
    ]
    for suffixes, check in checks:
        if lower.endswith(suffixes):
            check(path)
            return


def looks_like_html(path: Path) -> bool:
    """Whether the first bytes are those of a web page."""
    with path.open("rb") as file:
        head = file.read(512).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def _is_wanted(path: Path) -> bool:
    """macOS's zip tool adds a shadow file beside each real one."""
    return "__MACOSX" not in path.parts and path.name != ".DS_Store"


def _gunzip(path: Path) -> bytes:
    parts = []
    done = 0
    try:
        with gzip.open(path) as file:
            while part := file.read(1 << 20):
                parts.append(part)
                done += len(part)
                _limit(path, done)
    except EOFError:
        raise Truncated(
            f"{path.name}: truncated gzip, it ends after {done} bytes of content without its end mark; "
            "delete it and fetch it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise NotData(f"{path.name}: no sound gzip file ({error}); delete it and fetch it again") from None
    return b"".join(parts)


def _unpack(archive: Path, folder: Path) -> None:
    if archive.name.lower().endswith(".zip"):
        with _open_zip(archive) as file:
            try:
                file.extractall(folder)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                raise NotData(f"{archive.name}: damaged zip ({error}); fetch it again") from None
        return
    with _open_tar(archive) as file:
        try:
            file.extractall(folder, filter="data")
        except (tarfile.ReadError, EOFError, zlib.error) as error:
            raise Truncated(f"{archive.name}: the archive ends early ({error}); fetch it again") from None


def _open_zip(archive: Path) -> zipfile.ZipFile:
    """An open zip whose member names are all safe."""
    try:
        file = zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise NotData(f"{archive.name}: no complete zip file ({error}); fetch it again") from None
    for member in file.infolist():
        place = PurePosixPath(member.filename.replace("\\", "/"))
        drive = place.parts and place.parts[0].endswith(":")
        if place.is_absolute() or drive or ".." in place.parts:
            file.close()
            raise UnsafeContent(_outside(archive, member.filename))
        if stat.S_ISLNK(member.external_attr >> 16):
            file.close()
            raise UnsafeContent(f"{archive.name}: member {member.filename!r} is a link; nothing was unpacked")
    # zipfile never yields more of a member than this, whatever the compressed bytes hold.
    try:
        _limit(archive, sum(member.file_size for member in file.infolist()))
    except UnsafeContent:
        file.close()
        raise
    return file


def _open_tar(archive: Path) -> tarfile.TarFile:
    """An open tar whose members all pass Python's "data" filter."""
    try:
        file = tarfile.open(archive)  # noqa: SIM115 - closed by the caller, or below
    except (tarfile.ReadError, EOFError, zlib.error) as error:
        raise NotData(f"{archive.name}: no readable tar file ({error}); fetch it again") from None
    try:
        # A folder that does not exist: links are judged by name alone, nothing is written.
        for member in file.getmembers():
            tarfile.data_filter(member, "/nowhere/at/all")
        _limit(archive, sum(member.size for member in file.getmembers()))
    except UnsafeContent:
        file.close()
        raise
    except tarfile.FilterError as error:
        file.close()
        raise UnsafeContent(_outside(archive, error.tarinfo.name)) from None
    except (tarfile.ReadError, EOFError, zlib.error) as error:
        file.close()
        raise Truncated(f"{archive.name}: the archive ends early ({error}); fetch it again") from None
    return file


def _limit(archive: Path, unpacked: int) -> None:
    if unpacked > UNPACKED_LIMIT:
        raise UnsafeContent(
            f"{archive.name}: holds more than {UNPACKED_LIMIT:,} bytes unpacked; nothing was unpacked; "
            "is it the right file?"
        )


def _outside(archive: Path, member: str) -> str:
    return (
        f"{archive.name}: member {member!r} would land outside the target folder; nothing was unpacked; "
        "take the archive from its public source"
    )


def _check_zip(path: Path) -> None:
    with _open_zip(path) as file:
        bad = file.testzip()
    if bad:
        raise NotData(f"{path.name}: member {bad!r} of the zip is damaged; fetch it again")


def _check_tar(path: Path) -> None:
    _open_tar(path).close()


def _check_parquet(path: Path) -> None:
    """Parquet begins and ends with the same four bytes, so a cut file shows."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0, io.SEEK_END)
        tail = _last_bytes(file, 4)
    if head != b"PAR1":
        raise NotData(f"{path.name} is no Parquet file; delete it and fetch it again")
    if tail != b"PAR1":
        raise Truncated(f"{path.name}: the Parquet file ends early; delete it and fetch it again")


def _last_bytes(file: IO[bytes], count: int) -> bytes:
    file.seek(max(0, file.tell() - count))
    return file.read(count)
