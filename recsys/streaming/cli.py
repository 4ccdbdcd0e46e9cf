"""`recsys replay DATASET`: a log through the streaming engine, compared with one computation over it."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console(highlight=False)


def replay_command(
    dataset: Annotated[str, typer.Argument(help="A data set with times, also one of RECSYS_SOURCES.")],
    kinds: Annotated[
        str | None,
        typer.Option(help="Only these, separated by commas, such as click,purchase (default: all)."),
    ] = None,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Online Retail: every invoice line, returns and nameless customers too."),
    ] = False,
    cores: Annotated[int, typer.Option(min=1, help="Of Spark.")] = 2,
    segment_lines: Annotated[int, typer.Option(min=1, help="Lines of a file of the log.")] = 10_000,
    segments: Annotated[int, typer.Option(min=1, help="Files in a batch.")] = 4,
) -> None:
    """Replay a data set through the streaming engine, with faults, and check its counts and states.

    5 % of the lines are sent twice, 5 % come out of order, 1 % too late, 1 % broken. Exit status 0: every
    line is accounted for and the final states are those of one computation over the whole log.

    Example:

      recsys replay online_retail --raw
    """
    from recsys.streaming.studies.replayed import replay_rows, rows_to_replay

    rows = rows_to_replay(dataset, kinds.split(",") if kinds else None, raw)
    with tempfile.TemporaryDirectory() as folder:
        found = replay_rows(rows, Path(folder), cores, segment_lines, segments)
    table = Table("lines", "put in", "found")
    for name, (put_in, counted) in found.accounts.iterrows():
        table.add_row(escape(str(name)), f"{put_in:,}", f"{counted:,}")
    console.print(table)
    seconds = found.batches["milliseconds"].sum() / 1000
    lines = found.batches["lines"].sum()
    console.print(
        f"{len(found.batches)} batches, {lines:,} lines in {seconds:.1f} s: {lines / seconds:,.0f} a second"
    )
    same = "equal" if found.equality["whole_numbers_equal"] else "NOT equal"
    console.print(
        f"{found.equality['users']:,.0f} users: whole numbers {same} to a batch computation over the log, "
        f"largest difference of a float {found.equality['largest_difference']:.1e}"
    )
    raise typer.Exit(0 if found.exact else 1)
