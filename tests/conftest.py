"""Shared by all tests: a throw-away project folder, and the location of real data where there is any."""

import os

# before torch and NumPy are imported. Two threads that share small products wait for each other; where other
# programs run (the notebooks' smoke runs do), a test took fifteen times as long as with one thread
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, settings

from tests.smoke_runs import TEST, SmokeRuns

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK_TESTS = "test_notebooks.py"

# how long a test's input takes says how busy the machine is
settings.register_profile("kit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kit")

Command = Callable[..., subprocess.CompletedProcess]


def write_notebook(path: Path, parameters: str, *cells: str) -> Path:
    """A notebook with a parameters cell and further code cells."""
    tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[tagged, *map(nbformat.v4.new_code_cell, cells)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def make_project(folder: Path) -> Path:
    """A project with this package's code and no notebooks yet."""
    shutil.copytree(ROOT / "recsys", folder / "recsys", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "notebooks").mkdir()
    (folder / "experiments").mkdir()
    (folder / "pyproject.toml").write_text("[project]\nname = 'recsys'\n")
    return folder


def recsys_command(project: Path) -> Command:
    """A function that runs `recsys ...` in a project, as a user would."""

    def run(*arguments: str, timeout: float = 240, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "recsys.cli", *arguments],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(project), "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def smoke_runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmokeRuns | None]:
    """Started before the first test where notebooks are among what was asked for; else None."""
    if told := getattr(request.config, "workerinput", {}).get("smoke"):
        yield SmokeRuns(Path(told["folder"]), told["pid"])
        return
    notebooks = [one for one in request.session.items if one.path.name == NOTEBOOK_TESTS]
    items = [one for one in notebooks if getattr(one, "originalname", "") == TEST]
    if not items:
        yield None
        return
    names = {one.callspec.params["path"].name for one in items}
    started = SmokeRuns.start(tmp_path_factory.mktemp("smoke"), names)
    yield started
    started.end()


@pytest.fixture(scope="session", autouse=True)
def one_simulation() -> Iterator[None]:
    """The demo store of a seed and a size is simulated once, not for each test that loads it (3 core s)."""
    from recsys.data.demo_store import store

    simulate = store._simulate
    store._simulate = lru_cache(maxsize=6)(simulate)
    yield
    store._simulate = simulate


class SmokeRunsOfAllWorkers:
    """With `pytest -n`: one command, started before the workers collect their tests, ended after them."""

    started: SmokeRuns | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config) -> None:
        asked = {(config.invocation_params.dir / one.partition("::")[0]).resolve() for one in config.args}
        if asked & {ROOT, ROOT / "tests", ROOT / "tests" / NOTEBOOK_TESTS}:
            folder = Path(tempfile.mkdtemp(prefix="recsys-smoke-"))
            self.started = SmokeRuns.start(
                folder, {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
            )

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        if self.started:
            node.workerinput["smoke"] = {"folder": str(self.started.folder), "pid": self.started.pid}

    def pytest_sessionfinish(self) -> None:
        if self.started:
            self.started.end()
            shutil.rmtree(self.started.folder, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(SmokeRunsOfAllWorkers())
