"""The work of `recsys rerun`, without the parsing of its options."""

from rich.console import Console
from rich.markup import escape

from recsys.runs import paths
from recsys.runs.evidence.rerun import find_records, rerun
from recsys.runs.evidence.verify import other_seeds
from recsys.runs.records import load_records


def rerun_command(console: Console, asked: str) -> int:
    """Repeat one committed record at its own commit; returns the exit status: 0 equal, 1 not equal."""
    reference = load_records(paths.REFERENCE)
    (chosen,) = find_records(asked, reference)
    console.print(f"Repeating {escape(chosen.name)} at commit {chosen.code['commit'][:12]}", soft_wrap=True)
    repeated = rerun(chosen, other_seeds(chosen, reference))
    console.print(escape(repeated.words()), soft_wrap=True)
    return 0 if repeated.ok else 1
