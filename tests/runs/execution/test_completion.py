"""What a run is recorded under: the commit whose files really ran, or no published record at all."""

import subprocess
from types import SimpleNamespace

import pytest

from recsys.runs import paths
from recsys.runs.execution.completion import _code, _module
from recsys.runs.execution.failures import RunFailed
from recsys.runs.grid import fingerprint, git
from tests.conftest import make_project, write_notebook

MODEL = "recsys/metrics/sample_model.py"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A committed project with one notebook and one module of its own."""
    project = make_project(tmp_path / "project")
    (project / MODEL).write_text("def double(x):\n    return 2 * x\n")
    start = "from recsys.metrics.sample_model import double\nfrom recsys.runs.record import record"
    write_notebook(project / "notebooks" / "00_x.ipynb", "seed: int = 0", start, "record({'a': double(1)})")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        who = ["-c", "user.name=t", "-c", "user.email=t@t"]
        subprocess.run(["git", *who, *command], cwd=project, check=True)
    monkeypatch.setattr(paths, "PROJECT", project)
    for cache in (fingerprint.project_sources, fingerprint._reached, git._tree):
        cache.cache_clear()
    yield project
    for cache in (fingerprint.project_sources, fingerprint._reached, git._tree):
        cache.cache_clear()


def complete(project, tmp_path, *, committed_only, ran=None):
    """What is recorded of a run whose kernel imported the module as it stands, or as `ran` says."""
    notebook = "notebooks/00_x.ipynb"
    request = SimpleNamespace(project=str(project), notebook=notebook, committed_only=committed_only)
    blob = git.blob_sha1(ran.encode()) if ran else git.file_blob(project / MODEL)
    code = {"commit": git.head(), "imported": {MODEL: blob}, "loaded": []}
    return _code(request, code, git.file_blob(project / notebook), tmp_path)


def test_committed_code_is_recorded_under_its_commit(project, tmp_path):
    code = complete(project, tmp_path, committed_only=True)
    assert (code["commit"], code["dirty"]) == (git.head(), False)
    assert (tmp_path / "provenance.json").is_file()


def test_a_module_edited_before_a_run_of_a_grid_refuses_that_run(project, tmp_path):
    (project / MODEL).write_text("def double(x):\n    return 3 * x\n")
    with pytest.raises(RunFailed, match=r"recsys/metrics/sample_model\.py is not what it is in commit"):
        complete(project, tmp_path, committed_only=True)
    assert complete(project, tmp_path, committed_only=False)["dirty"] is True


def test_a_module_edited_while_a_run_went_refuses_it_whatever_is_asked(project, tmp_path):
    for committed_only in (True, False):
        with pytest.raises(RunFailed, match="was edited while this run was going"):
            complete(project, tmp_path, committed_only=committed_only, ran="def double(x):\n    return 9\n")


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("recsys/metrics/ranking.py", "recsys.metrics.ranking"),
        ("recsys/data/demo_store/__init__.py", "recsys.data.demo_store"),
        ("/elsewhere/lib/recsys/data/load.py", "recsys.data.load"),
    ],
)
def test_files_by_the_names_of_their_modules(file, module):
    assert _module(file) == module
