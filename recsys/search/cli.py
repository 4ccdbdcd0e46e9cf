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
LONGEST = 200  # letters of an id or a title that are shown


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
    from recsys.data.files.verification import sha256_of
    from recsys.search.errors import SearchError

    if catalogue is None and index is None:
        raise SearchError("give --catalogue FILE (a CSV with titles), or --index FOLDER of one built before")
    if catalogue is not None and catalogue.is_dir():
        raise SearchError(f"{catalogue} is a folder: name a CSV with titles")
    if catalogue is not None and not catalogue.is_file():
        raise SearchError(f"no catalogue at {catalogue}: --index FOLDER alone asks an index built before")
    # the whole name: products.csv and products.txt are two catalogues
    folder = index or catalogue.with_name(f"{catalogue.name}.index")
    if catalogue is None and not folder.is_dir():
        raise SearchError(f"there is no index at {folder}: --catalogue FILE builds one")
    from recsys.search.catalogue import read_catalogue  # seconds, not before the checks
    from recsys.search.engine import SearchEngine

    source = sha256_of(catalogue) if catalogue else None
    engine = _stored(folder, catalogue, source, backbone, variant)
    if engine is None:
        table = read_catalogue(catalogue, _say)
        engine = SearchEngine.build(table, backbone or "minilm", progress=True, variant=variant)
        engine.save(folder, source)
    for reason in engine.texts.reasons:
        _say(reason)
    table = Table("", "id", "title", "score", "words", "meaning")
    for place, row in enumerate(engine.search(query, k).itertuples(), 1):
        numbers = (f"{value:.3f}" for value in (row.score, row.words, row.meaning))
        table.add_row(str(place), _shown(row.id), _shown(row.title), *numbers)
    console.print(table if table.row_count else "Nothing fits.")


def _shown(text: str) -> str:
    from recsys.search.catalogue import printable

    return escape(printable(text if len(text) <= LONGEST else f"{text[:LONGEST]}…"))


def _say(line: str) -> None:
    from recsys.search.catalogue import printable

    console.print(escape(printable(line)), style="dim", soft_wrap=True)


def _stored(
    folder: Path, catalogue: Path | None, source: str | None, backbone: str | None, variant: str | None
) -> "SearchEngine | None":
    """The engine that was saved; None where it has to be built: it is of another file's content (time stamps
    do not tell: `cp -p`), saving was stopped or its files are damaged, or another encoder is asked for.
    Without the catalogue the last two are errors."""
    from recsys.search.catalogue import printable
    from recsys.search.engine import CATALOGUE, INDEX, SearchEngine
    from recsys.search.engine_manifest import MANIFEST, saved_source
    from recsys.search.errors import SearchError
    from recsys.search.vector_index import VECTORS

    if catalogue is not None and not (folder / MANIFEST).is_file():
        there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        if strange := sorted(set(there) - {CATALOGUE, INDEX, MANIFEST, VECTORS}):
            raise SearchError(f"{folder} holds {printable(strange[0])}: name a folder for the index alone")
        return None
    try:
        known = saved_source(folder)
        if catalogue is not None and known is None:
            own = True  # saved by code, which may have added products: not to be overwritten
            told = (
                f"{folder} does not say which file it is of: leave --catalogue out, or name another --index"
            )
        elif catalogue is not None and known != source:
            own, told = False, f"{folder} is of another file, or of this one before a change"
        else:
            engine, own = SearchEngine.load(folder, variant=variant), False
            if backbone in (None, engine.texts.name):
                return engine
            told = f"{folder} was built with {engine.texts.name}, not {backbone}"
    except SearchError as error:
        own, told = False, str(error)
    if own or catalogue is None:
        raise SearchError(told)
    _say(f"{told}: indexing {catalogue} again")
    return None
