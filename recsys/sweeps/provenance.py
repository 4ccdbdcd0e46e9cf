"""What code a sweep ran, so that an edit is told before old and new trials are mixed."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from recsys.runs import paths
from recsys.sweeps.spec import Spec

PROVENANCE = "provenance.json"
# modules on which no trial's results depend
OUTSIDE = (
    "recsys.sweeps",
    "recsys.runs",
    "recsys.plots",
    "recsys.cli",
    "recsys.command_line",
    "recsys.data.cli",
    "recsys.encoders.packaged.cli",
    "recsys.search.cli",
)


def _modules(spec: Spec) -> dict[str, str]:
    """Modules of recsys that a trial can reach → hash of their code; a notebook's, and the notebook's own."""
    from recsys.code.definitions import read_module
    from recsys.code.reach import EVERY_LINE, START, own_sources

    if spec.notebook:  # runs in kernels: what this process has imported says nothing about it
        from recsys.runs.grid.fingerprint import dependencies

        parts = defaultdict(list)
        for name, digest in dependencies(paths.PROJECT / spec.notebook, [EVERY_LINE]).definitions.items():
            parts[spec.notebook if name == START else name.partition(":")[0]].append((name, digest))
        return {place: _hash(sorted(own)) for place, own in sorted(parts.items())}

    own = ("recsys.sweeps.functions", "recsys.sweeps.trials.trial_process")
    names = [name for name in sys.modules if name.startswith("recsys.")]
    kept = [name for name in names if name.startswith(own) or not name.startswith(OUTSIDE)]
    sources, found = own_sources(), {}
    for name in sorted(kept):
        source = sources(name)
        if source is not None:
            hashes = sorted((one.name, one.sha256) for one in read_module(name, source).definitions.values())
            found[name] = _hash(hashes)
    return found


def _hash(parts: list[tuple[str, str]]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def write_provenance(folder: Path, spec: Spec) -> None:
    """Write what all trials of the sweep share, once."""
    import importlib.metadata

    from recsys.runs.grid.git import head, uncommitted

    packages = ("ray", "optuna", "numpy", "scipy", "torch", "implicit", "pandas")
    whole: dict[str, Any] = {
        "spec": spec.model_dump(),
        "code": {"commit": head(), "dirty": uncommitted()} | {"modules": _modules(spec)},
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    _write(folder, whole)


def _write(folder: Path, whole: dict[str, Any]) -> None:
    partial = folder / f"{PROVENANCE}.part"
    partial.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(folder / PROVENANCE)


def note_resumed(folder: Path, spec: Spec, ended: dict[str, int]) -> None:
    """Write that later trials are by other code. ended: arm → how many trials were by earlier code."""
    from recsys.runs.grid.git import head, uncommitted

    try:
        whole = dict(json.loads((folder / PROVENANCE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        whole = {}
    code = {"commit": head(), "dirty": uncommitted(), "modules": _modules(spec), "after": ended}
    _write(folder, whole | {"resumed": [*whole.get("resumed", []), code]})


def changed_since(folder: Path, spec: Spec) -> str | None:
    """A sentence about the first module that differs from what the sweep last ran with, or about the lost
    list of them; None if none does."""
    try:
        whole = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        before = dict([whole["code"], *whole.get("resumed", [])][-1]["modules"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return f"{PROVENANCE}, which says what code it ran, was lost or damaged"
    now = _modules(spec)
    return next((f"{name} changed" for name, code in before.items() if now.get(name) != code), None)
