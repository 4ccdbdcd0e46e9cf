"""Every data set's files: where they come from, on which terms, where they lie now, and which were read.

A file is looked for in the folder named by RECSYS_DATA, then in the cache (RECSYS_CACHE, else the user's
cache folder), else fetched from its public source into the cache. Both folders have the same layout, the
`path` of each file below. RECSYS_SOURCES may name a YAML file with further data sets (form: registry.py).

The demo store is generated and has no files. Importing this module costs little: the runner asks it for
checksums before it decides to start anything.
"""

import os
from pathlib import Path
from typing import Any

from recsys.data import registry
from recsys.data.errors import RegistryError
from recsys.data.files import locations as whereabouts
from recsys.data.labelled.sources import LABELLED
from recsys.data.media.entries import MEDIA
from recsys.data.registry import Source, SourceFile

DEMO_STORE = "demo_store"
_S3REC = "https://raw.githubusercontent.com/RUCAIBox/CIKM2020-S3Rec/2a81540/data"
_ICLREC = "https://raw.githubusercontent.com/salesforce/ICLRec/4afb54a036ebbf4166ed5858122d89c0642251a7/data"
_TRANSREC = (
    "https://raw.githubusercontent.com/Linxyhaha/TransRec/da14d539a88bbdec4b1a36259b54068047134c29"
    "/data/beauty/rec_data"
)
_COHORT = "https://raw.githubusercontent.com/viniciusfrantz/cohort_project"
_AMAZON_TERMS = "none stated in the repository; Amazon review data of 2014, for research use"
_RETAIL_TERMS = "CC BY 4.0 (Chen, D., UCI Machine Learning Repository)"


def _transrec(name: str, role: str, sha256: str, size: int) -> SourceFile:
    return SourceFile(name, role, f"s3rec/transrec_beauty/{name}", (f"{_TRANSREC}/{name}",), sha256, size)


BUILT_IN = (
    Source(
        name="beauty",
        family="s3rec",
        title="Amazon Beauty 2014, 5-core, with titles",
        homepage="https://github.com/RUCAIBox/CIKM2020-S3Rec and https://github.com/Linxyhaha/TransRec",
        licence=_AMAZON_TERMS,
        files=(
            SourceFile(
                "Beauty.txt",
                "sequences",
                "s3rec/Beauty.txt",
                (f"{_S3REC}/Beauty.txt", f"{_ICLREC}/Beauty.txt"),
                "226cce9c3105299ca0db9615d7d3fb32b3175e90da43100ae352599f0f0107b8",
                1_090_094,
            ),
            _transrec(
                "sequential_data.txt",
                "title_sequences",
                "b5c0b32e3f3629fdcd9e6b2c8541c83a408608aeb7ad4eae131bcd694bdb9981",
                1_133_206,
            ),
            _transrec(
                "title_maps.npy",
                "titles",
                "2a20df91bf797e6713b8dc6cbb55bc1cb46bb4d4f27a8dc8bc33260628fbc980",
                1_108_224,
            ),
            _transrec(
                "category_map.npy",
                "categories",
                "0eadf691187a45bc6397fd1040142cfeab0bf96f25fd6f3f1f09f61f72334213",
                940_212,
            ),
        ),
        derived_sha256="d2d3ee44df77093920a7e56b7bb1ea87dd8fec0eefc40859076a7b009a376c9b",
    ),
    Source(
        name="sports",
        family="s3rec",
        title="Amazon Sports and Outdoors 2014, 5-core, without titles",
        homepage="https://github.com/RUCAIBox/CIKM2020-S3Rec",
        licence=_AMAZON_TERMS,
        files=(
            SourceFile(
                "Sports_and_Outdoors.txt",
                "sequences",
                "s3rec/Sports_and_Outdoors.txt",
                (f"{_S3REC}/Sports_and_Outdoors.txt", f"{_ICLREC}/Sports_and_Outdoors.txt"),
                "2a095e0648872beb9982408958290f5d655db5be2911c3756b5446de9f0b8de2",
                1_707_483,
            ),
        ),
    ),
    Source(
        name="online_retail",
        family="online_retail",
        title="UCI Online Retail II, first year (December 2009 to December 2010)",
        homepage="https://archive.ics.uci.edu/dataset/502/online+retail+ii",
        licence=_RETAIL_TERMS,
        files=(
            SourceFile(
                "online_retail_2009_2010.parquet",
                "invoice_lines",
                "online_retail/online_retail_2009_2010.parquet",
                (
                    f"{_COHORT}/d35cfe0/data/online_retail.parquet",
                    f"{_COHORT}/1ab85b6ffbd0bfe457d31f2903a9b68d9a325c0f/data/online_retail.parquet",
                ),
                "e92bcbbce1b7a1041ad79462879d4774bf050c7b8fee9f4eef89f09fb6330664",
                3_669_327,
            ),
        ),
    ),
    Source(
        name="online_retail_2",
        family="online_retail",
        title="UCI Online Retail, second year (December 2010 to December 2011), without stock codes",
        homepage="https://archive.ics.uci.edu/dataset/352/online+retail",
        licence=_RETAIL_TERMS,
        files=(
            # Not pinned: no checksum of this file has been seen. Its commit fixes its content all the same.
            SourceFile(
                "online_retail_2010_2011.parquet",
                "invoice_lines",
                "online_retail/online_retail_2010_2011.parquet",
                (
                    "https://raw.githubusercontent.com/BenJMcCarty/UCI_Dataset_Online_Retail/"
                    "15986919cc97e40bc4bcfd61a63eb837f31d45c5/data/online_retail.parquet",
                ),
            ),
        ),
    ),
    *LABELLED,
    *MEDIA,
)

# What this process read: "beauty/Beauty.txt" -> sha256. Run records take it from here.
files_read: dict[str, str] = {}


def all_sources() -> dict[str, Source]:
    """Every data set that consists of files, by name: the built-in ones, then those of RECSYS_SOURCES.

    Raises:
        RegistryError: RECSYS_SOURCES names a file that cannot be used.
    """
    own = os.environ.get("RECSYS_SOURCES")
    added = registry.read_registry(Path(own).expanduser()) if own else {}
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
    """One file of a data set: found or fetched, verified, and noted in `files_read`.

    Args:
        source_name: a data set, for instance "beauty".
        file_name: the name of one of its files, for instance "Beauty.txt".

    Raises:
        RegistryError: no such data set or file.
        DataUnavailable: one of its kinds, in one line that says why and how to mend it.
    """
    source = get(source_name)
    path, digest = whereabouts.obtain(source, source.file(file_name), progress=True)
    files_read[f"{source_name}/{file_name}"] = digest
    return path


def ensure(dataset_name: str, progress: bool = True) -> None:
    """Have every file of a data set at hand and verified. Nothing to do for the demo store.

    Raises:
        RegistryError: no such data set.
        DataUnavailable: one of its kinds, in one line that says why and how to mend it.
    """
    if dataset_name == DEMO_STORE:
        return
    source = get(dataset_name)
    for file in source.files:
        whereabouts.obtain(source, file, progress)


def current_sha256(key: str) -> str | None:
    """sha256 of a file as a run would read it now, for instance of "beauty/Beauty.txt".

    The present file's own checksum, so that a changed file shows even where one is pinned; where there is
    none the pinned one, because that is what would be fetched; None where neither is known. Reads nothing
    but the file and does not raise.
    """
    name, _, file_name = key.partition("/")
    try:
        file = get(name).file(file_name)
        found = whereabouts.find(file)
        return whereabouts.sha256_now(found[0]) if found else file.sha256
    except (RegistryError, OSError):
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
                "where": whereabouts.summary([part["where"] for part in parts]),
                "source": source.origin,
            }
        )
    return rows


def file_listing(name: str) -> list[dict[str, Any]]:
    """One row per file of a data set: file, role, bytes, sha256, where, path on this machine, urls."""
    rows = []
    for file in get(name).files:
        found = whereabouts.find(file)
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
