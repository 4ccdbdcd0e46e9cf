"""Every notebook keeps the anatomy, and runs headless from top to bottom in the smoke profile."""

import ast
import json
import re

import pytest

from recsys.runs.evidence.documents.prose import quoted_numbers
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.grid.notebook_cells import code_cells, read_cells
from recsys.runs.grid.parameters import parse_cell, read_parameters, reassigned
from recsys.runs.grid.plan import plan
from recsys.runs.report.notebooks import OfflineExporter, notebook_body
from tests.conftest import ROOT
from tests.drills.by_hand import stated_seconds

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXPERIMENTS = load_experiments(ROOT / "experiments")

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)


def code_lines(source: str) -> int:
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in source.splitlines())


def test_is_thin(path):
    # the two lines about threads are the same everywhere
    cells = [cell for cell in code_cells(read_cells(path)) if "by-hand" not in cell.tags]
    assert sum(code_lines(cell.source) for cell in cells) <= 100
    # parameters take one line each, however many there are
    assert max(code_lines(cell.source) for cell in cells if "parameters" not in cell.tags) <= 15
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.While)
    found = [node for cell in cells for node in ast.walk(parse_cell(cell.source)) if isinstance(node, kinds)]
    assert found == [], "code belongs into recsys/, loops over settings into experiments/"


def test_is_committed_without_outputs_and_with_the_right_kernel(path):
    assert all(cell.outputs == () for cell in read_cells(path))
    assert json.loads(path.read_text())["metadata"]["kernelspec"]["name"] == "python3"


def test_parameters_are_declared_once_and_kept(path):
    cells = read_cells(path)
    parameters = read_parameters(cells, path.name)
    assert "seed" in parameters
    assert all(parameter.meaning for parameter in parameters.values()), "say what each one means"
    assert reassigned(cells, set(parameters)) == []


def test_teaches(path):
    cells = read_cells(path)
    prose = "\n".join(cell.source for cell in cells if cell.kind == "markdown")
    for heading in ("Learning goals", "What the grid says", "Exercises"):
        assert re.search(heading, prose, re.IGNORECASE), f"no '{heading}'"
    assert re.search(r"§\s?\d", prose), "name the paper's section"
    assert stated_seconds(path) > 0, "say how long it takes by hand"
    assert "record(" in list(code_cells(cells))[-1].source


def test_every_formula_is_shown_as_one_in_the_report(path):
    _, body = notebook_body(path, OfflineExporter(lambda url: url))
    assert re.findall(r'<code class="tex">.*?</code>', str(body), re.DOTALL) == []


def test_has_a_smoke_and_a_reference_grid_and_says_where_no_quick_one(path):
    own = [e for e in EXPERIMENTS.values() if e.notebook == f"notebooks/{path.name}"]
    assert any({"smoke", "reference"} <= set(e.profiles) for e in own)
    assert all("reference" in e.profiles for e in own)
    # what is too long for the quick profile, or measures time (two runs share the machine there), says so
    for one in own:
        assert ("quick" in one.profiles) == (one.budget.get("quick", "nothing") != "nothing"), one.name


def test_numbers_in_prose_come_from_records(path):
    assert [problem for number in quoted_numbers() if (problem := number.problem())] == []


def experiments_of(path):
    return [e.name for e in EXPERIMENTS.values() if e.notebook == f"notebooks/{path.name}"]


def test_runs_headless_in_the_smoke_profile(path, smoke_runs):
    told, runs = smoke_runs.told(), smoke_runs.runs
    own = [EXPERIMENTS[name] for name in experiments_of(path) if "smoke" in EXPERIMENTS[name].profiles]
    planned = plan(own, "smoke", data="demo", runs=runs)
    assert planned
    if absent := {package for one in own for package in one.missing_packages()}:
        pytest.skip(f"{', '.join(sorted(absent))} not installed: make extras")
    missing = [one.name for one in planned if not (one.folder / "record.json").is_file()]
    assert missing == [], told
