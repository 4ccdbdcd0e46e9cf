"""`recsys search "query" --catalogue FILE`: searches a CSV in the terminal, with a stored index."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from recsys.search.engine import SearchEngine

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
    backbone: Annotated[
        str | None, typer.Option(help="Encoder that a new index is built with (default: minilm).")
    ] = None,
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

    if catalogue is None and index is None:
        raise SearchError("give --catalogue FILE (a CSV with titles), or --index FOLDER of one built before")
    if catalogue is not None and catalogue.is_dir():
        raise SearchError(f"{catalogue} is a folder: name a CSV with titles")
    folder = index or catalogue.with_suffix(".index")
    if catalogue is None and not folder.is_dir():
        raise SearchError(f"there is no index at {folder}: --catalogue FILE builds one")
    engine = _stored(folder, catalogue, backbone, variant)
    if engine is None:
        table = read_catalogue(catalogue)
        engine = SearchEngine.build(table, backbone or "minilm", progress=True, variant=variant)
        engine.save(folder)
    for reason in engine.texts.reasons:
        console.print(escape(reason), style="dim")
    table = Table("", "id", "title", "score", "words", "meaning")
    for place, row in enumerate(engine.search(query, k).itertuples(), 1):
        numbers = (f"{value:.3f}" for value in (row.score, row.words, row.meaning))
        table.add_row(str(place), escape(row.id), escape(row.title), *numbers)
    console.print(table if table.row_count else "Nothing fits.")


def _stored(
    folder: Path, catalogue: Path | None, backbone: str | None, variant: str | None
) -> "SearchEngine | None":
    """The engine that was saved; None where it has to be built: the catalogue is newer, saving was stopped or
    its files are damaged, or another encoder is asked for. Without the catalogue the last two are errors."""
    from recsys.search.engine import MANIFEST, SearchEngine
    from recsys.search.errors import SearchError

    source, written = catalogue is not None and catalogue.is_file(), folder / MANIFEST
    if catalogue is not None and not written.is_file():
        return None
    # the folder's own time does not change when a file in it is written again
    if source and written.stat().st_mtime < catalogue.stat().st_mtime:
        return None
    try:
        engine = SearchEngine.load(folder, variant=variant)
        if backbone in (None, engine.texts.name):
            return engine
        told = f"{folder} was built with {engine.texts.name}, not {backbone}"
    except SearchError as error:
        told = str(error)
    if not source:
        raise SearchError(told)
    console.print(escape(f"{told}: indexing {catalogue} again"), style="dim", soft_wrap=True)
    return None
