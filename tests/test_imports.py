"""Imports go one way: an arrow that runs back is an error (DESIGN; README, "How the code is laid out")."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAYERS = [
    {"code"},
    {"data", "metrics"},
    {"plots", "losses"},
    {"encoders"},
    {"training"},
    {"baselines"},
    {"models"},  # a contest between models needs the baselines too
    {"speed"},
    {"search"},
    {"streaming", "ensembling"},
    {"runs"},
    {"sweeps"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted((ROOT / "recsys").rglob("*.py"))


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT / "recsys").with_suffix("").parts[0]


def backward_imports(path: Path, source: str) -> list[str]:
    own = layer_of(path)
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module] if node.module != "recsys" else [f"recsys.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        layers = [name.split(".")[1] for name in names if name.startswith("recsys.")]
        found += [layer for layer in layers if layer != own and LEVEL[layer] >= LEVEL[own]]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_import_runs_back(path):
    if path == ROOT / "recsys" / "__init__.py":
        assert ast.parse(path.read_text()).body[1:] == []
        return
    assert layer_of(path) in LEVEL, f"{path} is in no layer: add it to LAYERS"
    assert backward_imports(path, path.read_text()) == []


def test_an_arrow_back_is_seen():
    planted = "from recsys.runs.record import record"
    assert backward_imports(ROOT / "recsys" / "losses" / "x.py", planted) == ["runs"]
    assert backward_imports(ROOT / "recsys" / "data" / "x.py", "import recsys.metrics.ranking") == ["metrics"]
