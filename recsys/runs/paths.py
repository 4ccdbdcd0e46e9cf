"""Paths of the project's folders, found from the current folder or from the package."""

import errno
import tomllib
from pathlib import Path

MARKS = ("notebooks", "experiments", "pyproject.toml")
NAME = "recsys"  # of the project, in pyproject.toml: other projects have folders of these names too


def find_project(start: Path | None = None) -> Path:
    """The project's root: the nearest folder at or above `start` that is a checkout or copy of this kit.

    The current folder has priority over the package's, so that a copy of the project runs its own files even
    where another checkout is installed.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if all((folder / mark).exists() for mark in MARKS) and _is_ours(folder / MARKS[-1]):
            return folder
    return Path(__file__).resolve().parents[2]


def _is_ours(settings: Path) -> bool:
    try:
        return tomllib.loads(settings.read_text(encoding="utf-8"))["project"]["name"] == NAME
    except (OSError, ValueError, KeyError, TypeError):
        return False


def given_runs(runs: Path) -> Path:
    """The folder of runs that a command was given. The project's own may be missing: nothing has run yet.

    Raises:
        FileNotFoundError: another one, and it is no folder.
    """
    if runs != RUNS and not runs.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder of runs: correct --runs", str(runs))
    return runs


PROJECT = find_project()
NOTEBOOKS = PROJECT / "notebooks"
EXPERIMENTS = PROJECT / "experiments"
RUNS = EXPERIMENTS / "runs"
REFERENCE = EXPERIMENTS / "reference"
REPORT = PROJECT / "report"
EXECUTED = "executed.ipynb"  # in a run's folder
LAST = "last.json"  # in the folder of runs: how the last command ended
