"""Numbers quoted in prose: each is a link to the field of the committed record that it comes from.

    [.0055](experiments/reference/00_data_and_splits/<run>/record.json#metrics.ndcg@10)

The link's text is the number as printed; `recsys verify` rounds the record's value to as many digits and
compares. A factor is written before the fragment's name as in `#100*metrics.share` (for per cent).
"""

import json
import re
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from recsys.runs import paths
from recsys.runs.grid.notebook_cells import read_cells

NUMBER_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)?experiments/reference/[^)#\s]+\.json)#([^)]+)\)")


@dataclass(frozen=True)
class QuotedNumber:
    """One number in prose, with the record field that it links to."""

    document: Path
    text: str
    target: Path
    fragment: str

    def problem(self) -> str | None:
        """What is wrong with it; None where it agrees with its record."""
        where = f"{self.document.relative_to(paths.PROJECT)}: '{self.text}'"
        digits = re.fullmatch(r"[-−]?\d*\.?(\d*)\s*%?", self.text.replace(",", ""))
        if digits is None:
            return f"{where} is not a number"
        try:
            value = _look_up(self.target, self.fragment)
        except (OSError, LookupError, ValueError, TypeError) as error:
            return f"{where}: {self.target.name}#{self.fragment} can't be read ({error})"
        printed = float(self.text.replace(",", "").replace("−", "-").rstrip(" %"))
        places = len(digits.group(1))
        if abs(printed - value) > 0.5 * 10**-places * (1 + 1e-9):
            run = self.target.parent.name
            return f"{where} disagrees with {run}#{self.fragment} = {value:.6g}"
        return None


def _look_up(target: Path, fragment: str) -> float:
    factor, star, path = fragment.rpartition("*")
    value: Any = json.loads(target.read_text(encoding="utf-8"))
    value = reduce(lambda node, key: node[key], path.split("."), value)
    return float(value) * (float(factor) if star else 1.0)


def quoted_numbers() -> list[QuotedNumber]:
    """Every linked number of README.md, CONTRIBUTING.md, docs/ and the notebooks' prose."""
    found = []
    pages = [paths.PROJECT / "README.md", paths.PROJECT / "CONTRIBUTING.md"]
    for document in [*pages, *sorted((paths.PROJECT / "docs").glob("*.md"))]:
        if document.is_file():
            found += _links(document, document.read_text(encoding="utf-8"))
    for document in sorted(paths.NOTEBOOKS.glob("*.ipynb")):
        for cell in read_cells(document):
            if cell.kind == "markdown":
                found += _links(document, cell.source)
    return found


def _links(document: Path, text: str) -> list[QuotedNumber]:
    return [
        QuotedNumber(document, match[1], (document.parent / match[2]).resolve(), match[3])
        for match in NUMBER_LINK.finditer(text)
    ]
