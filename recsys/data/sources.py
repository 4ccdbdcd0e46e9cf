"""All data sets by name: finds, fetches and verifies their files, and notes which files a run read.

A file is looked for in the folder named by RECSYS_DATA, then in the cache (RECSYS_CACHE, else the user's
cache folder), else fetched from its public source into the cache. Both folders have the same layout, the
`path` of each file below. RECSYS_SOURCES may name a YAML file with further data sets (form: registry.py);
without it, sources.yaml in the folder RECSYS_DATA is taken.

The demo store is generated and has no files. Importing this module costs little: the runner asks it for
checksums before it decides to start anything.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from recsys.data import registry
from recsys.data.errors import RegistryError
from recsys.data.files import locations
from recsys.data.labelled.search_sources import SEARCH_DATA
from recsys.data.labelled.sources import LABELLED
from recsys.data.logs.sources import LOGS
from recsys.data.media.entries import MEDIA
from recsys.data.registry import Source, SourceFile
from recsys.data.sectors.entries import SECTOR_DATA

DEMO_STORE = "demo_store"
WEIGHTS = "weights of "  # prefix of a model's name in `files_read`
WEIGHT_FILES = ("*.safetensors", "config.json", "tokenizer*.json", "vocab.txt", "*.model")
OPTIONS = "(options)"  # key of an entry's options in `files_read`
BUILT_IN = (*LOGS, *LABELLED, *SEARCH_DATA, *MEDIA, *SECTOR_DATA)

# What this process read: "beauty/Beauty.txt" -> sha256. Run records take it from here.
files_read: dict[str, str] = {}


def all_sources() -> dict[str, Source]:
    """Every data set that consists of files, by name: the built-in ones, then those of RECSYS_SOURCES.

    Raises:
        RegistryError: RECSYS_SOURCES names a file that cannot be used.
    """
    own, folder = locations.from_environment("RECSYS_SOURCES"), locations.data_folder()
    if own is None and folder is not None and (folder / "sources.yaml").is_file():
        own = folder / "sources.yaml"
    added = registry.read_registry(own) if own else {}
    if DEMO_STORE in added:
        raise RegistryError(f"RECSYS_SOURCES: the name {DEMO_STORE} is taken by the generated data set")
    found = {source.name: source for source in BUILT_IN} | added
    places: dict[str, tuple[str, SourceFile]] = {}
    for source in found.values():
        for file in source.files:
            other, same_place = places.setdefault(file.path, (source.name, file))
            if (same_place.sha256, same_place.urls) != (file.sha256, file.urls):
                raise RegistryError(
                    f"{source.name} and {other} both claim {file.path}; give one another path"
                )
    return found


def get(name: str) -> Source:
    """The data set of that name. Raises RegistryError with the nearest name and all names."""
    known = all_sources()
    if name not in known:
        raise RegistryError(registry.unknown("data set", name, [DEMO_STORE, *known], "the registry"))
    return known[name]


def local_file(source_name: str, file_name: str) -> Path:
    """Path of one file of a data set, found or fetched, verified, and noted in `files_read`.

    Args:
        source_name: a data set, for instance "beauty".
        file_name: the name of one of its files, for instance "Beauty.txt".

    Raises:
        RegistryError: no such data set or file.
        DataUnavailable: one of its kinds, in one line that says why and how to mend it.
    """
    source = get(source_name)
    path, digest = locations.obtain(source, source.file(file_name), progress=True)
    files_read[f"{source_name}/{file_name}"] = digest
    return path


def note_options(source: Source) -> None:
    """Note a data set's options in `files_read`, so that changing them makes its runs out of date."""
    files_read[f"{source.name}/{OPTIONS}"] = _options_sha256(source)


def note_weights(asked: str, folder: Path) -> None:
    """Note the files of a model's folder in `files_read`.

    Args:
        asked: the model's name as it was asked for, which is where a later run would look.
        folder: where it lies.
    """
    for pattern in WEIGHT_FILES:
        for path in sorted(folder.glob(pattern)):
            files_read[f"{WEIGHTS}{asked}/{path.name}"] = locations.sha256_now(path)


def _options_sha256(source: Source) -> str:
    return hashlib.sha256(json.dumps(source.options, sort_keys=True, default=str).encode()).hexdigest()


def ensure(dataset_name: str, progress: bool = True) -> None:
    """Fetch and verify every file of a data set that is not there yet. Nothing to do for the demo store.

    Raises:
        RegistryError: no such data set.
        DataUnavailable: one of its kinds, in one line that says why and how to mend it.
    """
    if dataset_name == DEMO_STORE:
        return
    source = get(dataset_name)
    for file in source.files:
        locations.obtain(source, file, progress)


def current_sha256(key: str) -> str | None:
    """sha256 of a file as a run would read it now, for instance of "beauty/Beauty.txt".

    The present file's own checksum, so that a changed file shows even where one is pinned; where there is
    none the pinned one, because that is what would be fetched; None where neither is known. Reads nothing
    but the file and does not raise.
    """
    name, _, file_name = key.partition("/")
    try:
        if key.startswith(WEIGHTS):
            asked, _, file_name = key.removeprefix(WEIGHTS).rpartition("/")
            path = Path(asked).expanduser() / file_name
            return locations.sha256_now(path) if path.is_file() else None
        if file_name == OPTIONS:
            return _options_sha256(get(name))
        file = get(name).file(file_name)
        found = locations.find(file)
        return locations.sha256_now(found[0]) if found else file.sha256
    except (RegistryError, OSError, RuntimeError):  # RuntimeError: ~ of a user who does not exist
        return None


def listing() -> list[dict[str, Any]]:
    """One row per data set: name, title, licence, size, bytes (None if unknown), files, where, source.

    "where" is "RECSYS_DATA", "cache", "not fetched", "generated", or for instance "cache (1 of 4 files)".
    """
    rows = [
        {
            "name": DEMO_STORE,
            "title": "generated online shop, the default",
            "licence": "part of this project",
            "size": "made in seconds",
            "bytes": 0,
            "files": 0,
            "where": "generated",
            "source": "recsys.data.demo_store",
        }
    ]
    for source in all_sources().values():
        parts = file_listing(source.name)
        sizes = [part["bytes"] for part in parts]
        rows.append(
            {
                "name": source.name,
                "title": source.title,
                "licence": source.licence,
                "size": "unknown" if None in sizes else f"{sum(sizes) / 1e6:.1f} MB",
                "bytes": None if None in sizes else sum(sizes),
                "files": len(parts),
                "where": locations.summary([part["where"] for part in parts]),
                "source": source.origin,
            }
        )
    return rows


def file_listing(name: str) -> list[dict[str, Any]]:
    """One row per file of a data set: file, role, bytes, sha256, where, path on this machine, urls."""
    rows = []
    for file in get(name).files:
        found = locations.find(file)
        rows.append(
            {
                "file": file.name,
                "role": file.role,
                "bytes": found[0].stat().st_size if found else file.size,
                "sha256": file.sha256 or "not pinned",
                "where": found[1] if found else "not fetched",
                "path": str(found[0]) if found else "",
                "urls": list(file.urls),
            }
        )
    return rows
