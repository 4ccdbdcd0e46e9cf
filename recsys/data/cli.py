"""`recsys data list | fetch | show`."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recsys.command_line import OnceEach
from recsys.data import sources

console = Console(highlight=False)
data_commands = typer.Typer(no_args_is_help=True)


@data_commands.command("list", cls=OnceEach)
def list_sources() -> None:
    """Every data set: its licence, its size, and where it is now (RECSYS_DATA, the cache, or not here).

    Example: recsys data list
    """
    table = Table("data set", "size", "where", "licence", "source")
    for row in sources.listing():
        table.add_row(*(escape(str(row[key])) for key in ("name", "size", "where", "licence", "source")))
    console.print(table)


@data_commands.command(cls=OnceEach)
def fetch(
    names: Annotated[list[str], typer.Argument(help="Data sets, as `recsys data list` names them.")],
) -> None:
    """Download data sets into the cache and verify them; resumes, and leaves alone what is already there.

    Example: recsys data fetch beauty banking77
    """
    for name in names:
        sources.ensure(name)
        console.print(f"{escape(name)}: there, and its checksums agree")


@data_commands.command(cls=OnceEach)
def derive(name: Annotated[str, typer.Argument(help="A data set of pictures or sound.")]) -> None:
    """Build a data set's derived archive (pictures, recordings) from its public originals, and verify it.

    Example: recsys data derive fashion_products
    """
    from recsys.data.media.derive import derive as make

    console.print(f"{escape(name)}: {escape(str(make(name)))}")


@data_commands.command(cls=OnceEach)
def show(name: Annotated[str, typer.Argument(help="A data set.")]) -> None:
    """Load a data set and print its tables' sizes and columns, its times or labels, and what was dropped.

    Example: recsys data show demo_store
    """
    from recsys.data.load import describe

    for key, value in describe(name).items():
        console.print(f"[bold]{escape(key)}[/]: {escape(str(value))}", soft_wrap=True)
