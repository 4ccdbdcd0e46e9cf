"""Imports go one way: an arrow that runs back is an error (DESIGN; README, "How the code is laid out").

Between rooms the order is written down in LAYERS. Between the folders of one room, and between modules, there
is no circle. An import inside a function counts too; the texts of a `Registry`, which name what is loaded
when it is asked for, do not.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

LAYERS = [
    {"code", "command_line"},
    {"data", "metrics"},
    {"losses", "plots"},
    {"encoders"},
    {"training"},
    {"speed", "baselines"},
    {"compression", "models"},  # a comparison of models needs the baselines too
    {"ensembling"},
    {"multimodal", "search"},
    {"streaming"},
    {"benchmarks"},
    {"runs"},
    {"sweeps"},
    {"applications"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted((ROOT / "recsys").rglob("*.py"))


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT / "recsys").with_suffix("").parts[0]


def imported(path: Path, source: str, types: bool = True) -> Iterator[str]:
    """Dotted names of recsys that a module imports, wherever in it: of modules, or of objects in them.

    types: also what is imported for annotations alone, under `if TYPE_CHECKING`.
    """
    tree = ast.parse(source)
    if not types:
        tree.body = [
            node for node in tree.body if "TYPE_CHECKING" not in ast.dump(getattr(node, "test", ast.Pass()))
        ]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.startswith("recsys."))


def backward_imports(path: Path, source: str) -> list[str]:
    own = layer_of(path)
    layers = [name.split(".")[1] for name in imported(path, source)]
    return [layer for layer in layers if layer != own and LEVEL[layer] >= LEVEL[own]]


def arrows() -> dict[str, set[str]]:
    """Module -> the modules of recsys that it imports; a package's name stands for its __init__."""
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MODULES}
    names = {path: name.removesuffix(".__init__") for path, name in names.items()}
    known = set(names.values())
    graph = {}
    for path, name in names.items():
        found = imported(path, path.read_text(encoding="utf-8"), types=False)
        graph[name] = {target if target in known else target.rpartition(".")[0] for target in found} - {name}
    return graph


def folder_arrows(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Folder -> the folders beside it that it imports from; a room's own top files are beside none."""
    found: dict[str, set[str]] = {}
    for module, targets in graph.items():
        own = module.split(".")[1:3]
        for target in targets:
            other = target.split(".")[1:3]
            if len(own) == len(other) == 2 and own[0] == other[0] and own != other:
                both = [".".join(part) for part in (own, other)]
                if all((ROOT / "recsys" / part.replace(".", "/")).is_dir() for part in both):
                    found.setdefault(both[0], set()).add(both[1])
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of the graph, [] where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_import_runs_back(path):
    if path == ROOT / "recsys" / "__init__.py":
        assert ast.parse(path.read_text()).body[1:] == []
        return
    assert layer_of(path) in LEVEL, f"{path} is in no layer: add it to LAYERS"
    assert backward_imports(path, path.read_text()) == []


def test_no_circle_between_modules():
    assert circle(arrows()) == []


def test_no_circle_between_the_folders_of_a_room():
    assert circle(folder_arrows(arrows())) == []


def test_an_arrow_back_is_seen():
    planted = "from recsys.runs.record import record"
    assert backward_imports(ROOT / "recsys" / "losses" / "x.py", planted) == ["runs"]
    assert backward_imports(ROOT / "recsys" / "data" / "x.py", "import recsys.metrics.ranking") == ["metrics"]
    assert backward_imports(ROOT / "recsys" / "data" / "x.py", "def f():\n    from recsys import losses") == [
        "losses"
    ]


def test_a_circle_is_seen():
    graph = {
        "recsys.speed.engines.a": {"recsys.speed.builders.b"},
        "recsys.speed.builders.c": {"recsys.speed.engines.d"},
    }
    assert circle(graph) == []
    assert set(circle(folder_arrows(graph))) == {"speed.engines", "speed.builders"}


def test_a_sweep_is_checked_without_importing_torch():
    """A misspelt parameter is told in a second, and a search of baselines needs no torch."""
    names = {"torch", "transformers", "scipy.stats"}
    asked = f"import sys, recsys.sweeps.spec; print(sorted({names} & {{*sys.modules}}))"
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
