"""Download one file over HTTP so that it is either complete and verified, or not there.

pooch was tried first and does not fit: it starts from byte zero at every retry and never asks for a range,
keeps nothing of an interrupted transfer, accepts an HTML page as data when no checksum is pinned, and
reports by multi-line ValueErrors. Built on requests, tqdm and filelock instead.

A transfer goes to `<name>.part` beside the destination and is continued from there, by the next attempt or
the next process, when a pinned sha256 can prove the joined file right. Only a verified file is renamed to
its proper name.
"""

import contextlib
import errno
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.data.errors import (
    CacheNotWritable,
    DataUnavailable,
    DiskFull,
    NoNetwork,
    NotData,
    Truncated,
    WrongChecksum,
)
from recsys.data.files.verification import verify
from recsys.data.registry import SourceFile

if TYPE_CHECKING:
    import requests

ATTEMPTS = 4  # per URL; an attempt that received bytes does not count
ATTEMPTS_TO_CONNECT = 2  # per URL, where no connection is made: without a network, waiting does not help
FIRST_PAUSE = 0.5  # seconds before the second attempt, doubled each time
TIMEOUT = (10.0, 60.0)  # seconds to connect, and between two pieces of a body
CHUNK = 1 << 14  # bytes
NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class _Restart(Exception):
    """The partial file is of no use: begin again at byte zero."""


def fetch(file: SourceFile, destination: Path, progress: bool = True) -> None:
    """Download one file of the registry to `destination` and verify it.

    Tries the file's URLs in order, each several times, and continues an interrupted transfer. Several
    processes may ask for the same file: one fetches, the others wait for it.

    Args:
        file: what to fetch; its sha256 decides when there is one, else size and content are checked.
        destination: where the verified file goes; its folder is created.
        progress: show a bar on an interactive stderr.

    Raises:
        DataUnavailable: one of its kinds, with one line that says why and how to mend it. Nothing but a
            `.part` file, which no loader looks at, is left behind.
    """
    if not file.urls:
        raise DataUnavailable(f"{file.name}: no public source to fetch it from; {place_by_hand(file)}")
    with _writing(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        with _lock(destination):
            if destination.is_file():
                return
            _from_any(file, destination, progress)


def place_by_hand(file: SourceFile) -> str:
    """Advice for a user without a network: where to get the file and where to put it."""
    return f"put it by hand at {file.path} in a folder and name that folder in RECSYS_DATA"


def _from_any(file: SourceFile, destination: Path, progress: bool) -> None:
    failures: list[DataUnavailable] = []
    unreachable: set[str] = set()
    for url in file.urls:
        if _host(url) in unreachable:
            continue
        try:
            _from_one(url, file, destination, progress)
            return
        except DataUnavailable as failure:
            origin = "" if _host(url) in str(failure) else f" (from {_host(url)})"
            failures.append(type(failure)(f"{failure}{origin}"))
            if isinstance(failure, NoNetwork):
                unreachable.add(_host(url))
    # What a mirror answered says more than that another could not be reached.
    failures.sort(key=lambda failure: isinstance(failure, NoNetwork))
    reasons = "; a mirror: ".join(dict.fromkeys(str(failure) for failure in failures))
    raise type(failures[0])(f"{reasons}; try again later, or {place_by_hand(file)}")


def _from_one(url: str, file: SourceFile, destination: Path, progress: bool) -> None:
    part = destination.with_name(destination.name + ".part")
    try:
        joined = _transfer_with_retries(url, file, part, progress)
    except WrongChecksum:
        part.unlink()
        raise
    try:
        verify(part, file)
    except DataUnavailable:
        part.unlink()
        if not joined:
            raise
        # The beginning may have been another version's, so one clean attempt.
        _transfer_with_retries(url, file, part, progress)
        try:
            verify(part, file)
        except DataUnavailable:
            part.unlink()
            raise
    part.replace(destination)
    if progress:
        print(f"fetched {file.name} ({destination.stat().st_size:,} bytes) from {url}", file=sys.stderr)


def _transfer_with_retries(url: str, file: SourceFile, part: Path, progress: bool) -> bool:
    """All bytes of `url` in `part`; whether they were joined from several transfers.

    Without a pinned sha256 nothing could tell a wrongly joined file, so each attempt is a clean one.
    """
    if file.sha256 is None:
        part.unlink(missing_ok=True)
    attempt = 1
    while True:
        before = _size(part)
        try:
            _transfer(url, file, part, progress)
            return before > 0
        except _Restart:
            part.unlink(missing_ok=True)
            if attempt >= ATTEMPTS:
                raise NotData(f"{file.name}: {_host(url)} answers requests for a range wrongly") from None
        except NoNetwork:
            if attempt >= ATTEMPTS_TO_CONNECT:
                raise
        except Truncated:
            if file.sha256 is None:
                part.unlink(missing_ok=True)
            if _size(part) > before:
                attempt = 0
            if attempt >= ATTEMPTS:
                raise
        time.sleep(FIRST_PAUSE * 2 ** max(0, attempt - 1))
        attempt += 1


def _transfer(url: str, file: SourceFile, part: Path, progress: bool) -> None:
    """One request, from where `part` ends to the end of the file."""
    import requests

    offset = _size(part)
    headers = {"Accept-Encoding": "identity"}  # else lengths and ranges would count compressed bytes
    if offset:
        headers["Range"] = f"bytes={offset}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            total = _judge(response, url, file, offset)
            if response.status_code == 416:
                return
            if response.status_code == 200:
                offset = 0
            # The length is compared below; left to urllib3, the last piece before the cut would be lost.
            response.raw.enforce_content_length = False
            with _bar(file.name, total, offset, progress) as bar, part.open("ab" if offset else "wb") as out:
                for chunk in response.iter_content(CHUNK):
                    out.write(chunk)
                    bar.update(len(chunk))
                    if file.sha256 and file.size and out.tell() > file.size:  # it may never end
                        raise WrongChecksum(
                            f"{file.name}: {_host(url)} sends more than its {file.size:,} bytes"
                        )
                out.flush()
                os.fsync(out.fileno())  # so that the rename never outruns the bytes
    except requests.exceptions.SSLError as error:
        raise NoNetwork(f"{file.name}: {_host(url)} has no valid certificate ({_cause(error)})") from None
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        raise Truncated(_cut(file, url, part, None)) from None
    except (requests.ConnectionError, requests.Timeout) as error:
        if _size(part) > offset:
            raise Truncated(_cut(file, url, part, None)) from None
        raise NoNetwork(
            f"{file.name}: no network, or {_host(url)} cannot be reached ({_cause(error)})"
        ) from None
    except requests.RequestException as error:
        raise NoNetwork(f"{file.name}: cannot fetch {url} ({_cause(error)})") from None
    expected = file.size if total is None else total
    if expected is not None and _size(part) < expected:
        raise Truncated(_cut(file, url, part, expected))


def _judge(response: "requests.Response", url: str, file: SourceFile, offset: int) -> int | None:
    """Total size of the file by the server's word, None when it gives none; raises on a useless answer."""
    status = response.status_code
    content_range = re.fullmatch(
        r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", response.headers.get("Content-Range", "")
    )
    total = int(content_range[2]) if content_range and content_range[2] != "*" else None
    if status == 416:
        if total == offset:
            return total  # all was there already: the last process ended between transfer and rename
        raise _Restart
    if status == 206:
        if offset == 0 or not content_range or int(content_range[1] or -1) != offset:
            raise _Restart
    elif status >= 500 or status == 429:
        raise NoNetwork(f"{file.name}: {_host(url)} is out of order, it answered {status}")
    elif status != 200:
        raise DataUnavailable(f"{file.name}: {url} answered {status} {response.reason}")
    if "html" in response.headers.get("Content-Type", "").lower():
        raise NotData(f"{file.name}: {url} answered with an HTML page instead of data")
    if status == 200:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
    return total


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _host(url: str) -> str:
    return url.split("/")[2]


def _cause(error: BaseException) -> str:
    """The operating system's own words, out of the nest of exceptions that urllib3 wraps around them."""
    text = str(error)
    found = re.search(r"\[Errno -?\d+\] [^'\"()]+", text)
    if found:
        return found[0]
    return "timed out" if "timed out" in text else type(error).__name__


def _cut(file: SourceFile, url: str, part: Path, total: int | None) -> str:
    expected = file.size or total
    of = f" of {expected:,}" if expected else ""
    return f"{file.name}: truncated, {_host(url)} sent {_size(part):,}{of} bytes and stopped"


def _bar(name: str, total: int | None, done: int, progress: bool) -> Any:
    from tqdm import tqdm

    # disable=None: no bar where stderr is not a terminal, so logs stay readable.
    disable = None if progress else True
    return tqdm(desc=name, total=total, initial=done, unit="B", unit_scale=True, disable=disable, leave=False)


@contextlib.contextmanager
def _lock(destination: Path) -> Iterator[None]:
    from filelock import FileLock

    with FileLock(destination.with_name(f".{destination.name}.lock")):
        yield


@contextlib.contextmanager
def _writing(destination: Path) -> Iterator[None]:
    """Turn what the operating system says about a folder into one line that says how to mend it."""
    try:
        yield
    except DataUnavailable:
        raise
    except OSError as error:
        part = destination.with_name(destination.name + ".part")
        if error.errno in NO_SPACE:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise DiskFull(
                f"{destination.name}: disk full in {destination.parent}; free some space, or name another "
                "folder in RECSYS_CACHE"
            ) from None
        raise CacheNotWritable(
            f"{destination.name}: cannot write into {destination.parent} ({error.strerror or error}); "
            "make it writable, or name another folder in RECSYS_CACHE"
        ) from None
