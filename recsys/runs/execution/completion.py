"""Completes the record after a notebook has ended: adds the run's dependencies, or refuses the run."""

import json
import sysconfig
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.data.files.locations import cache_folder
from recsys.data.sources import WEIGHTS
from recsys.runs.checksums import content_name
from recsys.runs.execution.failures import RunFailed
from recsys.runs.grid.fingerprint import dependencies
from recsys.runs.grid.git import differing, file_blob
from recsys.runs.record_shape import fault
from recsys.runs.records import PROVENANCE

if TYPE_CHECKING:
    from recsys.runs.execution.worker import Request


def complete_record(request: "Request", working: Path, started: datetime, seconds: float) -> None:
    """Finish record.json: commit, dependencies, time.

    Raises:
        RunFailed: the notebook recorded nothing; code was edited while it ran; or uncommitted code, where
            only committed code may be recorded.
    """
    path = working / "record.json"
    if not path.is_file():
        raise RunFailed("no record: the notebook's last cell must call record(...) of recsys.runs.record")
    record = json.loads(path.read_text(encoding="utf-8"))
    ask = json.loads((working / "request.json").read_text(encoding="utf-8"))
    record["data"] = {key: sha256 for key, sha256 in record["data"].items() if not _installed(key)}
    record["code"] = _code(request, record["code"], ask["notebook_blob"], working)
    record["started"] = started.isoformat(timespec="seconds").replace("+00:00", "Z")
    record["seconds"] = round(seconds, 3)
    if why := fault(record):
        raise RunFailed(f"the record would not be whole ({why}): mend what the notebook gives to record(...)")
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (working / "request.json").unlink()
    (working / Path(request.notebook).name).unlink(missing_ok=True)  # the worker's copy, with its metadata
    (working / "kernel.log").unlink(missing_ok=True)  # output of C libraries, needed after a failure only


def _installed(key: str) -> bool:
    """Whether these are weights in a Python package or in the kit's cache, not in a folder of the user's.

    The first belong to the package's version, which the record holds; the second are made by the kit's code
    from others. Their paths are this machine's and mean nothing elsewhere.
    """
    if not key.startswith(WEIGHTS):
        return False
    folder = Path(key.removeprefix(WEIGHTS)).expanduser()
    return any(folder.is_relative_to(place) for place in (sysconfig.get_path("purelib"), cache_folder()))


def _code(request: "Request", code: dict[str, Any], notebook_blob: str, working: Path) -> dict[str, Any]:
    blobs = {**code["imported"], request.notebook: notebook_blob}
    project = Path(request.project)
    edited = [name for name, blob in blobs.items() if _blob_now(project / name) != blob]
    if edited:
        raise RunFailed(f"{', '.join(edited)} was edited while this run was going; run it again")
    commit = code["commit"]
    uncommitted = differing(commit, blobs) if commit else sorted(blobs)
    if uncommitted and request.committed_only:
        where = f"commit {commit[:8]}" if commit else "any commit: this is no git checkout"
        raise RunFailed(
            f"{', '.join(uncommitted[:3])} is not what it is in {where}; commit it and run again, or add "
            "--allow-dirty for a trial that `recsys publish` will not take"
        )
    imported = {_module(name) for name in code["imported"]}
    found = dependencies(project / request.notebook, code["loaded"], imported=imported)
    (working / f"{PROVENANCE}.json").write_text(json.dumps(found.provenance) + "\n", encoding="utf-8")
    return {
        "commit": commit,
        "dirty": bool(uncommitted),
        "notebook": {"path": request.notebook, "sha256": found.notebook_sha256},
        "loaded": code["loaded"],
        PROVENANCE: content_name(found.provenance),
    }


def _module(file: str) -> str:
    """recsys/metrics/ranking.py as recsys.metrics.ranking; a package by its folder."""
    parts = Path(file).with_suffix("").parts
    parts = parts[len(parts) - 1 - parts[::-1].index("recsys") :]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _blob_now(path: Path) -> str | None:
    return file_blob(path) if path.is_file() else None
