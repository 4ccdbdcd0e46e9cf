"""The members of an archive of pictures or sounds, unpacked once into the cache.

The folder's name is the archive's sha256: another edition of an archive gets another folder.
"""

from pathlib import Path

from filelock import FileLock

from recsys.data import sources
from recsys.data.errors import CacheNotWritable
from recsys.data.files.archives import extract
from recsys.data.files.locations import cache_folder


def unpacked(source_name: str, file_name: str) -> Path:
    """The folder with the archive's members, all of them.

    Raises:
        RegistryError, DataUnavailable: as `sources.local_file` and `archives.extract`.
        CacheNotWritable: the cache folder cannot be written.
    """
    archive = sources.local_file(source_name, file_name)
    digest = sources.files_read[f"{source_name}/{file_name}"]
    folder = cache_folder() / "unpacked" / digest[:24]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):  # two runs that start together unpack once
            if not folder.is_dir():
                extract(archive, folder)
    except PermissionError as error:
        raise CacheNotWritable(f"{folder} cannot be written ({error.strerror}); set RECSYS_CACHE") from None
    return folder


def by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, str]:
    """Path of every file with one of these suffixes in the folder and below, by its name without suffix."""
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in suffixes)
    return {path.stem: str(path) for path in found if path.is_file()}
