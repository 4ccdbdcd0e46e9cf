"""Reads the cells of a notebook as plain JSON.

nbformat would do, but importing it takes seconds (its validator builds a grammar for internationalised web
addresses), and `recsys run` should say within a second or two that nothing has to be run.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class NotebookError(ValueError):
    """A file is not a notebook of format 4."""


@dataclass(frozen=True)
class Cell:
    """One cell; `number` counts all cells from 1."""

    number: int
    kind: str  # "code" or "markdown"
    source: str
    tags: tuple[str, ...] = ()
    outputs: tuple[Any, ...] = ()


def read_cells(path: Path) -> tuple[Cell, ...]:
    """Every cell of a notebook file.

    Raises:
        NotebookError: it is not JSON, or not a notebook of format 4.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["nbformat"] != 4:
            raise NotebookError(
                f"{path.name}: notebook format {raw['nbformat']}; open and save it in JupyterLab"
            )
        return tuple(
            Cell(
                number,
                cell["cell_type"],
                "".join(cell["source"]),
                tuple((cell.get("metadata") or {}).get("tags", ())),
                tuple(cell.get("outputs") or ()),
            )
            for number, cell in enumerate(raw["cells"], start=1)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, NotebookError):
            raise
        raise NotebookError(f"{path.name}: not a notebook ({error!r:.200})") from None


def completed(path: Path) -> str | None:
    """The notebook's text with metadata added that nbformat requires; None if nothing is missing.

    Some tools omit metadata; runs do not depend on them.
    """
    raw = json.loads(path.read_text(encoding="utf-8"))
    before = json.dumps(raw)
    raw["metadata"] = raw.get("metadata") or {}
    raw.setdefault("nbformat_minor", 5 if any("id" in cell for cell in raw["cells"]) else 4)
    for cell in raw["cells"]:
        cell["metadata"] = cell.get("metadata") or {}
        if cell["cell_type"] == "code":
            cell["outputs"] = cell.get("outputs") or []
            cell.setdefault("execution_count", None)
    text = json.dumps(raw)
    return None if text == before else text


def code_cells(cells: Iterable[Cell]) -> Iterator[Cell]:
    """The code cells."""
    return (cell for cell in cells if cell.kind == "code")
