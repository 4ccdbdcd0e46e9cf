"""Writes what quotes the committed records: findings, sizing, the README's numbers and ladder."""

from collections.abc import Sequence

from recsys.runs import paths
from recsys.runs.evidence.documents import findings_page
from recsys.runs.records import Record
from recsys.runs.report import sizing
from recsys.runs.report.ladder import write_readme


def write_documents(reference: Sequence[Record]) -> list[str]:
    """Write all of them.

    Returns:
        Names of the files written, from the project's root.
    """
    docs = paths.PROJECT / "docs"
    texts = {
        findings_page.FINDINGS: findings_page.written(reference),
        sizing.PAGE: sizing.written(reference),
    }
    for name, text in texts.items():
        (docs / name).write_text(text, encoding="utf-8")
    return [*(f"docs/{name}" for name in texts), *write_readme(reference)]
