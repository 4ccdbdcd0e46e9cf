"""The README's places that are filled from the records, each between `<!-- NAME -->` and `<!-- /NAME -->`."""

import re
from collections.abc import Sequence
from pathlib import Path

from recsys.runs import paths
from recsys.runs.evidence.documents.findings_page import FindingsError, expand
from recsys.runs.records import Record

README, TEMPLATE, NUMBERS = "README.md", "docs/readme_numbers.template.md", "numbers"


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)


def with_block(text: str, name: str, content: str) -> str:
    """A document with this content in the place of that name; as it is where it has no such place."""
    return _block(name).sub(lambda found: f"{found[1]}{content}\n{found[2]}", text, count=1)


def with_numbers(text: str, reference: Sequence[Record], project: Path | None = None) -> str:
    """The README with its table of numbers as its template and these records give it.

    Raises:
        FindingsError: a selector of the template is wrong, or chooses no records.
    """
    template = (project or paths.PROJECT) / TEMPLATE
    if not template.is_file():
        return text
    return with_block(text, NUMBERS, expand(template.read_text(encoding="utf-8").strip(), reference, up=""))


def problems(reference: Sequence[Record], project: Path | None = None) -> list[str]:
    """What is wrong with the README's numbers; nothing where there is no template."""
    readme = (project or paths.PROJECT) / README
    if not readme.is_file() or not ((project or paths.PROJECT) / TEMPLATE).is_file():
        return []
    text = readme.read_text(encoding="utf-8")
    if not _block(NUMBERS).search(text):
        return [f"{README} has no place <!-- {NUMBERS} --> ... <!-- /{NUMBERS} --> for {TEMPLATE}"]
    try:
        wanted = with_numbers(text, reference, project)
    except FindingsError as error:
        return [f"{TEMPLATE}: {error}"]
    if text != wanted:
        return [f"{README}: its numbers are not what {TEMPLATE} and the records give: run `recsys findings`"]
    return []
