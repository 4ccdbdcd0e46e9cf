"""`recsys search "query" --catalogue FILE`: searches a CSV in the terminal, with a stored index."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console(highlight=False)


def search_command(
    query: Annotated[str, typer.Argument(help="What is searched for.")],
    catalogue: Annotated[
        Path | None, typer.Option(help="A CSV with titles; it is indexed at the first search.")
    ] = None,
    index: Annotated[
        Path | None, typer.Option(help="Folder of the index (default: beside the catalogue).")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Products to show.")] = 10,
    backbone: Annotated[str, typer.Option(help="Encoder that a new index is built with.")] = "minilm",
    variant: Annotated[
        str | None,
        typer.Option(help="How queries are encoded: a variant of notebook 05, plain, or auto (minutes)."),
    ] = None,
) -> None:
    """Search a catalogue by words (BM25) and by meaning (vectors of a language model).

    Example: recsys search "tea cup" --catalogue products.csv -k 5
    """
    from recsys.search.catalogue import read_catalogue
    from recsys.search.engine import SearchEngine
    from recsys.search.errors import SearchError

    folder = index or (catalogue.with_suffix(".index") if catalogue else None)
    if folder is None:
        raise SearchError("give --catalogue FILE (a CSV with titles), or --index FOLDER of one built before")
    # a catalogue that changed since is indexed again
    fresh = folder.is_dir() and (
        catalogue is None or not catalogue.is_file() or folder.stat().st_mtime >= catalogue.stat().st_mtime
    )
    if fresh:
        engine = SearchEngine.load(folder, variant=variant)
    else:
        engine = SearchEngine.build(read_catalogue(catalogue), backbone, progress=True, variant=variant)
        engine.save(folder)
    for reason in engine.texts.reasons:
        console.print(escape(reason), style="dim")
    table = Table("", "id", "title", "score", "words", "meaning")
    for place, row in enumerate(engine.search(query, k).itertuples(), 1):
        numbers = (f"{value:.3f}" for value in (row.score, row.words, row.meaning))
        table.add_row(str(place), escape(row.id), escape(row.title), *numbers)
    console.print(table if table.row_count else "Nothing fits.")
