"""Where things lie: the project's folders, found from the current folder or from the package."""

from pathlib import Path

MARKS = ("notebooks", "experiments", "pyproject.toml")


def find_project(start: Path | None = None) -> Path:
    """The project's root: the nearest folder at or above `start` that holds notebooks/ and experiments/.

    The current folder wins over the package's place, so that a copy of the project runs its own files
    even where another checkout is the one installed.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if all((folder / mark).exists() for mark in MARKS):
            return folder
    return Path(__file__).resolve().parents[2]


PROJECT = find_project()
NOTEBOOKS = PROJECT / "notebooks"
EXPERIMENTS = PROJECT / "experiments"
RUNS = EXPERIMENTS / "runs"
REFERENCE = EXPERIMENTS / "reference"
REPORT = PROJECT / "report"
EXECUTED = "executed.ipynb"  # in a run's folder
