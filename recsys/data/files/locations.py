"""Where a data set's files lie on this machine; finds or fetches them, and verifies them."""

import functools
import hashlib
import os
import sys
from pathlib import Path

import platformdirs

from recsys.data.errors import DataUnavailable
from recsys.data.files.download import fetch, place_by_hand
from recsys.data.files.verification import sha256_of, verify
from recsys.data.registry import Source, SourceFile

# A file is hashed and checked again only when its path, size, mtime or ctime differ.
Stamp = tuple[str, int, int, int]
_hashes: dict[Stamp, str] = {}
_announced: set[str] = set()


def from_environment(variable: str) -> Path | None:
    """The absolute path that an environment variable gives, None when it is not set.

    Raises:
        DataUnavailable: "~name" of a user who does not exist.
    """
    own = os.environ.get(variable)
    try:
        return Path(own).expanduser().absolute() if own else None
    except RuntimeError:
        raise DataUnavailable(f"{variable} is {own}, and there is no such user; give a folder") from None


def cache_folder() -> Path:
    """RECSYS_CACHE, else the operating system's cache folder for this user."""
    return from_environment("RECSYS_CACHE") or Path(platformdirs.user_cache_dir("recsys"))


def data_folder() -> Path | None:
    """The folder named by RECSYS_DATA, None when it is not set."""
    return from_environment("RECSYS_DATA")


def obtain(source: Source, file: SourceFile, progress: bool) -> tuple[Path, str]:
    """Path and sha256 of a file of a data set: found or fetched, and verified.

    Raises:
        DataUnavailable: one of its kinds, in one line that says why and how to mend it.
    """
    _announce(source)
    folder = data_folder()
    if folder is not None and not folder.is_dir():
        raise DataUnavailable(f"RECSYS_DATA names {folder}, which is no folder; correct it or unset it")
    found = None
    try:
        found = find(file) or _fetched(source, file, progress)
        return found[0], _verified(_stamp(found[0]), found[0], file)
    except DataUnavailable as failure:
        if found is None:
            raise
        path, where = found
        mend = "delete it to have it fetched again" if file.urls else _by_hand(source, file)
        if not file.urls and file.sha256:
            # Kaggle repacks downloads now and then, so a genuine file can have other bytes.
            mend += "; if yours is another edition of it, replace the registry's entry through RECSYS_SOURCES"
        raise type(failure)(f"{failure}; it lies at {path} ({where}): {mend}") from None
    except OSError as error:
        raise DataUnavailable(
            f"{file.name}: {error.filename} cannot be read ({error.strerror}); check its permissions"
        ) from None


def _fetched(source: Source, file: SourceFile, progress: bool) -> tuple[Path, str]:
    if Path(file.path).is_absolute():
        raise DataUnavailable(f"{file.name}: there is no file {file.path}; correct its path in the registry")
    if not file.urls:
        raise DataUnavailable(
            f"{file.name}: {source.name} has no public source to fetch it from; {_by_hand(source, file)}"
        )
    path = cache_folder() / file.path
    fetch(file, path, progress)
    return path, "cache"


def _by_hand(source: Source, file: SourceFile) -> str:
    """How to mend a file that only the user can have."""
    return (
        f"get it from {source.homepage} and {place_by_hand(file)}" if source.homepage else place_by_hand(file)
    )


def find(file: SourceFile) -> tuple[Path, str] | None:
    """Path of the file, and "RECSYS_DATA" or "cache" by the folder that holds it; None if it is not there."""
    # Joining an absolute path to a folder gives that absolute path.
    for folder, where in ((data_folder(), "RECSYS_DATA"), (cache_folder(), "cache")):
        if folder is not None and (folder / file.path).is_file():
            return folder / file.path, "own path" if Path(file.path).is_absolute() else where
    return None


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns


def sha256_now(path: Path) -> str:
    """sha256 of a file; cached, and computed again only when its size, mtime or ctime differ."""
    stamp = _stamp(path)
    if stamp not in _hashes:
        _hashes[stamp] = sha256_of(path)
    return _hashes[stamp]


@functools.cache
def _verified(stamp: Stamp, path: Path, file: SourceFile) -> str:
    return verify(path, file)


def summary(places: list[str]) -> str:
    """One phrase for where several files lie."""
    have = [place for place in places if place != "not fetched"]
    if not have:
        return "not fetched"
    names = " and ".join(dict.fromkeys(have))
    return names if len(have) == len(places) else f"{names} ({len(have)} of {len(places)} files)"


def _announce(source: Source) -> None:
    """Print source and licence before a data set's first use on this machine, once."""
    notice = f"Data set {source.name}: {source.title}. Source: {source.origin}. Licence: {source.licence}."
    mark = hashlib.sha256(notice.encode()).hexdigest()[:12]
    marker = cache_folder() / ".notices" / f"{source.name}-{mark}"
    if mark in _announced:
        return
    _announced.add(mark)
    try:
        if marker.exists():
            return
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError:
        pass  # a cache that cannot be written: the notice appears once per process instead
    print(notice, file=sys.stderr)
